// Owns the way of a packet through all chains at one hook, in the kernel's order, with conntrack and translations between them.
//
// Sources: nf_hook_slow, nf_hook_entries_grow (net/netfilter/core.c), nf_nat_inet_fn, nf_nat_register_fn (nf_nat_core.c),
// nf_nat_ipv4_local_fn (nf_nat_proto.c), nf_route_table_hook4 (nft_chain_route.c), linux/netfilter_ipv4.h for priorities.
import { runChain } from "./chains.ts";
import { placeOf } from "./hooked.ts";
import type { Act, Fate, Hooked, Place } from "./hooked.ts";
import type { FilterChain, Hook, Ruleset } from "./ruleset.ts";
import type { Surroundings } from "./translations.ts";

/** What came of a hook. */
export interface Hooking {
  packet: Hooked;
  fate: Fate;
  acts: Act[];
  /** The packet as it was when the kernel looked for its way anew, the last time; absent where it did not. */
  rerouted?: Hooked;
}

/** NF_IP_PRI_CONNTRACK, NF_IP_PRI_NAT_DST and NF_IP_PRI_NAT_SRC. */
const CONNTRACK = -200;
const NAT: Readonly<Partial<Record<Hook, { priority: number; part: "source" | "destination" }>>> = {
  prerouting: { priority: -100, part: "destination" },
  output: { priority: -100, part: "destination" },
  postrouting: { priority: 100, part: "source" },
  input: { priority: 100, part: "source" },
};

/** Chains of one priority whose order is tried out: all orders have to lead to the same. */
const MOST_EQUAL = 4;

/** Looks for the way of a packet that was changed: "refused" where there is none, which drops it. */
export type Reroute = (packet: Hooked) => "found" | "refused";

/** What is done at one priority. */
interface Stage {
  priority: number;
  at: Place;
  run: (hooking: Hooking) => Hooking;
}

/** Follows a packet through a hook. */
export function passHook(ruleset: Ruleset, packet: Hooked, around: Surroundings, reroute: Reroute): Hooking {
  const stages = stagesOf(ruleset, packet, around, reroute);
  let hooking: Hooking = { packet, fate: { is: "passes" }, acts: [] };
  const groups = Map.groupBy(stages, ({ priority }) => priority);
  for (const priority of [...groups.keys()].sort((a, b) => a - b)) {
    // Conntrack is first asked by what stands behind it.
    if (priority > CONNTRACK && hooking.packet.tracking === "not-yet" && tracks(around.hook)) {
      hooking = { ...hooking, packet: { ...hooking.packet, tracking: "new" } };
    }
    hooking = runAll(groups.get(priority) ?? [], hooking);
    if (hooking.fate.is !== "passes") return hooking;
  }
  if (hooking.packet.tracking === "not-yet" && tracks(around.hook)) {
    return { ...hooking, packet: { ...hooking.packet, tracking: "new" } };
  }
  return hooking;
}

function tracks(hook: Hook): boolean {
  return hook === "prerouting" || hook === "output";
}

function stagesOf(ruleset: Ruleset, { family }: Hooked, around: Surroundings, reroute: Reroute): Stage[] {
  const chains = ruleset.at(around.hook, family);
  const stages = chains
    .filter(({ base }) => base?.type !== "nat")
    .filter((chain) => standsAt(chain, around))
    .map((chain): Stage => ({
      priority: chain.base?.priority ?? 0,
      at: placeOf(chain),
      run: (hooking) => runOne(ruleset, chain, hooking, around, chain.base?.type === "route" ? reroute : undefined),
    }));
  const nat = NAT[around.hook];
  const translating = chains.filter(({ base }) => base?.type === "nat");
  // All chains of the type "nat" at a hook are run by one that the kernel has there, whatever their own priorities are.
  const [first] = translating;
  if (!nat || !first) return stages;
  const own = orderOf(translating);
  return [
    ...stages,
    { priority: nat.priority, at: placeOf(first), run: (hooking) => runNat(ruleset, own, hooking, around, reroute) },
  ];
}

/** Chains of links are run for these alone. */
function standsAt({ base }: FilterChain, { links }: Surroundings): boolean {
  return base?.links === undefined || links.length === 0 || base.links.some((link) => links.includes(link));
}

