// Owns the sentences of an explanation: what becomes of a packet, and what came of each rule, in a few words.
import type { PictureHop } from "../model/picture.ts";
import { sayPlace } from "./filters/hooked.ts";
import type { Condition } from "./match.ts";
import type { Flow, Packet } from "./packet.ts";
import type { PassedOver } from "./answer.ts";
import type { Reverse } from "./reverse.ts";
import type { Routing } from "./routing.ts";
import { lastWay } from "./verdict.ts";
import type { Verdict, Way, WayOut } from "./verdict.ts";
import type { Step } from "./walk.ts";
import { sayTable } from "./words.ts";

/** "leaves by ib0 via 10.20.3.227, source 10.20.1.1". Begins with a verb in small letters. */
export function sayWay({ verdict, packet, walk }: Way): string {
  switch (verdict.is) {
    case "sent":
      return saySent(verdict);
    case "delivered": {
      const whose = verdict.broadcast ? "is a broadcast that this host takes" : "is for this host";
      const link = verdict.link === undefined || verdict.link === "lo" ? "" : ` (${verdict.link})`;
      return `${whose}${link}${saySource(verdict.source)}`;
    }
    case "assumed":
      return `leaves by ${verdict.link} as if ${packet.to} were a neighbour there${saySource(verdict.source)}`;
    case "refused":
      return `goes nowhere: ${sayRefusal(verdict, walk.end, packet)}`;
  }
}

/** What becomes of the packet in the end, with the source that it has by then. */
export function sayLast(way: Way): string {
  const last = lastWay(way);
  return last !== way && last.verdict.is !== "refused" ? `${sayWay(last)}${saySource(last.packet.from)}` : sayWay(last);
}

function saySent({ ways, choice }: Extract<Verdict, { is: "sent" }>): string {
  const [first] = ways;
  if (!first) return "leaves";
  if (ways.length === 1) return `leaves ${sayHop(first.hop)}${saySource(first.source)}`;
  const sources = new Set(ways.map(({ source }) => source));
  const one = sources.size === 1;
  const said = ways.map((way) => `${sayHop(way.hop)}${sayShare(way)}${one ? "" : saySource(way.source)}`);
  const how = {
    only: "",
    hash: ", as its hash says",
    buckets: ", as the bucket of its hash says",
    neighbours: ", whichever gateway answers",
  }[choice];
  return `leaves ${said.join(" or ")}${how}${one ? saySource(first.source) : ""}`;
}

function sayShare({ share }: WayOut): string {
  return share === undefined ? "" : ` (${Math.round(share * 100)} %)`;
}

/** "by ib0 via 10.0.0.1". */
export function sayHop({ link, via }: PictureHop): string {
  return [...(link === undefined ? [] : [`by ${link}`]), ...(via === undefined ? [] : [`via ${via}`])].join(" ");
}

function saySource(source: string | undefined): string {
  return source === undefined ? "" : `, source ${source}`;
}

type Refused = Extract<Verdict, { is: "refused" }>;

function sayRefusal({ why, by: place }: Refused, end: Step | undefined, { to, iif }: Packet): string {
  const by = end?.outcome.is === "refused" ? `rule ${end.rule.priority}` : "a route";
  switch (why) {
    case "no-route":
      return "no rule leads to a route";
    case "unreachable":
      return `${by} says unreachable`;
    case "prohibit":
      return `${by} prohibits it`;
    case "blackhole":
      return `${by} drops it without a word`;
    case "not-own-source":
      return "its source is no address of this host";
    case "impossible-source":
      return "no packet may have that source";
    case "link-down":
      return "the link that it is bound to is down";
    case "not-forwarding":
      return to.includes(":")
        ? "this host does not forward IPv6 (net.ipv6.conf.all.forwarding)"
        : `this host does not forward what comes in by ${iif} (net.ipv4.conf.${iif?.replaceAll(".", "/")}.forwarding)`;
    case "martian-destination":
      return "what comes in may not have that destination";
    case "reverse-path":
      return "the check of the way back to its source drops it";
    case "nftables":
      return place ? `nftables drops it, ${sayPlace(place)}` : "nftables drops it";
  }
}

/** What came of a rule, in a few words. */
export function sayOutcome(routing: Pick<Routing, "tableNames">, { rule, outcome, table }: Step, flow: Flow): string {
  switch (outcome.is) {
    case "passed":
      return sayPassed(outcome.on, flow);
    case "no-route":
      return outcome.empty ? `table ${sayTable(routing, table)} is empty` : "no route there";
    case "throw":
      return "a throw route sends it back to the rules";
    case "suppressed":
      return outcome.by === "group"
        ? `not by a link of group ${rule.suppressGroup}`
        : `${outcome.route.to} is too short for it`;
    case "goto":
      return outcome.there ? `on to ${rule.goto}` : `no rule at ${rule.goto}: passed over`;
    case "nop":
      return "does nothing";
    case "longer-in-main":
      return `${outcome.route.to} in main is longer`;
    case "refused":
      return rule.action === "prohibit"
        ? "prohibits it"
        : rule.action === "blackhole"
          ? "drops it"
          : "says unreachable";
    case "answered":
      return "decides";
  }
}

