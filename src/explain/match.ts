// Owns the question whether a rule matches a packet, and which condition it fails on.
//
// Sources: fib_rule_match (net/core/fib_rules.c), fib4_rule_match (net/ipv4/fib_rules.c), fib6_rule_match
// (net/ipv6/fib6_rules.c), l3mdev_fib_rule_match (net/l3mdev/l3mdev.c).
import type { NumberRange } from "../model/kinds.ts";
import type { PictureRule } from "../model/picture.ts";
import { contains, rangeOf } from "../model/prefix.ts";
import type { Range } from "../model/prefix.ts";
import type { Flow } from "./packet.ts";
import { indexOf, kernelIsAtLeast } from "./routing.ts";
import type { Routing } from "./routing.ts";
import { vrfOf } from "./vrf.ts";

/** What a rule may ask for. "more" is what this picture has no word for. */
export type Condition =
  | "from"
  | "to"
  | "iif"
  | "oif"
  | "mark"
  | "tunnelId"
  | "l3mdev"
  | "uids"
  | "tos"
  | "dscp"
  | "ipProtocol"
  | "sourcePorts"
  | "destinationPorts"
  | "more";

const ALL_BITS = 0xffffffff;

/** Bits of the type of service that IPv4 compares with a rule's or a route's `tos` (INET_DSCP_LEGACY_TOS_MASK). */
export const LEGACY_TOS = 0x1c;

/** The unspecified address, which an IPv4 packet has that has no source yet. */
const UNSPECIFIED: Range = rangeOf("0.0.0.0");

/** Whether the rule matches, `not` and all. */
export function matches(routing: Routing, rule: PictureRule, flow: Flow): boolean {
  return (failedCondition(routing, rule, flow) === undefined) !== (rule.not === true);
}

/** The first condition, in the kernel's order, that the packet does not meet, leaving `not` aside; undefined when it meets all. */
export function failedCondition(routing: Routing, rule: PictureRule, flow: Flow): Condition | undefined {
  const { iif, oif } = rule;
  if (iif !== undefined && (rule.iifDetached || !comesBy(routing, iif, flow))) return "iif";
  if (oif !== undefined && (rule.oifDetached || !leavesBy(routing, oif, flow))) return "oif";
  if (rule.mark !== undefined && ((rule.mark ^ flow.mark) & (rule.mask ?? ALL_BITS)) !== 0) return "mark";
  if (rule.tunnelId !== undefined && rule.tunnelId !== flow.tunnelId) return "tunnelId";
  if (rule.l3mdev && vrfOf(routing, flow) === undefined) return "l3mdev";
  if (rule.uids !== undefined && !(flow.uid !== undefined && isIn(rule.uids, flow.uid))) return "uids";
  return failedAddress(rule, flow) ?? failedRest(rule, flow);
}

function failedAddress(rule: PictureRule, flow: Flow): Condition | undefined {
  if (rule.to !== undefined && !contains(rangeOf(rule.to), flow.to)) return "to";
  if (rule.from === undefined) return undefined;
  // IPv4 compares the unspecified address; IPv6 knows that there is none (RT6_LOOKUP_F_HAS_SADDR).
  const from = flow.from ?? (flow.family === 4 ? UNSPECIFIED : undefined);
  return from !== undefined && contains(rangeOf(rule.from), from) ? undefined : "from";
}

function failedRest(rule: PictureRule, flow: Flow): Condition | undefined {
  if (rule.tos !== undefined && rule.tos !== (flow.family === 4 ? flow.tos & LEGACY_TOS : flow.tos)) return "tos";
  if (rule.ipProtocol !== undefined && rule.ipProtocol !== flow.ipProtocol) return "ipProtocol";
  // What it asks for besides may be a mask of what follows.
  if (rule.partial) return "more";
  if (rule.dscp !== undefined && rule.dscp !== flow.tos >> 2) return "dscp";
  if (rule.sourcePorts !== undefined && !isIn(rule.sourcePorts, flow.sourcePort)) return "sourcePorts";
  if (rule.destinationPorts !== undefined && !isIn(rule.destinationPorts, flow.destinationPort)) {
    return "destinationPorts";
  }
  return undefined;
}

function comesBy(routing: Routing, name: string, flow: Flow): boolean {
  return isLink(routing, name, flow.iif) || (flow.vrfOut !== true && isVrf(routing, name, flow));
}

function leavesBy(routing: Routing, name: string, flow: Flow): boolean {
  return isLink(routing, name, flow.oif) || (flow.vrfOut === true && isVrf(routing, name, flow));
}

/** Since 6.14 a rule may ask for a VRF (l3mdev_fib_rule_iif_match, l3mdev_fib_rule_oif_match in include/net/l3mdev.h). */
function isVrf(routing: Routing, name: string, { vrf }: Flow): boolean {
  return vrf !== undefined && isLink(routing, name, vrf) && kernelIsAtLeast(routing, 6, 14) !== false;
}

/** Whether a name, which may be one of a link's other names, is that of the link. */
function isLink(routing: Routing, name: string, link: string | undefined): boolean {
  if (link === undefined) return false;
  return name === link || indexOf(routing).links.get(name)?.name === link;
}

function isIn({ first, last }: NumberRange, number: number): boolean {
  return first <= number && number <= last;
}
