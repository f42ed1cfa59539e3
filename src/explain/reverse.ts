// Owns the check of the way back to the source of an IPv4 packet that came in: rp_filter, and what is checked without it.
//
// Source: fib_validate_source, __fib_validate_source (net/ipv4/fib_frontend.c). IPv6 has no such check but in netfilter.
import { TABLE } from "../model/kinds.ts";
import { contains, rangeOf } from "../model/prefix.ts";
import { KERNEL_PROTOCOL } from "../model/protocol.ts";
import { flowOf } from "./packet.ts";
import type { Flow, Packet } from "./packet.ts";
import { indexOf } from "./routing.ts";
import type { Routing } from "./routing.ts";
import { largerOf } from "./switches.ts";
import { hostOf } from "./source4.ts";
import { vrfOfLink } from "./vrf.ts";
import { decide, isUntouched } from "./walk.ts";
import type { Step } from "./walk.ts";
import { refusalOf } from "./verdict.ts";

/** What the check found. */
export interface Reverse {
  /** The effective rp_filter of the link: 0 none, 1 strict, 2 loose. */
  filter: number;
  passes: boolean;
  /**
   * Why. "same-link": the way back is by the link it came in by. "other-link": by another. "no-way": there is none.
   * "own-source": the source is this host's own. "not-unicast": the way back is no way to a host. "unnumbered": by another
   * link, and the link has no address. "unchecked": nothing is looked up.
   */
  why: "same-link" | "other-link" | "no-way" | "own-source" | "not-unicast" | "unnumbered" | "unchecked";
  /** What decides the way back. */
  back?: Step;
  /** Links by which the way back leads. */
  links: string[];
}

/** Checks the source of a packet that came in by a link and is for this host, or leaves by `out`. */
export function checkReverse(routing: Routing, packet: Packet, incoming: string, out?: string): Reverse {
  const filter = largerOf(routing, incoming, "rp_filter") ?? 0;
  const acceptsOwn = (largerOf(routing, incoming, "accept_local") ?? 0) > 0;
  const verdict = (passes: boolean, why: Reverse["why"], back?: Step, links: string[] = []): Reverse => ({
    filter,
    passes,
    why,
    links,
    ...(back ? { back } : {}),
  });
  // Otherwise the answer may ask the sender to take a shorter way, for which its route is needed.
  if (filter === 0 && out !== incoming) {
    if (acceptsOwn) return verdict(true, "unchecked");
    if (isPlain(routing)) {
      const own = isLinks(routing, packet.from ?? "0.0.0.0");
      return own ? verdict(false, "own-source") : verdict(true, "unchecked");
    }
  }
  const back = decide(routing, backFlow(routing, packet, incoming, out));
  const links = back?.answer?.route?.hops.flatMap(({ link }) => link ?? []) ?? [];
  const lastResort = (why: "no-way" | "unnumbered"): Reverse => verdict(filter === 0, why, back, links);
  const route = back?.answer?.route;
  if (refusalOf(back) !== undefined || !route) return lastResort("no-way");
  if (route.type !== "unicast" && !(route.type === "local" && acceptsOwn)) {
    return verdict(false, route.type === "local" ? "own-source" : "not-unicast", back, links);
  }
  // A VRF has all of its links (nhc_l3mdev_matches_dev).
  if (links.some((link) => link === incoming || vrfOfLink(routing, link)?.name === incoming))
    return verdict(true, "same-link", back, links);
  const numbered = indexOf(routing)
    .links.get(incoming)
    ?.addresses.some(({ family }) => family === 4);
  if (!numbered) return lastResort("unnumbered");
  return verdict(filter !== 1, "other-link", back, links);
}

/** Whether neither rules nor local routes of anybody's own are there, so that the kernel saves itself the look-up. */
function isPlain(routing: Routing): boolean {
  const { rules, tables } = indexOf(routing);
  const local = tables.get(4, TABLE.local)?.routes ?? [];
  return isUntouched(rules[4]) && local.every(({ type, protocol }) => type !== "local" || protocol === KERNEL_PROTOCOL);
}

/** Whether a link has the address. */
function isLinks({ links }: Routing, address: string): boolean {
  return links.some(({ addresses }) => addresses.some((spec) => spec.family === 4 && hostOf(spec) === address));
}

/** The packet's way back as it is looked up: without its mark and its user, by the link that it will leave by. */
function backFlow(routing: Routing, packet: Packet, incoming: string, out: string | undefined): Flow {
  const { to, from = "0.0.0.0", mark = 0, sourcePort, destinationPort } = packet;
  const keepsMark = (largerOf(routing, incoming, "src_valid_mark") ?? 0) > 0;
  const back: Packet = {
    ...packet,
    to: from,
    from: to,
    iif: out ?? "lo",
    mark: keepsMark ? mark : 0,
    ...(destinationPort === undefined ? {} : { sourcePort: destinationPort }),
    ...(sourcePort === undefined ? {} : { destinationPort: sourcePort }),
    tunnelId: "0",
  };
  const vrf = vrfOfLink(routing, incoming);
  return { ...flowOf(back), ...(vrf ? { vrf: vrf.name } : {}) };
}

const MULTICAST = rangeOf("224.0.0.0/4");
const ZERO_NET = rangeOf("0.0.0.0/8");
const LOOPBACK = rangeOf("127.0.0.0/8");
const BROADCAST = rangeOf("255.255.255.255");

/** Whether no packet that comes in by the link may have such a source (ip_route_input_slow). */
export function isMartianSource(routing: Routing, from: string, incoming: string): boolean {
  const range = rangeOf(from);
  if ([MULTICAST, ZERO_NET, BROADCAST].some((one) => contains(one, range))) return true;
  return contains(LOOPBACK, range) && !routesLoopback(routing, incoming);
}

/** Whether no packet that comes in by the link may have such a destination. */
export function isMartianDestination(routing: Routing, to: string, incoming: string): boolean {
  const range = rangeOf(to);
  return contains(ZERO_NET, range) || (contains(LOOPBACK, range) && !routesLoopback(routing, incoming));
}

/** net.ipv4.conf.*.route_localnet: 127.0.0.0/8 is a network like any other. */
function routesLoopback(routing: Routing, link: string): boolean {
  return (largerOf(routing, link, "route_localnet") ?? 0) > 0;
}
