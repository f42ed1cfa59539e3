// Owns the way from a file to a plan on a real host: look, bind, compose, compare.
import { hasErrors } from "../model/diagnostic.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Config } from "../config/config.ts";
import type { Host } from "../host/host.ts";
import type { Facts } from "../model/facts.ts";
import type { DesiredState, Observed, Snapshot } from "../model/objects.ts";
import { noOwners } from "../model/owners.ts";
import type { OwnerNames, Owners } from "../model/owners.ts";
import type { Signal } from "../model/signals.ts";
import type { Ledger, Plan } from "../model/plan.ts";
import { bindIntent, composeIntent } from "../plan/bind.ts";
import type { Intent } from "../plan/bind.ts";
import { factsOf } from "../plan/facts.ts";
import { followLinks } from "../plan/ledger.ts";
import type { Numbers } from "../plan/numbers.ts";
import { findOverruled, overrulingPaths } from "../plan/overruled.ts";
import { makePlan } from "../plan/plan.ts";
import { noKnownOwners, recallOwners } from "../plan/recall-owners.ts";
import type { KnownOwners } from "../plan/recall-owners.ts";
import { ROLES } from "../roles/index.ts";
import type { AskedFeature, Role } from "../roles/role.ts";
import { noTrace, timed } from "./trace.ts";
import type { Trace } from "./trace.ts";

/** What was remembered when the look began. */
export interface Memory {
  ledger: Ledger;
  numbers: Numbers;
  /** Users and groups as they were known last. */
  known: KnownOwners;
  /** What those that watch have told of late; nothing where nobody does. */
  signals?: readonly Signal[];
}

/** One look at a host, and what the file asks of it. */
export interface Look {
  snapshot: Snapshot;
  facts: Facts;
  ledger: Ledger;
  /** Numbers drawn before. */
  earlier: Numbers;
  /** Users and groups as they were known before, and as they are known now. */
  known: { earlier: KnownOwners; now: KnownOwners };
  /** Control groups that the file names, whether they are there or not. */
  cgroups: readonly string[];
  intent: Intent;
  want: DesiredState;
  plan: Plan;
}

