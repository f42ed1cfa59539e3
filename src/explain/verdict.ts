// Owns what becomes of a packet, as data.
import type { Candidate, Choice } from "./answer.ts";
import type { Place } from "./filters/hooked.ts";
import type { Flow, Packet } from "./packet.ts";
import type { Reverse } from "./reverse.ts";
import type { Step, Walk } from "./walk.ts";

/** Why a packet goes nowhere. */
export type Refusal =
  /** No rule leads to a route. */
  | "no-route"
  /** A rule or a route says so. */
  | "unreachable"
  | "prohibit"
  | "blackhole"
  /** A socket of this host cannot have that source address. */
  | "not-own-source"
  | "impossible-source"
  /** The link that the socket is bound to is down. */
  | "link-down"
  /** It came in, but this host does not forward by that link. */
  | "not-forwarding"
  /** It came in with a destination that no packet has that comes in. */
  | "martian-destination"
  /** It came in with a source that the reverse path check refuses. */
  | "reverse-path"
  /** A rule of nftables, or the policy of a chain, drops it. */
  | "nftables";

/** A way out, with the source address that goes with it where the packet has none. */
export interface WayOut extends Candidate {
  source?: string;
}

/** What becomes of a packet. */
export type Verdict =
  | { is: "sent"; ways: WayOut[]; choice: Choice }
  /** It is for this host; `source` is the address that it gets where this host sends it. */
  | { is: "delivered"; link?: string; source?: string; broadcast?: true }
  /** IPv4: no route by the link that the socket is bound to, so that the kernel takes the destination for a neighbour there. */
  | { is: "assumed"; link: string; source?: string }
  /** `by`: which rule of nftables. */
  | { is: "refused"; why: Refusal; by?: Place };

/** All about the way of one packet. */
export interface Way {
  packet: Packet;
  flow: Flow;
  walk: Walk;
  verdict: Verdict;
  /** Of what came in: the check of the way back to its source. */
  reverse?: Reverse;
  /**
   * The rules are asked once more, now that the packet has a source: of a connecting IPv4 socket always (ip_route_connect,
   * include/net/route.h), of IPv6 where there was no way without (ip6_dst_lookup_tail, net/ipv6/ip6_output.c).
   */
  again?: Way;
}

/** The refusal of a walk that led nowhere; undefined where it led somewhere. */
export function refusalOf(end: Step | undefined): Refusal | undefined {
  if (!end) return "no-route";
  const { outcome, rule } = end;
  const type = outcome.is === "answered" ? outcome.route.type : rule.action;
  if (type === "unreachable" || type === "prohibit" || type === "blackhole") return type;
  return outcome.is === "refused" || type === "nat" || type === "xresolve" ? "blackhole" : undefined;
}

/**
 * The way that counts in the end: of an IPv4 connection the one with its source, and of IPv6 the second where the first
 * led nowhere. Of other IPv4 packets the first stands.
 */
export function lastWay(way: Way): Way {
  if (!way.again) return way;
  return way.flow.family === 6 || way.packet.ipProtocol === TCP ? way.again : way;
}

const TCP = 6;
