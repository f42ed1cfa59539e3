// Owns the way of an IPv6 packet that came in by a link.
//
// Source: ip6_route_input, ip6_pol_route_input (net/ipv6/route.c), ip6_forward (net/ipv6/ip6_output.c).
import type { Flow, Packet } from "./packet.ts";
import type { Routing } from "./routing.ts";
import { numberOf } from "./switches.ts";
import { refusalOf } from "./verdict.ts";
import type { Refusal, Way } from "./verdict.ts";
import { walk } from "./walk.ts";

/** Finds the way. */
export function inputWay6(routing: Routing, packet: Packet, flow: Flow): Way {
  const found = walk(routing, flow);
  const refuse = (why: Refusal): Way => ({ packet, flow, walk: found, verdict: { is: "refused", why } });
  const { route, candidates = [], choice = "only" } = found.end?.answer ?? {};
  const refusal = refusalOf(found.end);
  if (route?.type === "local" || route?.type === "anycast" || route?.type === "multicast") {
    const link = candidates[0]?.hop.link;
    return { packet, flow, walk: found, verdict: { is: "delivered", ...(link === undefined ? {} : { link }) } };
  }
  const all = numberOf(routing, "net/ipv6/conf/all/forwarding") === 1;
  // Since 6.17 a link may forward though the host does not.
  const forced = numberOf(routing, `net/ipv6/conf/${flow.iif}/force_forwarding`) === 1;
  if (!all && !forced) return refuse("not-forwarding");
  if (refusal !== undefined) return refuse(refusal);
  return { packet, flow, walk: found, verdict: { is: "sent", ways: candidates, choice } };
}
