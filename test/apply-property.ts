// Owns the promises of plan and apply, as properties that hold on the model and on the real kernel: a second plan is
// empty, what is not ours stays as it was, a failed apply changes nothing, and `remove` leaves no trace.
import * as fc from "fast-check";
import { expect } from "vitest";
import { stringify } from "yaml";
import { applyPlan } from "../src/agent/apply.ts";
import { lookAndPlan } from "../src/agent/look.ts";
import { parseConfig } from "../src/config/config.ts";
import type { Config } from "../src/config/config.ts";
import type { Host } from "../src/host/host.ts";
import { parsePrefix } from "../src/model/ip.ts";
import { HEDDLE_PROTOCOL } from "../src/model/kinds.ts";
import type { NeighbourSpec, NexthopSpec, RouteSpec, RuleSpec } from "../src/model/kinds.ts";
import type { Observed } from "../src/model/objects.ts";
import { emptyLedger } from "../src/model/plan.ts";
import type { Step } from "../src/model/plan.ts";
import { describeObject } from "../src/plan/kinds/index.ts";
import { textOf } from "../src/plan/plan.ts";
import { ROLES } from "../src/roles/index.ts";
import { create, listed, perform, until } from "./contract-steps.ts";
import { MemoryStore } from "./memory-store.ts";
import type { Stage } from "./contract-steps.ts";

const LINKS = { ib0: "172.16.34.1", ib1: "172.16.34.2", eth0: "10.0.0.5" } as const;

/** Small worlds collide often: a handful of prefixes, tables, metrics and priorities for everybody. */
const link = fc.constantFrom("ib0", "ib1", "eth0");
const to = fc.constantFrom("10.1.0.0/16", "10.2.0.0/16", "172.16.0.0/16", "172.16.9.0/24");
const table = fc.constantFrom(254, 77, 7000, 7001);
const metric = fc.constantFrom(0, 5);
const priority = fc.constantFrom(100, 7000, 7001);
const source = fc.constantFrom("172.16.34.1", "172.16.34.2", "10.0.0.5", "10.1.0.0/16");

const staticRoute = fc.oneof(
  fc.record({ to, link, table, metric }),
  fc.record({ to, table, metric, type: fc.constantFrom("blackhole", "unreachable") }),
  fc.record({ to, table, metric, via: fc.constantFrom("172.16.0.1", "10.0.0.1", "172.16.34.77") }),
  fc.record({ to: fc.constant("fd09::/32"), link: fc.constantFrom("ib0", "ib1"), table, metric }),
  // By an address that the file puts there, now with this length and now with that.
  fc.record({
    to: fc.constant("fd09::/32"),
    link: fc.constantFrom("ib0", "ib1"),
    table,
    source: fc.constant("fd40::1"),
  }),
  // Sometimes an address that nobody has, which the kernel refuses: the whole apply must be taken back.
  fc.record({ to, link, table, source: fc.constantFrom("172.16.34.1", "172.16.34.2", "10.0.0.5") }),
);
const staticRule = fc.oneof(
  fc.record({ from: source, table }),
  fc.record({ from: source, table, priority }),
  // A general one and specific ones under one priority: what a deletion does not state is no condition to the kernel.
  fc.record({ table, priority, family: fc.constant("ipv4") }),
  fc.record({ from: source, table, priority, mark: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ to, action: fc.constantFrom("prohibit", "nop"), priority }),
  fc.record({ mark: fc.integer({ min: 1, max: 3 }), mask: fc.constant(0xff), table, family: fc.constant("both") }),
);

