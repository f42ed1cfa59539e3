// Owns the way of a packet through routing and nftables together: what each hook does to it, and the way that it has then.
//
// It follows the first packet of a connection. Sources: __ip_local_out, ip_output (net/ipv4/ip_output.c), ip_rcv,
// ip_local_deliver (ip_input.c), ip_forward (ip_forward.c), ip_route_me_harder (net/ipv4/netfilter.c), ip6_route_me_harder
// (net/ipv6/netfilter.c), loopback_xmit (drivers/net/loopback.c).
import type { Family } from "../../model/ip.ts";
import { familyOf } from "../../model/ip.ts";
import { rangeOf } from "../../model/prefix.ts";
import { flowOf } from "../packet.ts";
import type { Packet } from "../packet.ts";
import { indexOf } from "../routing.ts";
import type { Routing } from "../routing.ts";
import { hostOf, selectAddress4 } from "../source4.ts";
import { selectAddress6 } from "../source6.ts";
import { lastWay } from "../verdict.ts";
import type { Verdict, Way } from "../verdict.ts";
import { vrfOfLink } from "../vrf.ts";
import { wayOf } from "../way.ts";
import { placeOf } from "./hooked.ts";
import type { Act, Fate, Hooked } from "./hooked.ts";
import { passHook } from "./hooks.ts";
import { rulesetOf } from "./ruleset.ts";
import type { Hook, Ruleset } from "./ruleset.ts";
import type { Surroundings } from "./translations.ts";

/** What nftables makes of a packet. */
export interface Filtered {
  fate: Fate;
  acts: Act[];
  /** The packet in the end, as far as it was followed. */
  packet: Hooked;
  /** The way that routing alone has for it; absent where it is the same. */
  before?: Way;
}

/** The way of a packet, and what nftables had to say. */
export interface Passage {
  way: Way;
  /** Absent where the rules of nftables are not known, or none was asked. */
  filtered?: Filtered;
}

/** Finds the way through routing and nftables. */
export function passOf(routing: Routing, packet: Packet): Passage {
  if (routing.ruleset === undefined) return { way: wayOf(routing, packet) };
  const ruleset = rulesetOf(routing.ruleset);
  return packet.iif === undefined ? passOut(routing, ruleset, packet) : passIn(routing, ruleset, packet, packet.iif);
}

/** A packet under way. */
interface Journey {
  routing: Routing;
  ruleset: Ruleset;
  asked: Packet;
  packet: Hooked;
  way: Way;
  fate: Fate;
  acts: Act[];
  /** It was dropped because it has no way once it was changed. */
  lost?: true;
}

/** What this host sends. A packet that has no way is never made. */
function passOut(routing: Routing, ruleset: Ruleset, asked: Packet): Passage {
  const first = wayOf(routing, asked);
  const last = lastWay(first);
  if (last.verdict.is === "refused") return { way: first };
  const packet: Hooked = {
    ...hookedFrom(asked),
    ...sourceOf(last),
    socket: "own",
    oifs: linksOut(last.verdict),
  };
  const journey: Journey = { routing, ruleset, asked, packet, way: first, fate: { is: "passes" }, acts: [] };
  run(journey, "output");
  leave(journey);
  if (journey.fate.is === "passes" && lastWay(journey.way).verdict.is === "delivered") comeBack(journey);
  return ended(journey, first);
}

/** What came in by a link. */
function passIn(routing: Routing, ruleset: Ruleset, asked: Packet, iif: string): Passage {
  const packet: Hooked = { ...hookedFrom(asked), iif, socket: "none", oifs: [] };
  const alone = wayOf(routing, asked);
  const journey: Journey = { routing, ruleset, asked, packet, way: alone, fate: { is: "passes" }, acts: [] };
  run(journey, "ingress", [iif]);
  run(journey, "prerouting");
  if (isOther(journey.packet, packet)) journey.way = wayOf(routing, { ...asked, ...shownBy(journey.packet) });
  const { verdict } = journey.way;
  if (verdict.is === "delivered") {
    // A socket may have been found for it already.
    journey.packet = { ...journey.packet, socket: "unknown" };
    run(journey, "input");
  } else if (verdict.is === "sent") {
    journey.packet = { ...journey.packet, oifs: linksOut(verdict) };
    run(journey, "forward");
    leave(journey);
  }
  return ended(journey, alone);
}

function leave(journey: Journey): void {
  const oifs = linksOut(lastWay(journey.way).verdict);
  journey.packet = { ...journey.packet, oifs };
  run(journey, "postrouting");
  if (oifs.length === 1) run(journey, "egress", oifs);
}

/** What is for this host itself comes in again, by lo: with its way and its connection, and without its socket. */
function comeBack(journey: Journey): void {
  const settled = { source: true, destination: true };
  journey.packet = { ...journey.packet, iif: "lo", oifs: [], socket: "none", settled };
  run(journey, "ingress", ["lo"]);
  run(journey, "prerouting");
  journey.packet = { ...journey.packet, socket: "unknown" };
  run(journey, "input");
}

