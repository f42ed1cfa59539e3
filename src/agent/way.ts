// Owns the question which way a packet of this host's own would take, by a look: enough to tell whether a plan cuts one.
//
// Sources: fib_rules_lookup (net/core/fib_rules.c), fib_table_lookup (net/ipv4/fib_trie.c).
import { addressBits, networkOf, prefixContains } from "../model/ip.ts";
import type { Family } from "../model/ip.ts";
import type { Hop, NumberRange, RouteSpec, RuleSpec } from "../model/kinds.ts";
import type { Snapshot } from "../model/objects.ts";
import { defaultMetric } from "../plan/kinds/route.ts";

/** A packet that a program of root's, or the kernel, sends from here. */
export interface Packet {
  to: string;
  /** Address that the socket is bound to. */
  from?: string;
  /** IP protocol number and ports, for rules that ask. */
  protocol?: number;
  sourcePort?: number;
  destinationPort?: number;
}

/** Where it goes: over one of the hops; "local" needs none. */
export type Way = { type: "local" } | { type: "unicast"; hops: Hop[] };

/** The way of the packet; undefined where there is none, or one that refuses it. */
export function wayOf(snapshot: Snapshot, packet: Packet): Way | undefined {
  const family: Family = packet.to.includes(":") ? 6 : 4;
  const rules = snapshot.observed
    .flatMap(({ kind, spec }) => (kind === "rule" && spec.family === family ? [spec] : []))
    .toSorted((a, b) => a.priority - b.priority);
  let resumeAt = 0;
  for (const rule of rules) {
    if (rule.priority < resumeAt || !matches(rule, packet)) continue;
    if (rule.action === "goto") resumeAt = rule.goto ?? 0;
    if (rule.action === "goto" || rule.action === "nop") continue;
    if (rule.action !== "table") return undefined;
    const route = lookUp(snapshot, family, rule, packet.to);
    if (!route || route.type === "throw") continue;
    if (route.type === "local") return { type: "local" };
    if (route.type !== "unicast") return undefined;
    return { type: "unicast", hops: usableHops(snapshot, route) };
  }
  return undefined;
}

/** The longest prefix that has a route which counts; of several, the one with the lowest metric. */
function lookUp(snapshot: Snapshot, family: Family, rule: RuleSpec, to: string): RouteSpec | undefined {
  const table = tablesOf(snapshot).get(`${family}/${rule.table}`);
  const shortest = (rule.suppressPrefixLength ?? -1) + 1;
  for (let length = table ? addressBits(family) : -1; length >= 0; length--) {
    const routes = table?.get(networkOf(`${to}/${length}`)) ?? [];
    const [best] = routes
      .filter((route) => route.type !== "unicast" || usableHops(snapshot, route).length > 0)
      .toSorted((a, b) => metricOf(a) - metricOf(b));
    // What is suppressed hides nothing longer, and what is shorter is suppressed as well.
    if (best) return length < shortest ? undefined : best;
  }
  return undefined;
}

function metricOf({ metric, family }: RouteSpec): number {
  return metric ?? defaultMetric(family);
}

type Table = Map<string, RouteSpec[]>;

/** Routes by table and prefix: a host may have a hundred thousand. */
function tablesOf(snapshot: Snapshot): ReadonlyMap<string, Table> {
  const known = indexed.get(snapshot);
  if (known) return known;
  const tables = new Map<string, Table>();
  for (const { kind, spec } of snapshot.observed) {
    if (kind !== "route" || spec.tos !== undefined || spec.from !== undefined) continue;
    const name = `${spec.family}/${spec.table}`;
    const table = tables.get(name) ?? new Map<string, RouteSpec[]>();
    tables.set(name, table);
    const same = table.get(spec.to);
    if (same) same.push(spec);
    else table.set(spec.to, [spec]);
  }
  indexed.set(snapshot, tables);
  return tables;
}

const indexed = new WeakMap<Snapshot, ReadonlyMap<string, Table>>();

/** The hops that lead over links that are up; those of a nexthop object where the route has one. */
function usableHops(snapshot: Snapshot, route: RouteSpec): Hop[] {
  const hops = route.nexthop === undefined ? route.hops : hopsOfNexthop(snapshot, route.nexthop);
  const up = new Set(snapshot.links.filter((link) => link.up).map(({ name }) => name));
  return hops.filter(({ link }) => link !== undefined && up.has(link));
}

function hopsOfNexthop(snapshot: Snapshot, id: number, depth = 0): Hop[] {
  const found = snapshot.observed.find(({ kind, spec }) => kind === "nexthop" && spec.id === id);
  if (found?.kind !== "nexthop" || found.spec.blackhole || depth > 1) return [];
  const { members, link, via } = found.spec;
  if (members) return members.flatMap((member) => hopsOfNexthop(snapshot, member.id, depth + 1));
  return link === undefined ? [] : [{ link, ...(via === undefined ? {} : { via }) }];
}

function matches(rule: RuleSpec, packet: Packet): boolean {
  const asked =
    (rule.from === undefined || (packet.from !== undefined && prefixContains(rule.from, packet.from))) &&
    (rule.to === undefined || prefixContains(rule.to, packet.to)) &&
    (rule.iif === undefined || rule.iif === "lo") &&
    rule.oif === undefined &&
    (rule.mark ?? 0) === 0 &&
    (rule.tos ?? 0) === 0 &&
    (rule.dscp ?? 0) === 0 &&
    rule.tunnelId === undefined &&
    !rule.l3mdev &&
    holds(rule.uids, 0) &&
    (rule.ipProtocol === undefined || rule.ipProtocol === packet.protocol) &&
    holds(rule.sourcePorts, packet.sourcePort) &&
    holds(rule.destinationPorts, packet.destinationPort);
  return rule.not ? !asked : asked;
}

function holds(range: NumberRange | undefined, number: number | undefined): boolean {
  return range === undefined || (number !== undefined && range.first <= number && number <= range.last);
}