/** Addresses that the file puts on links: new subnets, places in old ones, and one that is there already. */
const managed = fc.constantFrom(
  "10.40.0.1/24",
  "10.40.0.2/24",
  "172.16.34.1/16",
  "172.16.40.1/16",
  "fd40::1/64",
  "fd40::2/64",
  "fd40::1/128",
);
const member = fc.constantFrom("a", "b", "six");
const nexthops = fc.record(
  {
    a: fc.record({ via: fc.constantFrom("172.16.0.1", "172.16.0.9"), link: fc.constantFrom("ib0", "ib1") }),
    b: fc.constantFrom({ via: "10.0.0.1" }, { blackhole: true, family: "ipv4" }, { via: "10.40.0.9", link: "ib1" }),
    six: fc.constantFrom({ via: "fe80::9", link: "ib1" }, { link: "ib0", family: "ipv6" }),
    // The name is at times a group, at times a single one, of one type or another.
    g: fc.oneof(
      fc.record(
        {
          group: fc.dictionary(member, fc.constantFrom(1, 2, 256), { minKeys: 1, maxKeys: 3 }),
          resilient: fc.record({ buckets: fc.constantFrom(8, 16), idle: fc.constantFrom(1, 60) }),
        },
        { requiredKeys: ["group"] },
      ),
      fc.constant({ via: "172.16.0.1", link: "ib0" }),
    ),
  },
  { requiredKeys: ["a", "six"] },
);
const routeByNexthop = fc.record({ to, table, metric, nexthop: fc.constantFrom("a", "b", "g", 12, 7000) });
const neighbours = fc.array(
  fc.oneof(
    fc.record({
      address: fc.constantFrom("172.16.0.5", "172.16.0.6", "fd00:16::5"),
      link: fc.constantFrom("ib0", "ib1"),
      lladdr: fc.constantFrom("02:00:00:00:00:01", "02:00:00:00:00:02"),
      state: fc.constantFrom("permanent", "noarp"),
    }),
    fc.record({ address: fc.constantFrom("172.16.0.5", "fd00:16::5"), link, proxy: fc.constant(true) }),
  ),
  { maxLength: 3 },
);

const config = fc
  .record({
    links: fc.dictionary(
      fc.constantFrom("ib0", "ib1"),
      fc.record({
        addresses: fc.uniqueArray(managed, { minLength: 1, maxLength: 3, selector: (one) => one.split("/")[0] }),
      }),
      { maxKeys: 2 },
    ),
    nexthops: fc.option(nexthops),
    neighbours,
    multihome: fc.option(
      fc.record({
        links: fc.constantFrom(["ib0", "ib1"], ["ib1", "ib0"], "ib*", [{ subnet: "172.16.0.0/16" }]),
        unbound: fc.constantFrom("ib0", "ib1", "any"),
        rp_filter: fc.constantFrom("loose", "strict", "keep"),
        arp: fc.constantFrom("own", "keep"),
      }),
    ),
    routes: fc.array(fc.oneof({ weight: 3, arbitrary: staticRoute }, { weight: 1, arbitrary: routeByNexthop }), {
      maxLength: 6,
    }),
    rules: fc.array(staticRule, { maxLength: 6 }),
    adopt: fc.boolean(),
  })
  .map(({ links, nexthops, neighbours, multihome, routes, rules, adopt }) => {
    const named = new Set<unknown>(Object.keys(nexthops ?? {}));
    // Names that are nobody's are refused with the file, which the role's cases show.
    const known = routes.filter(
      (route) => !("nexthop" in route && typeof route.nexthop === "string") || named.has(route.nexthop),
    );
    const objects = nexthops ? { nexthops: withKnownMembers(nexthops) } : {};
    const section = { ...objects, neighbours, routes: known, rules, adopt };
    return stringify({
      version: 1,
      links,
      ...(multihome ? { multihome: { ib: multihome } } : {}),
      static: { s: section },
    });
  });

/** Without members that are not there or cannot be in a group; a group of nobody becomes a group of "a". */
function withKnownMembers(nexthops: Record<string, object | undefined>): Record<string, object | undefined> {
  const { g } = nexthops;
  if (!g || !("group" in g)) return nexthops;
  const { b } = nexthops;
  const members = Object.entries(g.group as Record<string, number>);
  const kept = members.filter(([name]) => name !== "b" || (b !== undefined && !("blackhole" in b)));
  return { ...nexthops, g: { ...g, group: kept.length > 0 ? Object.fromEntries(kept) : { a: 1 } } };
}