/** Looks at the kernel and plans. `look` is absent when the file and the host do not fit; the diagnostics say why. */
export async function lookAndPlan(
  config: Config,
  host: Host,
  memory: Memory,
  trace: Trace = noTrace,
  roles: readonly Role[] = ROLES,
): Promise<{ look?: Look; diagnostics: Diagnostic[] }> {
  const count = (list: unknown[]): { count: number } => ({ count: list.length });
  const links = await timed(trace, "links listed", () => host.links(), count);
  const [addresses, neighbours, nexthops, routes, rules, tableNames] = await Promise.all([
    host.drivers.address.list(links, { sysctls: [] }),
    timed(trace, "neighbours listed", () => host.drivers.neighbour.list(links, { sysctls: [] }), count),
    timed(trace, "nexthops listed", () => host.drivers.nexthop.list(links, { sysctls: [] }), count),
    timed(trace, "routes listed", () => host.drivers.route.list(links, { sysctls: [] }), count),
    timed(trace, "rules listed", () => host.drivers.rule.list(links, { sysctls: [] }), count),
    host.tableNames(),
  ]);
  const { owners, remember, socketMarks, cgroups, said } = await askOwners(config, roles, host, memory, trace);
  const asks = (what: AskedFeature): boolean =>
    config.sections.some((section) =>
      roles
        .find(({ name }) => name === section.role)
        ?.features?.(section)
        .includes(what),
    );
  const tcPrograms = asks("tcPrograms") ? await host.canSpread() : false;
  const packetFilters = asks("packetFilters") ? await host.packetFilters() : undefined;
  const frameLinks = asks("frameLinks") ? await host.frameLinks() : undefined;
  const nftables = asks("nftables") ? await host.hasNftables() : undefined;
  const observed = [addresses, neighbours, nexthops, routes, rules].flat() as Observed[];
  const ledger = followLinks(memory.ledger, links);
  const facts = factsOf({ links, observed }, ledger, {
    tableNames,
    owners,
    socketMarks,
    tcPrograms,
    ...(packetFilters ? { packetFilters } : {}),
    ...(frameLinks ? { frameLinks } : {}),
    ...(nftables === undefined ? {} : { nftables }),
    signals: [...(memory.signals ?? [])],
  });

  const bound = bindIntent(config, facts, memory.numbers, roles);
  if (!bound.value) return { diagnostics: [...said, ...bound.diagnostics] };
  const composed = composeIntent(bound.value);
  const diagnostics = [...said, ...bound.diagnostics, ...composed.diagnostics];
  if (!composed.value || hasErrors(diagnostics)) return { diagnostics };

  // Which switches matter is known only now.
  const paths = new Set([...Object.keys(ledger.sysctls), ...overrulingPaths(composed.value)]);
  for (const object of composed.value.objects) if (object.kind === "sysctl") paths.add(object.spec.path);
  const concerned = kindsOf(composed.value, ledger);
  const scope = {
    sysctls: [...paths],
    nftTables: concerned.has("nftTable"),
    cgroupPrograms: concerned.has("cgroupProgram"),
    tcPrograms: concerned.has("tcProgram"),
  };
  const [values, tables, programs, spreads] = await Promise.all([
    timed(trace, "sysctls read", () => host.drivers.sysctl.list(links, scope), count),
    timed(trace, "nft tables listed", () => host.drivers.nftTable.list(links, scope), count),
    timed(trace, "programs listed", () => host.drivers.cgroupProgram.list(links, scope), count),
    timed(trace, "programs at links listed", () => host.drivers.tcProgram.list(links, scope), count),
  ]);
  for (const object of [...values, ...tables, ...programs, ...spreads]) observed.push(object);
  const snapshot: Snapshot = { links, observed };
  diagnostics.push(...findOverruled(composed.value, values));
  const plan = makePlan(composed.value, snapshot, ledger);
  trace("planned", { steps: plan.steps.length, blocked: plan.blocked.length, settled: plan.settled.length });
  return {
    look: {
      snapshot,
      facts,
      ledger,
      earlier: memory.numbers,
      known: { earlier: memory.known, now: remember },
      cgroups,
      intent: bound.value,
      want: composed.value,
      plan,
    },
    diagnostics,
  };
}

/** Kinds of which something is asked for, or was made. In one pass over either: there may be a hundred thousand. */
function kindsOf(want: DesiredState, ledger: Ledger): Set<string> {
  const kinds = new Set<string>(want.objects.map(({ kind }) => kind));
  let prefix = " ";
  for (const key in ledger.applied) {
    if (key.startsWith(prefix)) continue;
    prefix = key.slice(0, key.indexOf(" ") + 1);
    kinds.add(prefix.trimEnd());
  }
  return kinds;
}

/** Whom the file names, for the host to look up; undefined where none of its roles cares for anybody. */
export function namesIn(config: Config, roles: readonly Role[]): OwnerNames | undefined {
  const asked = config.sections.flatMap((section) => {
    const names = roles.find(({ name }) => name === section.role)?.names?.(section);
    return names ? [names] : [];
  });
  if (asked.length === 0) return undefined;
  const all = (pick: keyof OwnerNames): string[] => [...new Set(asked.flatMap((names) => names[pick]))];
  return { users: all("users"), groups: all("groups"), cgroups: all("cgroups") };
}

/** Looks up whom the file names, and whether their sockets can be marked; nobody is asked where it names nobody. */
async function askOwners(
  config: Config,
  roles: readonly Role[],
  host: Host,
  memory: Memory,
  trace: Trace,
): Promise<{
  owners: Owners;
  remember: KnownOwners;
  socketMarks: boolean;
  cgroups: readonly string[];
  said: Diagnostic[];
}> {
  const names = namesIn(config, roles);
  if (!names) return { owners: noOwners(), remember: noKnownOwners(), socketMarks: false, cgroups: [], said: [] };
  const [found, socketMarks] = await Promise.all([
    timed(trace, "owners looked up", () => host.owners(names)),
    host.canMarkSockets(),
  ]);
  const { owners, remember, diagnostics } = recallOwners(names, found, memory.known);
  return { owners, remember, socketMarks, cgroups: names.cgroups, said: diagnostics };
}