/** Why a rule does not match: what the packet has instead. */
export function sayPassed(on: Condition | "not", flow: Flow): string {
  switch (on) {
    case "from":
      return flow.from === undefined ? "no source yet" : "another source";
    case "to":
      return "another destination";
    case "iif":
      return flow.local ? "sent by this host" : `came in by ${flow.iif}`;
    case "oif":
      return flow.oif === undefined ? "bound to no link" : `bound to ${flow.oif}`;
    case "mark":
      return `its mark is 0x${flow.mark.toString(16)}`;
    case "uids":
      return flow.uid === undefined ? "of no user" : `of user ${flow.uid}`;
    case "tos":
    case "dscp":
      return `its tos is 0x${flow.tos.toString(16)}`;
    case "ipProtocol":
      return flow.ipProtocol === 0 ? "no protocol told" : `protocol ${flow.ipProtocol}`;
    case "sourcePorts":
      return flow.sourcePort === 0 ? "no source port told" : `source port ${flow.sourcePort}`;
    case "destinationPorts":
      return flow.destinationPort === 0 ? "no destination port told" : `destination port ${flow.destinationPort}`;
    case "tunnelId":
      return "through no such tunnel";
    case "l3mdev":
      return "in no VRF";
    case "more":
      return "asks for what heddle has no word for";
    case "not":
      return "it is just what the rule excludes";
  }
}

/** Why a route to the destination was not taken. */
export function sayPassedOver(why: PassedOver["why"]): string {
  switch (why) {
    case "dead":
      return "its link is down";
    case "linkdown":
      return "its link has no carrier";
    case "other-link":
      return "by another link";
    case "tos":
      return "for another type of service";
    case "source":
      return "for another source";
    case "gateway":
      return "its gateway does not answer";
    case "hidden":
      return "hidden by a source route to the same prefix";
    case "behind":
      return "behind a nexthop object that leads nowhere";
  }
}

/** What the check of the way back found: a clause. */
export function sayReverse({ filter, why, links, passes }: Reverse): string {
  const ways = links.length === 0 ? "nowhere" : [...new Set(links)].join(" or ");
  const mode = filter === 0 ? "rp_filter is off" : filter === 1 ? "rp_filter is strict" : "rp_filter is loose";
  const end = passes ? "passes" : "is dropped";
  switch (why) {
    case "same-link":
      return `${mode}; the way back is by the same link: ${end}`;
    case "other-link":
      return `${mode}; the way back is by ${ways}: ${end}`;
    case "no-way":
      return `${mode}; there is no way back: ${end}`;
    case "own-source":
      return `its source is this host's own, and accept_local is off: ${end}`;
    case "not-unicast":
      return `its source is no host's address here: ${end}`;
    case "unnumbered":
      return `${mode}; the way back is by ${ways}, and the link has no address: ${end}`;
    case "unchecked":
      return `${mode}: ${end}`;
  }
}

/** "to 10.0.0.1 from 10.0.0.2, bound to ib0, mark 0x1, of user 1000". */
export function sayPacket({
  to,
  from,
  iif,
  oif,
  mark,
  uid,
  tos,
  ipProtocol,
  sourcePort,
  destinationPort,
}: Packet): string {
  const parts = [
    `to ${to}${from === undefined ? "" : ` from ${from}`}`,
    iif === undefined ? "sent by this host" : `that came in by ${iif}`,
    ...(oif === undefined ? [] : [`bound to ${oif}`]),
    ...(mark === undefined ? [] : [`mark 0x${mark.toString(16)}`]),
    ...(uid === undefined || iif !== undefined ? [] : [`of user ${uid}`]),
    ...(ipProtocol === undefined ? [] : [`protocol ${PROTOCOLS[ipProtocol] ?? ipProtocol}`]),
    ...(sourcePort === undefined ? [] : [`from port ${sourcePort}`]),
    ...(destinationPort === undefined ? [] : [`to port ${destinationPort}`]),
    ...(tos === undefined ? [] : [`tos 0x${tos.toString(16)}`]),
  ];
  return parts.join(", ");
}

/** IP protocols that have a name here (IANA, protocol numbers). */
export const PROTOCOLS: Readonly<Record<number, string>> = {
  1: "icmp",
  2: "igmp",
  6: "tcp",
  17: "udp",
  47: "gre",
  50: "esp",
  58: "icmpv6",
  89: "ospf",
  112: "vrrp",
  132: "sctp",
};