const foreignRoute = fc
  .record({ to, link, table, metric, protocol: fc.constantFrom(3, 4, 186) })
  .map(({ to, link, table, metric, protocol }): RouteSpec => ({
    family: 4,
    to,
    table,
    type: "unicast",
    hops: [{ link }],
    protocol,
    ...(metric ? { metric } : {}),
  }));
const foreignRule = fc
  .record({ from: source, table, priority, protocol: fc.constantFrom(3, 4) })
  .map((rule): RuleSpec => {
    const from = rule.from.includes("/") ? rule.from : `${rule.from}/32`;
    return { family: 4, action: "table", ...rule, from };
  });

const foreignNexthop = fc
  .record({
    id: fc.constantFrom(12, 7000, 7001, 7003),
    link: fc.constantFrom("ib0", "ib1"),
    protocol: fc.constantFrom(3, 4),
  })
  .map((spec): NexthopSpec => ({ family: 4, via: "172.16.0.1", ...spec }));
const foreignNeighbour = fc
  .record({ link: fc.constantFrom("ib0", "ib1"), proxy: fc.boolean(), protocol: fc.constantFrom(0, 4) })
  .map(({ proxy, ...spec }): NeighbourSpec => {
    const entry = proxy ? { proxy } : { hardwareAddress: "02:00:00:00:00:09", state: "permanent" as const };
    return { family: 4, address: "172.16.0.5", ...spec, ...entry };
  });
/** Not the managed one of the same subnet before it: that would be the first of its subnet, and go with the test's end. */
const foreignAddress = fc.constantFrom("10.40.0.1/24", "10.40.0.7/24", "fd40::1/64", "fd40::2/128");

interface World {
  nexthops: NexthopSpec[];
  neighbours: NeighbourSpec[];
  addresses: string[];
  configs: string[];
  routes: RouteSpec[];
  rules: RuleSpec[];
  flap: "ib0" | "ib1" | undefined;
  /** What the flap is: of the link, or of its carrier alone. */
  how: "admin" | "carrier";
}

const world: fc.Arbitrary<World> = fc.record({
  nexthops: fc.array(foreignNexthop, { maxLength: 2 }),
  neighbours: fc.array(foreignNeighbour, { maxLength: 2 }),
  addresses: fc.uniqueArray(foreignAddress, { maxLength: 2, selector: (one) => one.split("/")[0] }),
  configs: fc.array(config, { minLength: 1, maxLength: 3 }),
  routes: fc.array(foreignRoute, { maxLength: 4 }),
  rules: fc.array(foreignRule, { maxLength: 4 }),
  flap: fc.constantFrom("ib0", "ib1", undefined),
  how: fc.constantFrom("admin", "carrier"),
});

/**
 * Others' address goes with its link, and a route that leads out by another link goes on speaking of it. The file that
 * then fails puts the address there, and takes it back.
 */
const STALE_SOURCE: World = {
  nexthops: [],
  neighbours: [],
  addresses: ["fd40::1/64"],
  configs: [
    { static: { s: { routes: [{ to: "fd09::/32", link: "ib1", table: 254, source: "fd40::1" }] } } },
    {
      links: { ib0: { addresses: ["fd40::1/128"] } },
      static: { s: { nexthops: { b: { via: "10.40.0.9", link: "ib1" } } } },
    },
  ].map((sections) => stringify({ version: 1, ...sections })),
  routes: [],
  rules: [],
  flap: "ib0",
  how: "admin",
};

