// Owns the question whether an object of somebody else may become heddle's, and what is said where it may not.
//
// Only an object that is equal in everything but its protocol is ever taken over, and only where the file asks for it.
import { isMadeByItself, KERNEL_PROTOCOL, protocolName } from "../model/protocol.ts";
import { TABLE } from "../model/kinds.ts";
import type { Key, RouteSpec, RuleSpec } from "../model/kinds.ts";
import type { Desired, DesiredState, Observed, Snapshot } from "../model/objects.ts";
import type { Ledger } from "../model/plan.ts";
import { rulesOf } from "./kinds/index.ts";
import { deletionHits } from "./kinds/rule.ts";
import { isOurs } from "./ownership.ts";

/** Foreign rules that a plan may take over, and why others may not be, by the key of the desired rule. */
export interface RuleAdoptions {
  theirs: Map<Key, Observed<"rule">[]>;
  refused: Map<Key, string>;
}

/** Why an equal object is never taken over though the file asks for it; undefined where it may be. */
export function reasonNotToAdopt(spec: RouteSpec | RuleSpec, have: Snapshot): string | undefined {
  if (!isMadeByItself(spec.protocol) || isKernelInNameOnly(spec, have)) return undefined;
  return `it is made by itself (${protocolName(spec.protocol)}) and would be made again, so heddle never takes it over`;
}

/**
 * Whether a route says "proto kernel" though a person wrote it. The kernel fills main, local and the tables of VRFs; the
 * first VRF of a host brings an l3mdev rule with it (net/ipv4/devinet.c, fib_magic; drivers/net/vrf.c).
 */
function isKernelInNameOnly(spec: RouteSpec | RuleSpec, have: Snapshot): boolean {
  if (spec.protocol !== KERNEL_PROTOCOL || !("to" in spec && "hops" in spec)) return false;
  if (spec.table === TABLE.main || spec.table === TABLE.local) return false;
  return !have.observed.some((object) => object.kind === "rule" && object.spec.l3mdev);
}

/**
 * Why the first of the routes under one key cannot become the desired one; undefined where it can. A replacement hits the
 * first of them (fib_table_insert, fib6_add_rt2node), so it is the only one that can be taken over by itself.
 */
export function reasonNotToAdoptRoute(
  desired: Desired,
  present: readonly Observed[],
  have: Snapshot,
): string | undefined {
  const [first] = present;
  const equal = present.find((observed) => isEqualTo(observed, desired));
  if (!equal || equal.kind !== "route") return first ? sayDifference(first, desired) : undefined;
  if (equal !== first) return "an equal one stands behind it, and the kernel would replace the first of them";
  return reasonNotToAdopt(equal.spec, have) ?? (desired.adopt ? undefined : "equal: `adopt: true` would take it over");
}

/** Decides about all rules at once: who may be taken over depends on its neighbours. */
export function findRuleAdoptions(want: DesiredState, have: Snapshot, ledger: Ledger): RuleAdoptions {
  const asked = new Map<string, Desired>();
  for (const desired of want.objects) {
    if (desired.kind === "rule" && desired.adopt) asked.set(rulesOf("rule").compare(desired.spec), desired);
  }
  const found: RuleAdoptions = { theirs: new Map(), refused: new Map() };
  if (asked.size === 0) return found;
  const rules = have.observed.filter((object) => object.kind === "rule");
  for (const group of Map.groupBy(rules, ({ spec }) => `${spec.family} ${spec.priority}`).values()) {
    decideGroup(group, asked, found, have, ledger);
  }
  return found;
}

/**
 * Rules of one priority, in the kernel's order. One that is taken over moves to their end, so all foreign ones behind it
 * must move as well: otherwise the order would change, and with it the first that matches.
 */
function decideGroup(
  group: readonly Observed<"rule">[],
  asked: ReadonlyMap<string, Desired>,
  found: RuleAdoptions,
  have: Snapshot,
  ledger: Ledger,
): void {
  const texts = group.map(({ spec }) => rulesOf("rule").compare(spec));
  const taken = new Set<Observed<"rule">>();
  // Those behind that stay another's. Being overtaken by an equal one changes nothing.
  const staying = new Set<string>();
  const staysBefore = (i: number): boolean =>
    group.some(
      (other, n) => n < i && texts[n] === texts[i] && (isOurs(other, ledger) || reasonNotToAdopt(other.spec, have)),
    );
  for (const [i, rule] of [...group.entries()].toReversed()) {
    if (isOurs(rule, ledger)) continue;
    const text = texts[i] as string;
    const desired = asked.get(text);
    const reason =
      (desired && reasonNotToAdopt(rule.spec, have)) ??
      // A deletion without a protocol hits the first equal rule, whosever it is (rule_find, net/core/fib_rules.c).
      (rule.spec.protocol === 0 && staysBefore(i) ? "an equal rule stands before it" : undefined) ??
      ([...staying].some((other) => other !== text)
        ? "a foreign rule of the same priority stands behind it and would overtake it"
        : undefined);
    if (desired && reason === undefined) {
      found.theirs.set(desired.key, [rule, ...(found.theirs.get(desired.key) ?? [])]);
      taken.add(rule);
      continue;
    }
    staying.add(text);
    if (desired && reason !== undefined) found.refused.set(desired.key, reason);
  }
  refuseUnsafe(group, taken, found);
}

/**
 * Takes nothing over in a group where deleting somebody's rule would first hit one that is to stay, because it states
 * fewer conditions and stands behind.
 */
function refuseUnsafe(
  group: readonly Observed<"rule">[],
  taken: ReadonlySet<Observed<"rule">>,
  found: RuleAdoptions,
): void {
  const isUnsafe = group.some(
    (rule, i) =>
      taken.has(rule) && group.some((other, n) => n < i && !taken.has(other) && deletionHits(rule.spec, other.spec)),
  );
  if (!isUnsafe) return;
  for (const [key, rules] of found.theirs) {
    if (!rules.some((rule) => taken.has(rule))) continue;
    found.theirs.delete(key);
    found.refused.set(key, "a rule of the same priority stands before it that the kernel would delete in its place");
  }
}

/** "differs in: its way, mtu": the fields by the words of the file. */
function sayDifference(observed: Observed, desired: Desired): string | undefined {
  if (observed.kind !== "route" || desired.kind !== "route") return undefined;
  const [theirs, ours] = [observed.spec, desired.spec];
  const found: string[] = theirs.unmanaged ? [...theirs.unmanaged] : [];
  if (JSON.stringify(theirs.hops) !== JSON.stringify(ours.hops)) found.push("its way");
  for (const field of ["type", "source", "scope", "preference", "nexthop"] as const) {
    if (theirs[field] !== ours[field]) found.push(field);
  }
  const names = new Set([...Object.keys(theirs.metrics ?? {}), ...Object.keys(ours.metrics ?? {})]);
  for (const name of names as Set<keyof NonNullable<RouteSpec["metrics"]>>) {
    if (JSON.stringify(theirs.metrics?.[name]) !== JSON.stringify(ours.metrics?.[name])) found.push(name);
  }
  return found.length === 0 ? undefined : `it differs in: ${found.join(", ")}`;
}

function isEqualTo(observed: Observed, desired: Desired): boolean {
  return (
    observed.kind === "route" &&
    desired.kind === "route" &&
    rulesOf("route").compare(observed.spec) === rulesOf("route").compare(desired.spec)
  );
}
