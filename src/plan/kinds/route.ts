// Owns the rules of the kind "route": which fields name it, which merely repeat a default, what it needs.
import { defaultPrefix, shortPrefix } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import { TABLE } from "../../model/kinds.ts";
import type { Hop, RouteMetrics, RouteScope, RouteSpec } from "../../model/kinds.ts";
import type { Need } from "../../model/objects.ts";
import { canonicalText } from "./canonical.ts";
import type { KindRules } from "./kind-rules.ts";

/** Priority that the kernel gives an IPv6 route that states none (IP6_RT_PRIO_USER, include/uapi/linux/ipv6_route.h). */
const IPV6_DEFAULT_METRIC = 1024;

/** Types that answer by themselves and so have no next hop. IPv6 shows them with the loopback link. */
const WITHOUT_HOPS: ReadonlySet<string> = new Set(["blackhole", "unreachable", "prohibit", "throw"]);

export const routeRules: KindRules<"route"> = {
  // IPv4: fib_table_insert compares prefix, tos and priority; IPv6: fib6_add_rt2node compares prefixes and metric.
  identify: (spec) => tableOf(spec) + spec.to + (spec.from ? ` from ${spec.from}` : "") + metricOf(spec),
  normalize: normalizeRoute,
  needs: needsOfRoute,
  merge: (a, b) => (canonicalText(a) === canonicalText(b) ? a : undefined),
  describe: describeRoute,
  // A route through a gateway may need the route to that gateway, which has none.
  rank: (spec) => (spec.hops.some((hop) => hop.via !== undefined) ? 1 : 0),
  compare: (spec) => canonicalText(spec, ["protocol"]),
};

/** Where keys begin, and where most of them end: made once, for a key is made of every route of a host. */
const BEGINNINGS = { 4: { table: NaN, text: "" }, 6: { table: NaN, text: "" } };
const USUAL_ENDS = { 4: " metric 0", 6: ` metric ${IPV6_DEFAULT_METRIC}` } as const;

function tableOf({ family, table }: RouteSpec): string {
  const last = BEGINNINGS[family];
  if (last.table !== table) Object.assign(last, { table, text: `route ipv${family} table ${table} ` });
  return last.text;
}

function metricOf({ family, metric, tos }: RouteSpec): string {
  if (metric === undefined && !tos) return USUAL_ENDS[family];
  return ` metric ${metric ?? defaultMetric(family)}${tos ? ` tos ${tos}` : ""}`;
}

/** The metric that a route has which states none. */
export function defaultMetric(family: Family): number {
  return family === 4 ? 0 : IPV6_DEFAULT_METRIC;
}

function normalizeRoute(spec: RouteSpec): RouteSpec {
  // Nearly all routes of a large host are normal as they stand; those are not copied.
  if (isPlain(spec)) return spec;
  const hops = WITHOUT_HOPS.has(spec.type) ? [] : spec.hops.map(normalizeHop);
  if (hops.length > 1) hops.sort(byText);
  const { metric, tos, scope, from, metrics, preference, ...rest } = spec;
  const metricOrDefault = spec.family === 6 && metric === 0 ? IPV6_DEFAULT_METRIC : metric;
  const normal: RouteSpec = { ...rest, hops };
  // The kernel shows a route by an object that drops as one that drops (fib_dump_info, rt6_fill_node).
  if (spec.nexthop !== undefined && spec.type === "blackhole") normal.type = "unicast";
  if (metricOrDefault !== undefined && metricOrDefault !== defaultMetric(spec.family)) normal.metric = metricOrDefault;
  if (spec.family === 4 && tos) normal.tos = tos;
  if (spec.family === 4 && scope !== undefined && scope !== impliedScope(spec)) normal.scope = scope;
  if (spec.family === 6 && from !== undefined && from !== defaultPrefix(6)) normal.from = from;
  if (spec.family === 6 && preference !== undefined) normal.preference = preference;
  const kept = metrics && normalizeMetrics(metrics);
  if (kept) normal.metrics = kept;
  return normal;
}

/** Whether a route says so little that there is nothing to leave out and nothing to put in order. */
function isPlain(spec: RouteSpec): boolean {
  const { type, hops, metric, tos, scope, from, metrics, preference, nexthop } = spec;
  if (metric !== undefined || tos !== undefined || scope !== undefined || from !== undefined) return false;
  if (metrics !== undefined || preference !== undefined || nexthop !== undefined) return false;
  return WITHOUT_HOPS.has(type) ? hops.length === 0 : hops.length === 1 && hops[0]?.weight !== 1;
}