/** Everything on the host: ours and others' apart, as sorted text. */
async function inventory(host: Host): Promise<{ ours: string[]; foreign: string[] }> {
  const links = await host.links();
  const scope = {
    sysctls: Object.keys(LINKS).flatMap((name) =>
      ["arp_ignore", "arp_announce", "rp_filter"].map((key) => `net/ipv4/conf/${name}/${key}`),
    ),
  };
  const [addresses, neighbours, nexthops, routes, rules, sysctls] = await Promise.all([
    host.drivers.address.list(links, scope),
    host.drivers.neighbour.list(links, scope),
    host.drivers.nexthop.list(links, scope),
    host.drivers.route.list(links, scope),
    host.drivers.rule.list(links, scope),
    host.drivers.sysctl.list(links, scope),
  ]);
  const isOurs = ({ spec }: { spec: { protocol?: number } }): boolean => spec.protocol === HEDDLE_PROTOCOL;
  // The kernel makes and drops its link-local and multicast routes some time after a link goes up or down.
  // With an address that heddle manages come and go the routes that the kernel makes for it.
  const settled = routes.filter(
    ({ spec }) =>
      !/^(fe80|ff00):/.test(spec.to) &&
      !(spec.protocol === 2 && /^(10\.40\.|172\.16\.(34|40)\.1\/|fd40:)/.test(spec.to)),
  );
  const global = addresses.filter(({ spec }) => spec.scope === "global").map(withoutPlace);
  const protocolled = [...global, ...neighbours, ...nexthops, ...settled, ...rules];
  return {
    ours: protocolled
      .filter(isOurs)
      .map((one) => JSON.stringify(one))
      .concat(sysctls.map(describeObject)),
    // In the kernel's order: who comes first among equals matters.
    foreign: protocolled.filter((one) => !isOurs(one)).map((one) => JSON.stringify(one)),
  };
}

/** Which address leads a subnet is the kernel's doing when the one before it goes. */
function withoutPlace({ kind, key, spec }: Observed<"address">): Observed<"address"> {
  const { secondary: _secondary, ...rest } = spec;
  return { kind, key, spec: rest };
}

/** Routes that speak of an address which the host does not have: it went with its link, out by which they do not lead. */
function withStaleSource(observed: readonly Observed[]): Observed<"route">[] {
  const present = new Set(
    observed.flatMap((one) => (one.kind === "address" ? [parsePrefix(one.spec.address)?.address] : [])),
  );
  return observed.flatMap((one) =>
    one.kind === "route" && one.spec.source !== undefined && !present.has(one.spec.source) ? [one] : [],
  );
}

function withoutSource(route: Observed<"route">): Observed<"route"> {
  const { source: _source, ...spec } = route.spec;
  return { ...route, spec };
}

const keyOf = (step: Step): string => (step.action === "delete" ? step.before.key : step.after.key);

async function applyAndCheck(host: Host, store: MemoryStore, wanted: Config): Promise<void> {
  const before = await inventory(host);
  const memory = structuredClone(store.memory.ledger);
  const first = await lookAndPlan(wanted, host, store.memory);
  // A file that contradicts itself is refused before anything is done.
  if (!first.look) return;
  const applied = await applyPlan(first.look, host, store);
  const after = await inventory(host);
  if (applied.failed.length > 0) {
    expect(after.foreign, "a failed apply changes nothing of others").toEqual(before.foreign);
    // What cannot come back is said: a source that was no address of the host any more before the apply.
    const lost = withStaleSource(first.look.snapshot.observed).filter((one) =>
      applied.notUndone.includes(describeObject(one)),
    );
    expect(applied.notUndone.toSorted()).toEqual(lost.map(describeObject).toSorted());
    const bare = new Map(lost.map((one) => [JSON.stringify(one), JSON.stringify(withoutSource(one))]));
    const kept = before.ours.map((one) => bare.get(one) ?? one);
    expect(after.ours.toSorted(), "a failed apply changes nothing").toEqual(kept.toSorted());
    expect(store.memory.ledger.sysctls, "and remembers what was remembered").toEqual(memory.sysctls);
    return;
  }
  const adopted = first.look.plan.steps.filter((step) => step.action === "adopt");
  for (const step of adopted) {
    expect(textOf(step.after), "what is taken over is equal").toBe(textOf(step.before));
    expect(first.look.want.objects.find(({ key }) => key === step.after.key)?.adopt, "and was asked for").toBe(true);
  }
  const taken = adopted.map(({ before }) => JSON.stringify(before));
  expect(after.foreign, "what is not ours stays as it was").toEqual(
    before.foreign.filter((one) => !taken.includes(one)),
  );
  // An IPv6 address may be usable at once, without a probe, and then what waited for it need not.
  const waited = new Set(first.look.plan.blocked.map(({ desired }) => desired.key));
  const second = await lookAndPlan(wanted, host, store.memory);
  expect(
    second.look?.plan.steps.filter((step) => !waited.has(keyOf(step))).map((step) => JSON.stringify(step)),
    "the second plan is empty, but for what waited",
  ).toEqual([]);
}