/** Chains by priority, those of one priority together. */
function orderOf(chains: readonly FilterChain[]): FilterChain[][] {
  const groups = Map.groupBy(chains, ({ base }) => base?.priority ?? 0);
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

/**
 * Stages of one priority run in an order that no listing tells: of chains that were added later, the kernel asks the last
 * one first. So all orders are tried.
 */
function runAll(stages: readonly Stage[], hooking: Hooking): Hooking {
  const [only] = stages;
  if (!only) return hooking;
  if (stages.length === 1) return only.run(hooking);
  const unknown = (): Hooking => ({
    ...hooking,
    fate: {
      is: "unknown",
      by: only.at,
      why: `${stages.length} chains have the same priority, and what becomes of the packet depends on which of them is asked first`,
    },
  });
  if (stages.length > MOST_EQUAL) {
    const each = stages.map((stage) => stage.run(hooking));
    return each.every((one) => one.fate.is === "passes" && same(one, hooking)) ? hooking : unknown();
  }
  const ends = orders(stages).map((order) =>
    order.reduce((now, stage) => (now.fate.is === "passes" ? stage.run(now) : now), hooking),
  );
  const stuck = ends.find(({ fate }) => fate.is === "unknown");
  if (stuck) return stuck;
  const [first] = ends;
  return first && ends.every((one) => same(one, first)) ? first : unknown();
}

/** Whether the same came of two orders. Which of several chains drops a packet does not matter. */
function same(a: Hooking, b: Hooking): boolean {
  if (a.fate.is !== b.fate.is) return false;
  return (
    a.fate.is === "dropped" || (textOf(a.packet) === textOf(b.packet) && textOf(a.rerouted) === textOf(b.rerouted))
  );
}

function textOf(packet: Hooked | undefined): string {
  return JSON.stringify(packet && { ...packet, touched: [...packet.touched].sort() });
}

function orders<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, i) => orders(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

function runOne(
  ruleset: Ruleset,
  chain: FilterChain,
  before: Hooking,
  around: Surroundings,
  reroute?: Reroute,
): Hooking {
  const { packet, fate, acts } = runChain(ruleset, chain, before.packet, around);
  const after: Hooking = { ...before, packet, fate, acts: [...before.acts, ...acts] };
  if (around.links.length > 0 && chain.base?.links === undefined && !same(after, before)) {
    const why = "of which links it is a chain is not listed";
    return { ...before, fate: { is: "unknown", by: placeOf(chain), why } };
  }
  return reroute && fate.is === "passes" && isOtherWay(before.packet, packet)
    ? lookAgain(after, chain, reroute)
    : after;
}

/** What makes the kernel look for another way behind a chain of the type "route". */
function isOtherWay(a: Hooked, b: Hooked): boolean {
  return a.mark !== b.mark || a.tos !== b.tos || a.from !== b.from || a.to !== b.to;
}

function lookAgain(hooking: Hooking, chain: FilterChain, reroute: Reroute): Hooking {
  const { packet } = hooking;
  if (packet.from === undefined) {
    const why = "the kernel looks for its way anew, by its source, which is not known";
    return { ...hooking, fate: { is: "unknown", by: placeOf(chain), why } };
  }
  if (reroute(packet) === "found") return { ...hooking, rerouted: packet };
  return { ...hooking, rerouted: packet, fate: { is: "dropped", by: placeOf(chain) } };
}

function runNat(
  ruleset: Ruleset,
  groups: readonly FilterChain[][],
  before: Hooking,
  around: Surroundings,
  reroute: Reroute,
): Hooking {
  const part = NAT[around.hook]?.part ?? "source";
  if (before.packet.tracking !== "new" || before.packet.settled[part]) return before;
  let hooking = before;
  for (const group of groups) {
    hooking = runAll(
      group.map((chain) => ({
        priority: 0,
        at: placeOf(chain),
        run: (now) => (now.packet.settled[part] ? now : runOne(ruleset, chain, now, around)),
      })),
      hooking,
    );
    if (hooking.fate.is !== "passes") return hooking;
  }
  const { packet } = hooking;
  const settled: Hooking = { ...hooking, packet: { ...packet, settled: { ...packet.settled, [part]: true } } };
  const [first] = groups[0] ?? [];
  const elsewhere = around.hook === "output" && packet.to !== before.packet.to;
  return elsewhere && first ? lookAgain(settled, first, reroute) : settled;
}