/** The scope that iproute2 gives a route that states none, and that the kernel therefore has (iproute.c). */
export function impliedScope(spec: RouteSpec): RouteScope {
  switch (spec.type) {
    case "local":
    case "nat":
      return "host";
    case "broadcast":
    case "multicast":
    case "anycast":
      return "link";
    case "unicast":
      return spec.hops.length === 1 && spec.hops[0]?.via === undefined && spec.nexthop === undefined
        ? "link"
        : "global";
    default:
      return "global";
  }
}

function normalizeHop(hop: Hop): Hop {
  if (hop.weight !== 1) return hop;
  const { weight: _even, ...rest } = hop;
  return rest;
}

function normalizeMetrics(metrics: RouteMetrics): RouteMetrics | undefined {
  const { lock, ...values } = metrics;
  const kept: RouteMetrics = { ...values };
  if (lock && lock.length > 0) kept.lock = [...lock].sort();
  return Object.keys(kept).length > 0 ? kept : undefined;
}

function byText(a: Hop, b: Hop): number {
  const [textA, textB] = [canonicalText(a), canonicalText(b)];
  return textA < textB ? -1 : textA > textB ? 1 : 0;
}

function needsOfRoute(spec: RouteSpec): Need[] {
  const { hops, nexthop, source } = spec;
  if (nexthop === undefined && source === undefined) return needsOfHops(hops);
  const needs = [...needsOfHops(hops)];
  if (nexthop !== undefined) needs.push({ nexthop });
  if (source !== undefined) needs.push({ address: source });
  return needs;
}

/** What was needed last: routes that go the same way, as those of one file do, share their needs as well. */
let lastNeeds: { hops: readonly Hop[]; needs: Need[] } = { hops: [], needs: [] };

function needsOfHops(hops: readonly Hop[]): Need[] {
  if (lastNeeds.hops === hops) return lastNeeds.needs;
  const needs: Need[] = [];
  // The kernel takes a unicast route through a link only while that is up (fib_check_nh, ip6_route_info_create).
  for (const [i, { link }] of hops.entries()) {
    if (link !== undefined && hops.findIndex((hop) => hop.link === link) === i) needs.push({ link, up: true });
  }
  lastNeeds = { hops, needs };
  return needs;
}

function describeRoute(spec: RouteSpec): string {
  const words: string[] = [];
  if (spec.type !== "unicast") words.push(spec.type);
  words.push(
    spec.to === defaultPrefix(spec.family) ? (spec.family === 6 ? "default (IPv6)" : "default") : shortPrefix(spec.to),
  );
  if (spec.from !== undefined) words.push(`from ${spec.from}`);
  if (spec.tos !== undefined) words.push(`tos ${hex(spec.tos)}`);
  if (spec.nexthop !== undefined) words.push(`nhid ${spec.nexthop}`);
  if (spec.hops.length === 1) words.push(describeHop(spec.hops[0] as Hop, spec));
  words.push(`table ${tableName(spec.table)}`);
  if (spec.scope !== undefined) words.push(`scope ${spec.scope}`);
  if (spec.source !== undefined) words.push(`src ${spec.source}`);
  if (spec.metric !== undefined) words.push(`metric ${spec.metric}`);
  if (spec.preference !== undefined) words.push(`pref ${spec.preference}`);
  for (const [name, value] of Object.entries(spec.metrics ?? {})) {
    if (name === "lock") continue;
    words.push(`${name}${spec.metrics?.lock?.includes(name) ? " lock" : ""} ${String(value)}`);
  }
  if (spec.unmanaged !== undefined) words.push(`with ${spec.unmanaged.join(", ")}`);
  if (spec.hops.length > 1) {
    for (const hop of spec.hops) words.push(`nexthop ${describeHop(hop, spec)} weight ${hop.weight ?? 1}`);
  }
  return words.join(" ");
}

function describeHop(hop: Hop, spec: RouteSpec): string {
  const words: string[] = [];
  if (hop.via !== undefined) {
    const other = hop.via.includes(":") && spec.family === 4 ? "inet6 " : "";
    words.push(`via ${other}${hop.via}`);
  }
  if (hop.link !== undefined) words.push(`dev ${hop.link}`);
  if (hop.onlink) words.push("onlink");
  return words.join(" ");
}

/** A table's name where the kernel gives it one, otherwise its number. */
export function tableName(table: number): string {
  const named = Object.entries(TABLE).find(([, id]) => id === table);
  return named ? named[0] : String(table);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
