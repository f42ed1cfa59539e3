// Owns the translation between routes as heddle says them and as the kernel does.
import type { Hop, RouteSpec } from "../../model/kinds.ts";
import { scopeName, scopeNumber } from "../../model/scope.ts";
import { defaultMetric, impliedScope, routeRules } from "../../plan/kinds/route.ts";
import type { HopMessage } from "../netlink/hops.ts";
import { ROUTE_FLAG } from "../netlink/route.ts";
import type { RouteMessage } from "../netlink/route.ts";
import type { LinkNames } from "./link-names.ts";

/** RTA_PREF (RFC 4191, 2.1): 0 medium, 1 high, 3 low. */
const PREFERENCES = { low: 3, high: 1 } as const;

/** A route of the kernel as a normalised spec; undefined for a cached exception and for a type without a name. */
export function routeFromMessage(message: RouteMessage, links: LinkNames): RouteSpec | undefined {
  if ((message.flags & ROUTE_FLAG.cloned) !== 0 || typeof message.type === "number") return undefined;
  const { family, table, to, type, protocol, from, tos, source, metrics, nexthop, priority, preference } = message;
  // The kernel adds to a route by nexthop object the hops that the object has at the moment.
  const hops = nexthop === undefined ? hopsOf(message, links) : [];
  // Field by field, and only what says something: there may be a hundred thousand of them.
  const spec: RouteSpec = { family, table, to, type, hops, protocol };
  const scope = scopeName(message.scope);
  if (family === 4 && scope !== impliedScope(spec)) spec.scope = scope;
  if (tos !== 0) spec.tos = tos;
  if (from !== undefined) spec.from = from;
  if (priority !== undefined && priority !== defaultMetric(family)) spec.metric = priority;
  if (source !== undefined) spec.source = source;
  if (nexthop !== undefined) spec.nexthop = nexthop;
  if (metrics !== undefined) spec.metrics = metrics;
  if (preference === PREFERENCES.low) spec.preference = "low";
  if (preference === PREFERENCES.high) spec.preference = "high";
  const unmanaged = unmanagedOf(message);
  if (unmanaged !== undefined) spec.unmanaged = unmanaged;
  return routeRules.normalize(spec);
}

/** What the route has that a spec cannot say, by the words of ip-route(8). */
function unmanagedOf(message: RouteMessage): string[] | undefined {
  const { realms, encap, expires, cacheInfo, ttlPropagate, unknown, unknownMetrics, hops } = message;
  const found: string[] = [];
  if (realms !== undefined || hops?.some((hop) => hop.realms !== undefined)) found.push("realms");
  if (encap !== undefined || hops?.some((hop) => hop.encap !== undefined)) found.push("encap");
  if (expires !== undefined || (cacheInfo?.expires ?? 0) !== 0) found.push("expires");
  if (ttlPropagate !== undefined) found.push("ttl-propagate");
  if (unknownMetrics !== undefined) found.push("metrics of a later kernel");
  if (unknown !== undefined || hops?.some((hop) => hop.unknown !== undefined))
    found.push("attributes of a later kernel");
  return found.length === 0 ? undefined : found;
}

/**
 * The message that changes nothing about a route but whose it is. It is made from what the kernel said, hop by hop in
 * the kernel's order: the order decides which flow takes which hop.
 */
export function routeOfAnother(message: RouteMessage, protocol: number): RouteMessage {
  const { cacheInfo: _state, hops, nexthop, oif, gateway, onlink, ...rest } = message;
  const plain = { ...rest, flags: 0, protocol };
  // The kernel adds to a route by nexthop object the hops that the object has at the moment, and takes only one of the two.
  if (nexthop !== undefined) return { ...plain, nexthop };
  return {
    ...plain,
    ...(oif === undefined ? {} : { oif }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(onlink === undefined ? {} : { onlink }),
    // Status bits such as linkdown are the kernel's to say.
    ...(hops === undefined ? {} : { hops: hops.map((hop) => ({ ...hop, flags: 0 })) }),
  };
}

function hopsOf(message: RouteMessage, links: LinkNames): Hop[] {
  if (message.hops !== undefined) {
    return message.hops.map(({ oif, gateway, weight, onlink }) => ({
      ...(oif === 0 ? {} : { link: links.name(oif) }),
      ...(gateway === undefined ? {} : { via: gateway }),
      ...(onlink ? { onlink } : {}),
      weight,
    }));
  }
  return links.wayBy(message.oif, message.gateway, message.onlink);
}

/**
 * The kernel's words for a route. Everything that tells it apart is said, the implied scope too, so that a message to
 * delete it can hit no other. Throws HostError (ENODEV) where a link is not there.
 */
export function routeToMessage(spec: RouteSpec, links: LinkNames): RouteMessage {
  const { family, table, to, type, protocol, from, tos = 0, source, metrics, nexthop, metric, preference } = spec;
  const hops = spec.hops.map((hop) => hopMessage(hop, links));
  const [only] = hops;
  return {
    family,
    table,
    to,
    type,
    protocol,
    tos,
    scope: family === 4 ? scopeNumber(spec.scope ?? impliedScope(spec)) : 0,
    flags: 0,
    ...(from === undefined ? {} : { from }),
    // IPv6 takes a message without a metric for one about any metric (ip6_route_del). IPv4 takes 0 for that too, and
    // then hits the lowest metric first, which is the right one as long as it is there.
    priority: metric ?? defaultMetric(family),
    ...(source === undefined ? {} : { source }),
    ...(nexthop === undefined ? {} : { nexthop }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(preference === undefined ? {} : { preference: PREFERENCES[preference] }),
    ...(hops.length > 1 ? { hops } : {}),
    ...(hops.length === 1 && only ? singleHop(only) : {}),
  };
}

function hopMessage(hop: Hop, links: LinkNames): HopMessage {
  return {
    oif: hop.link === undefined ? 0 : links.index(hop.link),
    weight: hop.weight ?? 1,
    flags: 0,
    ...(hop.via === undefined ? {} : { gateway: hop.via }),
    ...(hop.onlink ? { onlink: true as const } : {}),
  };
}

function singleHop(hop: HopMessage): Partial<RouteMessage> {
  return {
    ...(hop.oif === 0 ? {} : { oif: hop.oif }),
    ...(hop.gateway === undefined ? {} : { gateway: hop.gateway }),
    ...(hop.onlink ? { onlink: true as const } : {}),
  };
}
