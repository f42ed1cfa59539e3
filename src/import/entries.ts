// Owns the translation of kernel objects into entries of the file, so that the role `static` gives the same objects back.
import { defaultPrefix, shortPrefix } from "../model/ip.ts";
import { TABLE } from "../model/kinds.ts";
import type { Hop, RouteSpec, RuleSpec } from "../model/kinds.ts";
import { IP_PROTOCOLS } from "../model/ip-protocols.ts";
import { rangeText } from "./draft.ts";
import type { HopEntry, RouteEntry, RuleEntry } from "./draft.ts";

/** Names that the file can give to a table (roles/fields.ts, name). */
const TABLE_NAME = /^[a-zA-Z][a-zA-Z0-9_.-]{0,30}$/;

/** Whether the file can call a table that. */
export function isTableName(name: string): boolean {
  return TABLE_NAME.test(name) && !(name in TABLE) && name !== "__proto__" && name !== "constructor";
}

/** The names of the tables that objects name, as far as there are any; the first of several for one table. */
export function nameTables(
  specs: readonly { table?: number }[],
  tableNames: Readonly<Record<string, number>>,
): Record<string, number> {
  const used = new Set(specs.map(({ table }) => table));
  const named = new Set<number>();
  const tables: Record<string, number> = {};
  for (const [name, id] of Object.entries(tableNames)) {
    if (!used.has(id) || named.has(id) || !isTableName(name)) continue;
    named.add(id);
    tables[name] = id;
  }
  return tables;
}

function tableWord(id: number, tables: Readonly<Record<string, number>>): number | string {
  const known = Object.entries({ ...TABLE, ...tables }).find(([, number]) => number === id);
  return known ? known[0] : id;
}

/** The entry for a route. */
export function routeEntry(spec: RouteSpec, tables: Readonly<Record<string, number>>): RouteEntry {
  const { family, to, hops, source, from, metric, tos, scope, nexthop, metrics, preference, type } = spec;
  const [only] = hops;
  const entry: RouteEntry = { to: to === defaultPrefix(family) ? "default" : to };
  if (type !== "unicast") entry.type = type;
  if (hops.length === 1 && only && (only.weight ?? 1) === 1) Object.assign(entry, hopEntry(only));
  else if (hops.length > 0) entry.hops = hops.map(hopEntry);
  if (nexthop !== undefined) entry.nexthop = nexthop;
  if (spec.table !== TABLE.main) entry.table = tableWord(spec.table, tables);
  if (source !== undefined) entry.source = source;
  if (from !== undefined) entry.from = from;
  if (metric !== undefined) entry.metric = metric;
  if (tos !== undefined) entry.tos = tos;
  if (scope !== undefined) entry.scope = scope;
  if (preference !== undefined) entry.preference = preference;
  if (metrics !== undefined) entry.metrics = { ...metrics };
  const told = entry.to !== "default" || source !== undefined || from !== undefined;
  if (!told) entry.family = family === 4 ? "ipv4" : "ipv6";
  return entry;
}

function hopEntry({ link, via, weight, onlink }: Hop): HopEntry {
  return {
    ...(via === undefined ? {} : { via }),
    ...(link === undefined ? {} : { link }),
    ...(weight === undefined || weight === 1 ? {} : { weight }),
    ...(onlink ? { onlink } : {}),
  };
}

/** The entry for a rule, with its priority stated. */
export function ruleEntry(spec: RuleSpec, tables: Readonly<Record<string, number>>): RuleEntry {
  const { family, priority, not, from, to, iif, oif, mark, mask, tos, dscp, uids, ipProtocol, action } = spec;
  const entry: RuleEntry = { priority };
  if (not) entry.not = true;
  if (from !== undefined) entry.from = shortPrefix(from);
  if (to !== undefined) entry.to = shortPrefix(to);
  if (iif !== undefined) entry.iif = iif;
  if (oif !== undefined) entry.oif = oif;
  if (mark !== undefined) entry.mark = mark;
  if (mask !== undefined) entry.mask = mask;
  if (tos !== undefined) entry.tos = tos;
  if (dscp !== undefined) entry.dscp = dscp;
  if (uids !== undefined) entry.uids = rangeText(uids.first, uids.last);
  if (ipProtocol !== undefined) entry.protocol = protocolWord(ipProtocol, family);
  if (spec.sourcePorts !== undefined) entry.sport = rangeText(spec.sourcePorts.first, spec.sourcePorts.last);
  if (spec.destinationPorts !== undefined) {
    entry.dport = rangeText(spec.destinationPorts.first, spec.destinationPorts.last);
  }
  if (action === "goto") entry.goto = spec.goto ?? 0;
  else if (action === "table") entry.table = tableWord(spec.table ?? 0, tables);
  else entry.action = action;
  if (spec.suppressPrefixLength !== undefined) entry.suppress_prefixlength = spec.suppressPrefixLength;
  if (spec.suppressGroup !== undefined) entry.suppress_ifgroup = spec.suppressGroup;
  if (from === undefined && to === undefined) entry.family = family === 4 ? "ipv4" : "ipv6";
  return entry;
}

/** The name of an IP protocol where it means the same number again: "icmp" means the family's own. */
export function protocolWord(number: number, family: 4 | 6): number | string {
  if (family === 6 && number === IP_PROTOCOLS["icmp"]) return number;
  return Object.entries(IP_PROTOCOLS).find(([, known]) => known === number)?.[0] ?? number;
}