/** Runs the property: `open` makes a fresh host for each world. */
export async function checkApplyProperty(open: () => Promise<Stage>, runs: number): Promise<void> {
  const property = fc.asyncProperty(world, async ({ configs, flap, how, ...others }) => {
    await using stage = await open();
    const { host } = stage;
    for (const [name, address] of Object.entries(LINKS)) {
      stage.addLink(name, name === "eth0" ? [`${address}/24`] : [`${address}/16`, `fd00:16::${name.at(-1)}1/64`]);
    }
    for (const address of others.addresses) stage.addAddress("ib0", address);
    // Others' objects that collide with each other are refused by the kernel, which is as well.
    await perform(host, "neighbour", ...others.neighbours.map((spec) => create("neighbour", spec)));
    await perform(host, "nexthop", ...others.nexthops.map((spec) => create("nexthop", spec)));
    await perform(host, "route", ...others.routes.map((spec) => create("route", spec)));
    await perform(host, "rule", ...others.rules.map((spec) => create("rule", spec)));
    const store = new MemoryStore();
    const untouched = await inventory(host);

    for (const [i, text] of configs.entries()) {
      const parsed = parseConfig(text, "heddle.yaml", ROLES).value;
      expect(parsed, text).toBeDefined();
      await applyAndCheck(host, store, parsed as Config);
      if (i === 0 && flap !== undefined) {
        const set = how === "admin" ? stage.setUp : stage.setCarrier;
        // The kernel takes away what hangs on the carrier when it tells everybody, which is some time later.
        const marker: NexthopSpec = { id: 9999, family: 4, link: flap, protocol: 4 };
        expect(await perform(host, "nexthop", create("nexthop", marker))).toEqual([undefined]);
        set(flap, false);
        await until(async () => !(await listed(host, "nexthop")).some(({ id }) => id === marker.id));
        await applyAndCheck(host, store, parsed as Config);
        set(flap, true);
        await applyAndCheck(host, store, parsed as Config);
      }
    }
    await applyAndCheck(host, store, { file: "", ranges: {}, sections: [] });
    const left = await inventory(host);
    expect(left.ours.toSorted(), "remove leaves no trace").toEqual(untouched.ours.toSorted());
    // What was taken over is heddle's, and goes with what is heddle's.
    const stayed = untouched.foreign.filter((one) => left.foreign.includes(one));
    if (flap === undefined) expect(left.foreign, "nothing is added").toEqual(stayed);
    const asked = configs.some((text) => text.includes("adopt: true"));
    if (flap === undefined && !asked) expect(left.foreign).toEqual(untouched.foreign);
    expect(store.memory.ledger).toEqual(emptyLedger());
  });
  // One seed that is always the same, and one that never is; fast-check prints the replay line of a failure.
  await fc.assert(property, { seed: 20231124, numRuns: runs, examples: [[STALE_SOURCE]] });
  await fc.assert(property, { numRuns: runs });
}