function run(journey: Journey, hook: Hook, links: readonly string[] = []): void {
  if (journey.fate.is !== "passes") return;
  const { routing, ruleset } = journey;
  const [first] = ruleset.at(hook, journey.packet.family);
  if (first && isInVrf(journey)) {
    const why =
      "packets in a VRF come through hooks twice, once by the link and once by the VRF, which is not followed";
    journey.fate = { is: "unknown", by: placeOf(first), why };
    return;
  }
  const around: Surroundings = {
    hook,
    links,
    addressOut: (packet) => addressOut(routing, journey.way, packet),
    addressIn: (link) => addressIn(routing, link),
  };
  const { packet, fate, acts } = passHook(ruleset, journey.packet, around, (changed) => {
    journey.way = lookAgain(journey, changed);
    if (journey.way.verdict.is !== "refused") return "found";
    journey.lost = true;
    return "refused";
  });
  Object.assign(journey, { packet, fate, acts: [...journey.acts, ...acts] });
}

function isInVrf({ routing, asked: { iif, oif }, packet: { oifs } }: Journey): boolean {
  return [iif, oif, ...oifs].some((name) => vrfOfLink(routing, name) !== undefined);
}

/**
 * The way that the kernel looks for when a chain changed a packet of this host. IPv4 asks as user 0 whoever sends it, and
 * both know protocol and ports only where a rule for packets that come in asks for them.
 */
function lookAgain({ routing, asked }: Journey, packet: Hooked): Way {
  const { family } = packet;
  const now: Packet = { ...asked, ...shownBy(packet) };
  const flow = flowOf(now);
  const seen = dissects(routing, family) ? {} : { ipProtocol: 0, sourcePort: 0, destinationPort: 0 };
  return wayOf(routing, now, { ...flow, ...seen, ...(family === 4 ? { uid: 0 } : {}) });
}

/** fib4_rules_early_flow_dissect, fib6_rules_early_flow_dissect (fib_rule_requires_fldissect, include/net/fib_rules.h). */
function dissects(routing: Routing, family: Family): boolean {
  return indexOf(routing).rules[family].some(
    ({ iif, ipProtocol, sourcePorts, destinationPorts }) =>
      iif !== "lo" && (ipProtocol !== undefined || sourcePorts !== undefined || destinationPorts !== undefined),
  );
}

/** The packet as nftables first sees it. */
function hookedFrom(packet: Packet): Omit<Hooked, "socket" | "oifs"> {
  const { to, from, mark = 0, tos = 0, uid, gid, ipProtocol, sourcePort, destinationPort } = packet;
  return {
    family: familyOf(to),
    to,
    ...(from === undefined ? {} : { from }),
    ...(ipProtocol === undefined ? {} : { ipProtocol }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    mark,
    tos,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    tracking: "not-yet",
    connectionMark: 0,
    settled: { source: false, destination: false },
    touched: new Set(),
  };
}

/** What routing sees of it. */
function shownBy({ from, to, mark, tos, destinationPort }: Hooked): Partial<Packet> & Pick<Packet, "to"> {
  return {
    to,
    ...(from === undefined ? {} : { from }),
    mark,
    tos,
    ...(destinationPort === undefined ? {} : { destinationPort }),
  };
}

function isOther(a: Hooked, b: Hooked): boolean {
  return a.mark !== b.mark || a.tos !== b.tos || a.to !== b.to || a.destinationPort !== b.destinationPort;
}

/** The source that a packet of this host has once its way is known; absent where that is up to its hash. */
function sourceOf({ packet, verdict }: Way): { from?: string } {
  const { from } = packet;
  if (from !== undefined) return { from };
  if (verdict.is === "refused") return {};
  const sources = new Set(verdict.is === "sent" ? verdict.ways.map(({ source }) => source) : [verdict.source]);
  const [source] = sources;
  return sources.size === 1 && source !== undefined ? { from: source } : {};
}

/** The links that a packet may leave by; what stays here leaves by lo. */
function linksOut(verdict: Verdict): string[] {
  switch (verdict.is) {
    case "sent":
      return [...new Set(verdict.ways.flatMap(({ hop }) => hop.link ?? []))];
    case "assumed":
      return [verdict.link];
    case "delivered":
      return ["lo"];
    case "refused":
      return [];
  }
}

/** The address that masquerading gives; undefined where several ways are open. */
function addressOut(routing: Routing, way: Way, packet: Hooked): string | undefined {
  const { verdict } = lastWay(way);
  const [link] = packet.oifs;
  if (link === undefined || packet.oifs.length !== 1) return undefined;
  if (packet.family === 6) return selectAddress6(routing, link, rangeOf(packet.to)) ?? "none";
  const hops = new Set(verdict.is === "sent" ? verdict.ways.map(({ hop }) => hop.via) : []);
  const [via] = hops;
  if (hops.size > 1 || via?.includes(":")) return undefined;
  return selectAddress4(routing, link, via ?? packet.to, UNIVERSE) ?? "none";
}

/** RT_SCOPE_UNIVERSE. */
const UNIVERSE = 0;

function addressIn(routing: Routing, link: string): string {
  const spec = indexOf(routing)
    .links.get(link)
    ?.addresses.find(({ family }) => family === 4);
  return spec ? hostOf(spec) : "none";
}

function ended({ way, packet, fate, acts, lost }: Journey, alone: Way): Passage {
  const end: Way =
    fate.is === "dropped" && !lost
      ? { ...withoutAgain(lastWay(way)), verdict: { is: "refused", why: "nftables", by: fate.by } }
      : way;
  return { way: end, filtered: { fate, acts, packet, ...(end === alone ? {} : { before: alone }) } };
}

function withoutAgain({ again: _again, ...way }: Way): Way {
  return way;
}
