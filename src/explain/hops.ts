// Owns the hops of a route: those of its nexthop object where it has one, and which of them the kernel uses.
//
// Sources: fib_lookup_good_nhc (net/ipv4/fib_trie.c), nexthop_get_nhc_lookup, nexthop_select_path (net/ipv4/nexthop.c),
// find_match (net/ipv6/route.c).
import type { Family } from "../model/ip.ts";
import type { NexthopSpec } from "../model/kinds.ts";
import type { PictureHop, PictureRoute } from "../model/picture.ts";
import type { Flow } from "./packet.ts";
import { indexOf, isValid, neighbourOf } from "./routing.ts";
import type { Routing } from "./routing.ts";
import { ignoresLinkdown } from "./switches.ts";

/** Who chooses among the hops: the route itself, a nexthop object, a group by shares, a resilient group by buckets. */
export type Chooser = "route" | "object" | "group" | "resilient";

/** Where a route leads. */
export interface Ways {
  chooser: Chooser;
  hops: PictureHop[];
  /** The object drops what comes to it. */
  blackhole?: true;
  /** Of a resilient group whose buckets are known: the part of all buckets that leads to each hop, 0–1. */
  shares?: number[];
}

/** Why the kernel passes over a hop. */
export type HopFault = "dead" | "linkdown" | "other-link";

/** The ways of a route. Hops that a route has itself are told with it; those of an object, where the kernel tells them. */
export function waysOf(routing: Routing, route: PictureRoute): Ways {
  if (route.nexthop === undefined) return { chooser: "route", hops: route.hops };
  const { nexthops } = indexOf(routing);
  const object = nexthops.get(route.nexthop);
  const members = (object?.members ?? []).map(({ id, weight }) => ({ weight, spec: nexthops.get(id) }));
  const resolved = object?.members
    ? members.flatMap(({ spec, weight }) => (spec ? [withWeight(hopOf(routing, spec), weight)] : []))
    : object
      ? [hopOf(routing, object)]
      : [];
  // The route's own list is in the kernel's order and has the kernel's marks; its weights may be cut to 8 bits.
  const told = route.hops.length === resolved.length || resolved.length === 0 ? route.hops : [];
  const hops = told.length === 0 ? resolved : told.map((hop) => withWeight(hop, weightAmong(resolved, hop)));
  const drops = object?.blackhole === true || members.some(({ spec }) => spec?.blackhole === true);
  const shares = object?.resilient ? bucketShares(routing, route.nexthop, hops) : undefined;
  const chooser = object?.resilient ? "resilient" : object?.members ? "group" : "object";
  const more = drops || route.type === "blackhole" ? { blackhole: true as const } : {};
  return { chooser, hops, ...more, ...(shares ? { shares } : {}) };
}

/** The part of a resilient group's buckets that leads to each of its hops (nexthop_select_path_res); undefined where nobody looked. */
function bucketShares(routing: Routing, group: number, hops: readonly PictureHop[]): number[] | undefined {
  const { buckets, nexthops } = indexOf(routing);
  const counts = buckets.get(group)?.nexthops;
  if (!counts) return undefined;
  const total = counts.reduce((sum, one) => sum + one.buckets, 0);
  const left = new Set(counts);
  return hops.map(({ link, via }) => {
    const found = [...left].find(({ id }) => nexthops.get(id)?.link === link && nexthops.get(id)?.via === via);
    if (!found) return 0;
    left.delete(found);
    return found.buckets / total;
  });
}

function hopOf(routing: Routing, { link, via, onlink }: NexthopSpec): PictureHop {
  const hop = {
    ...(link === undefined ? {} : { link }),
    ...(via === undefined ? {} : { via }),
    ...(onlink ? { onlink } : {}),
  };
  return { ...hop, ...linkMarks(routing, link) };
}

/** What the kernel marks a hop by a link with, as the link is now. */
export function linkMarks(
  routing: Pick<Routing, "links">,
  name: string | undefined,
): Pick<PictureHop, "dead" | "linkdown"> {
  const link = routing.links.find((one) => one.name === name);
  if (!link) return {};
  return {
    ...(link.up ? {} : { dead: true as const }),
    ...(link.up && link.carrier ? {} : { linkdown: true as const }),
  };
}

function withWeight(hop: PictureHop, weight: number | undefined): PictureHop {
  const { weight: _told, ...rest } = hop;
  return weight === undefined || weight === 1 ? rest : { ...rest, weight };
}

function weightAmong(hops: readonly PictureHop[], { link, via, weight }: PictureHop): number | undefined {
  const same = hops.find((hop) => hop.link === link && hop.via === via);
  return same ? same.weight : weight;
}

/** Why a hop is passed over, whoever the packet's socket is bound to; undefined when it is used. */
export function stateFault(routing: Routing, family: Family, hop: PictureHop, anyCarrier?: true): HopFault | undefined {
  if (hop.dead) return "dead";
  if (!hop.linkdown || anyCarrier || hop.link === undefined) return undefined;
  return ignoresLinkdown(routing, family, hop.link) ? "linkdown" : undefined;
}

/** Why a hop is no way for an IPv4 packet. */
export function faultOf(routing: Routing, flow: Flow, hop: PictureHop): HopFault | undefined {
  const fault = stateFault(routing, flow.family, hop, flow.anyCarrier);
  return fault ?? (flow.oif !== undefined && hop.link !== flow.oif ? "other-link" : undefined);
}

/** Members that a group leads by: those whose gateway's neighbour is not known to be away, or the first when all are. */
export function goodMembers(routing: Routing, hops: readonly PictureHop[]): PictureHop[] {
  const good = hops.filter((hop) => {
    const entry = hop.link === undefined || hop.via === undefined ? undefined : neighbourOf(routing, hop.link, hop.via);
    return entry === undefined || isValid(entry);
  });
  return good.length > 0 ? good : hops.slice(0, 1);
}
