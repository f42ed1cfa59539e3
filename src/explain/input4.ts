// Owns the way of an IPv4 packet that came in by a link.
//
// Source: ip_route_input_slow, ip_mkroute_input, __mkroute_input (net/ipv4/route.c). The reception of multicast is another
// matter, which groups and not routes decide, and is not told here.
import { rangeOf } from "../model/prefix.ts";
import type { Flow, Packet } from "./packet.ts";
import { checkReverse, isMartianDestination, isMartianSource } from "./reverse.ts";
import type { Reverse } from "./reverse.ts";
import type { Routing } from "./routing.ts";
import { numberOf } from "./switches.ts";
import { refusalOf } from "./verdict.ts";
import type { Refusal, Verdict, Way } from "./verdict.ts";
import { walk } from "./walk.ts";

const BROADCAST = rangeOf("255.255.255.255");
const UNSPECIFIED = rangeOf("0.0.0.0");

/** Finds the way. */
export function inputWay4(routing: Routing, packet: Packet, flow: Flow): Way {
  const { iif: incoming } = flow;
  const { from = "0.0.0.0", to } = packet;
  const refuse = (why: Refusal, found: Way["walk"] = { steps: [] }, reverse?: Reverse): Way => ({
    packet,
    flow,
    walk: found,
    verdict: { is: "refused", why },
    ...(reverse ? { reverse } : {}),
  });
  const isLimited = rangeOf(to).network === BROADCAST.network;
  if (isLimited || (rangeOf(to).network === UNSPECIFIED.network && rangeOf(from).network === UNSPECIFIED.network)) {
    return { packet, flow, walk: { steps: [] }, verdict: { is: "delivered", link: incoming, broadcast: true } };
  }
  if (isMartianSource(routing, from, incoming)) return refuse("impossible-source");
  if (isMartianDestination(routing, to, incoming)) return refuse("martian-destination");

  const found = walk(routing, flow);
  const forwards = numberOf(routing, `net/ipv4/conf/${incoming}/forwarding`) === 1;
  const refusal = refusalOf(found.end);
  if (refusal !== undefined) return refuse(forwards ? refusal : "not-forwarding", found);
  const { route, candidates = [], choice = "only" } = found.end?.answer ?? {};
  if (route?.type === "local" || route?.type === "broadcast") {
    const reverse = checkReverse(routing, packet, incoming);
    if (!reverse.passes) return refuse("reverse-path", found, reverse);
    const link = candidates[0]?.hop.link;
    const verdict: Verdict = {
      is: "delivered",
      ...(link === undefined ? {} : { link }),
      ...(route.type === "broadcast" ? { broadcast: true } : {}),
    };
    return { packet, flow, walk: found, verdict, reverse };
  }
  if (!forwards) return refuse("not-forwarding", found);
  if (route?.type !== "unicast") return refuse("martian-destination", found);
  // The check depends on the way out; where there are several, one that fails is the one to tell of.
  const checks = candidates.map(({ hop }) => checkReverse(routing, packet, incoming, hop.link));
  const reverse = checks.find(({ passes }) => !passes) ?? checks[0];
  const ways = candidates.filter((_candidate, i) => checks[i]?.passes);
  if (ways.length === 0) return refuse("reverse-path", found, reverse);
  return { packet, flow, walk: found, verdict: { is: "sent", ways, choice }, ...(reverse ? { reverse } : {}) };
}
