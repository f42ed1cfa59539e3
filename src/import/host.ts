// Owns the import of a host: what stands in the kernel and is nobody's, as entries that adopt it.
import { familyOf, networkOf } from "../model/ip.ts";
import { HEDDLE_PROTOCOL, TABLE } from "../model/kinds.ts";
import type { RouteSpec, RuleSpec } from "../model/kinds.ts";
import type { Desired, Observed, Snapshot } from "../model/objects.ts";
import { emptyLedger } from "../model/plan.ts";
import { isOfDaemon, isWritten, KERNEL_PROTOCOL, protocolName } from "../model/protocol.ts";
import { findRuleAdoptions, reasonNotToAdopt } from "../plan/adopt.ts";
import { describeObject, rulesOf } from "../plan/kinds/index.ts";
import type { Draft, Finding } from "./draft.ts";
import { nameTables, routeEntry, ruleEntry } from "./entries.ts";
import { proposeMultihome } from "./multihome.ts";

/** The draft for one look at a host. `tableNames` are those of rt_tables. */
export function draftFromHost(have: Snapshot, tableNames: Readonly<Record<string, number>>): Draft {
  const findings: Finding[] = [];
  const rules = chooseRules(have, findings);
  const routes = chooseRoutes(have, findings);
  const tables = nameTables([...rules, ...routes], tableNames);
  const draft: Draft = {
    from: "this host",
    tables,
    rules: rules.map((spec) => ruleEntry(spec, tables)),
    routes: routes.map((spec) => routeEntry(spec, tables)),
    findings,
    proposals: [],
  };
  return { ...draft, proposals: proposeMultihome(draft) };
}

/** The rules to adopt, in the kernel's order: those that a plan would take over if the file named all of them. */
function chooseRules(have: Snapshot, findings: Finding[]): RuleSpec[] {
  const candidates = new Map<string, Desired<"rule">>();
  for (const { spec } of have.observed.filter(isRule)) {
    if (spec.protocol === HEDDLE_PROTOCOL || isDefaultRule(spec)) continue;
    const reason = whyNotRule(spec);
    if (reason === undefined) candidates.set(rulesOf("rule").compare(spec), wishFor(spec));
    else findings.push(leftOut({ kind: "rule", spec }, reason));
  }
  const { theirs, refused } = findRuleAdoptions({ objects: [...candidates.values()] }, have, emptyLedger());
  return [...candidates.values()].flatMap(({ key, spec }) => {
    if (theirs.has(key)) return [spec];
    findings.push(leftOut({ kind: "rule", spec }, refused.get(key) ?? "it is heddle's already"));
    return [];
  });
}

function wishFor(spec: RuleSpec): Desired<"rule"> {
  const ours = { ...spec, protocol: HEDDLE_PROTOCOL };
  return {
    kind: "rule",
    spec: ours,
    key: rulesOf("rule").identify(ours),
    needs: [],
    owners: [],
    from: [],
    adopt: true,
  };
}

function isRule(object: Observed): object is Observed<"rule"> {
  return object.kind === "rule";
}

/** The rules that every host has, whoever made them last. */
function isDefaultRule(spec: RuleSpec): boolean {
  const text = rulesOf("rule").compare(spec);
  const defaults = { [TABLE.local]: 0, [TABLE.main]: 32766, [TABLE.default]: 32767 };
  return Object.entries(defaults).some(
    ([table, priority]) =>
      text ===
      rulesOf("rule").compare({ family: spec.family, priority, action: "table", table: Number(table), protocol: 0 }),
  );
}

function whyNotRule(spec: RuleSpec): string | undefined {
  const beyond = [...(spec.unmanaged ?? []), ...(spec.l3mdev ? ["l3mdev"] : []), ...(spec.tunnelId ? ["tun_id"] : [])];
  if (beyond.length > 0) return `the file has no word for ${beyond.join(", ")}`;
  if (spec.action === "table" && spec.table === undefined) return "it names no table";
  // A rule keeps these bits, though they match nothing else; the file has no such prefix.
  const wide = [spec.from, spec.to].find((prefix) => prefix !== undefined && networkOf(prefix) !== prefix);
  return wide === undefined ? undefined : `${wide} has bits set behind its length`;
}

/** The routes to adopt, in the kernel's order: of several under one key the first, which alone can be taken over. */
function chooseRoutes(have: Snapshot, findings: Finding[]): RouteSpec[] {
  const seen = new Set<string>();
  return have.observed.flatMap((object): RouteSpec[] => {
    if (object.kind !== "route") return [];
    const { spec, key } = object;
    const behind = seen.has(key);
    seen.add(key);
    if (isQuietlyNotMeant(spec)) return [];
    const keeper = whoKeeps(spec, have);
    const reason = keeper ?? whyNotRoute(spec) ?? (behind ? "another route to the same stands before it" : undefined);
    if (reason === undefined) return [spec];
    findings.push(leftOut(object, reason, keeper === undefined ? "warning" : "note"));
    return [];
  });
}

/** What nobody expects in the file: heddle's own, the kernel's tables, what the kernel and its clients put into main. */
function isQuietlyNotMeant(spec: RouteSpec): boolean {
  const { table, protocol } = spec;
  return (
    protocol === HEDDLE_PROTOCOL || table === TABLE.local || (table === TABLE.main && protocol === KERNEL_PROTOCOL)
  );
}

/** Whoever makes the route and goes on doing so: nothing is lost when it is not in the file. */
function whoKeeps(spec: RouteSpec, have: Snapshot): string | undefined {
  const made = reasonNotToAdopt(spec, have);
  if (made !== undefined) return made;
  if (isOfDaemon(spec.protocol)) return `${protocolName(spec.protocol)} keeps it`;
  if (spec.table === TABLE.main && !isWritten(spec.protocol)) return `${protocolName(spec.protocol)} is nobody's hand`;
  return undefined;
}

function whyNotRoute(spec: RouteSpec): string | undefined {
  if (spec.unmanaged) return `the file has no word for ${spec.unmanaged.join(", ")}`;
  const strange = spec.hops.find(({ via }) => via !== undefined && spec.family === 6 && familyOf(via) === 4);
  return strange ? "the file has no IPv6 route by an IPv4 gateway" : undefined;
}

function leftOut(
  object: { kind: "route"; spec: RouteSpec } | { kind: "rule"; spec: RuleSpec },
  reason: string,
  severity: Finding["severity"] = "warning",
): Finding {
  return { severity, code: "left-out", summary: `left out: ${describeObject(object)} (${reason})` };
}
