// Owns the way of an IPv6 packet that this host sends.
//
// Source: ip6_route_output_flags, ip6_pol_route (net/ipv6/route.c), ip6_dst_lookup_tail (net/ipv6/ip6_output.c).
import { flowOf } from "./packet.ts";
import type { Flow, Packet } from "./packet.ts";
import type { Routing } from "./routing.ts";
import { selectAddress6, sourceOfRoute6 } from "./source6.ts";
import { refusalOf } from "./verdict.ts";
import type { Verdict, Way } from "./verdict.ts";
import { sourceLink } from "./vrf.ts";
import { walk } from "./walk.ts";

/** Finds the way. */
export function outputWay6(routing: Routing, packet: Packet, flow: Flow): Way {
  const found = walk(routing, flow);
  const refusal = refusalOf(found.end);
  if (refusal !== undefined) {
    const way: Way = { packet, flow, walk: found, verdict: { is: "refused", why: refusal } };
    const from = packet.from === undefined ? selectAddress6(routing, undefined, flow.to) : undefined;
    if (from === undefined) return way;
    const second = { ...packet, from };
    return { ...way, again: outputWay6(routing, second, flowOf(second)) };
  }
  const { route, candidates = [], choice = "only" } = found.end?.answer ?? {};
  if (!route) throw new Error("an answer has a route");
  if (route.type === "local" || route.type === "anycast") {
    const link = candidates[0]?.hop.link;
    const source = packet.from === undefined ? sourceOfRoute6(routing, route, link, flow.to) : undefined;
    const more = { ...(link === undefined ? {} : { link }), ...(source === undefined ? {} : { source }) };
    return { packet, flow, walk: found, verdict: { is: "delivered", ...more } };
  }
  const ways = candidates.map((candidate) => {
    // A group's packets get the source of its first member (nexthop_fib6_nh).
    const leaving = route.nexthop === undefined ? candidate.hop.link : (route.hops[0] ?? candidate.hop).link;
    const link = sourceLink(routing, flow, leaving);
    const source = packet.from === undefined ? sourceOfRoute6(routing, route, link, flow.to) : undefined;
    return source === undefined ? candidate : { ...candidate, source };
  });
  const verdict: Verdict = { is: "sent", ways, choice };
  return { packet, flow, walk: found, verdict };
}
