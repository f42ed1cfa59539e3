// Owns rules as messages: struct fib_rule_hdr and FRA_* (linux/fib_rules.h, linux/rtnetlink.h), both ways.
import type { Family } from "../../model/ip.ts";
import type { NumberRange, RuleAction } from "../../model/kinds.ts";
import { AF } from "./constants.ts";
import type { Encoder } from "./encoder.ts";
import { eachAttribute, MalformedMessage, type Packet, type UnknownAttribute } from "./packet.ts";

/** A rule as the kernel says it. Absent means that the kernel's default holds. */
export interface RuleMessage {
  family: Family;
  /** 0–4294967295; absent in a request lets the kernel choose, absent in an answer is 0. */
  priority?: number;
  /** By name where there is one. */
  action: RuleAction | number;
  table?: number;
  /** Priority of the rule to go on with. */
  goto?: number;
  /** FIB_RULE_INVERT. */
  not?: true;
  /** RULE_FLAG bits; without INVERT. */
  flags: number;
  from?: string;
  to?: string;
  tos?: number;
  /** 6-bit; kernel 6.13. */
  dscp?: number;
  /** Kernel 6.16. */
  dscpMask?: number;
  iif?: string;
  oif?: string;
  mark?: number;
  /** The kernel always gives one with a mark: all ones when none was asked for. */
  mask?: number;
  uids?: NumberRange;
  ipProtocol?: number;
  sourcePorts?: NumberRange;
  destinationPorts?: NumberRange;
  /** Kernel 6.15. */
  sourcePortMask?: number;
  destinationPortMask?: number;
  /** IPv6 flow label, 20 bits; kernel 6.14. */
  flowLabel?: number;
  flowLabelMask?: number;
  tunnelId?: bigint;
  l3mdev?: true;
  suppressPrefixLength?: number;
  suppressGroup?: number;
  protocol?: number;
  /** Realms, source in the upper half (FRA_FLOW). */
  realms?: number;
  unknown?: UnknownAttribute[];
}

/** Bits of `flags` (FIB_RULE_*). */
export const RULE_FLAG = {
  permanent: 1,
  /** The target of a goto is not there. */
  unresolved: 4,
  iifDetached: 8,
  oifDetached: 16,
  findSource: 0x10000,
} as const;

const INVERT = 2;
const HEADER_LENGTH = 12;
/** What the kernel says of a suppression that is not asked for. */
const NOT_SUPPRESSED = 0xffffffff;

const ACTIONS: readonly (RuleAction | undefined)[] = [
  undefined,
  "table",
  "goto",
  "nop",
  undefined,
  undefined,
  "blackhole",
  "unreachable",
  "prohibit",
];

// FRA_* (linux/fib_rules.h; 25 and up from kernels 6.13 to 6.16).
const DST = 1;
const SRC = 2;
const IIFNAME = 3;
const GOTO = 4;
const PRIORITY = 6;
const FWMARK = 10;
const FLOW = 11;
const TUN_ID = 12;
const SUPPRESS_IFGROUP = 13;
const SUPPRESS_PREFIXLEN = 14;
const TABLE = 15;
const FWMASK = 16;
const OIFNAME = 17;
const L3MDEV = 19;
const UID_RANGE = 20;
const PROTOCOL = 21;
const IP_PROTO = 22;
const SPORT_RANGE = 23;
const DPORT_RANGE = 24;
const DSCP = 25;
const FLOWLABEL = 26;
const FLOWLABEL_MASK = 27;
const SPORT_MASK = 28;
const DPORT_MASK = 29;
const DSCP_MASK = 30;

const ANY = { 4: "0.0.0.0", 6: "::" } as const;

/**
 * Reads a rule whose struct fib_rule_hdr starts at `at`. undefined when it is of a family other than IPv4 and IPv6.
 * Throws MalformedMessage.
 */
export function decodeRule(packet: Packet, at: number, end: number): RuleMessage | undefined {
  packet.need(at, HEADER_LENGTH, end);
  const { view } = packet;
  const number = view.getUint8(at);
  if (number !== AF[4] && number !== AF[6]) return undefined;
  const family = number === AF[4] ? 4 : 6;
  const toLength = view.getUint8(at + 1);
  const fromLength = view.getUint8(at + 2);
  const bits = family === 4 ? 32 : 128;
  if (toLength > bits || fromLength > bits)
    throw new MalformedMessage("a prefix is longer than its family's addresses");
  const action = view.getUint8(at + 7);
  const flags = view.getUint32(at + 8, true);
  const rule: RuleMessage = { family, action: ACTIONS[action] ?? action, flags: (flags & ~INVERT) >>> 0 };
  if ((flags & INVERT) !== 0) rule.not = true;
  const tos = view.getUint8(at + 3);
  if (tos !== 0) rule.tos = tos;
  let table = view.getUint8(at + 4);
  let to: string = ANY[family];
  let from: string = ANY[family];
  eachAttribute(packet, at + HEADER_LENGTH, end, (type, start, length) => {
    if (type === DST) to = packet.addressOf(family, start, length);
    else if (type === SRC) from = packet.addressOf(family, start, length);
    else if (type === TABLE) table = packet.u32(start, length);
    else if (!decodeAnswer(packet, rule, type, start, length)) decodeSelector(packet, rule, type, start, length);
  });
  if (table !== 0) rule.table = table;
  if (toLength !== 0) rule.to = `${to}/${toLength}`;
  if (fromLength !== 0) rule.from = `${from}/${fromLength}`;
  return rule;
}

/** What becomes of the packet, and when: what nearly all rules say. False for an attribute that says something else. */
function decodeAnswer(packet: Packet, rule: RuleMessage, type: number, at: number, length: number): boolean {
  if (type === PRIORITY) rule.priority = packet.u32(at, length);
  else if (type === PROTOCOL) rule.protocol = packet.u8(at, length);
  else if (type === SUPPRESS_PREFIXLEN) {
    const prefixLength = packet.u32(at, length);
    if (prefixLength !== NOT_SUPPRESSED) rule.suppressPrefixLength = prefixLength;
  } else if (type === SUPPRESS_IFGROUP) {
    const group = packet.u32(at, length);
    if (group !== NOT_SUPPRESSED) rule.suppressGroup = group;
  } else if (type === GOTO) rule.goto = packet.u32(at, length);
  else if (type === FLOW) rule.realms = packet.u32(at, length);
  else if (type === L3MDEV) {
    if (packet.u8(at, length) !== 0) rule.l3mdev = true;
  } else return false;
  return true;
}

/** What the packet must be like. */
function decodeSelector(packet: Packet, rule: RuleMessage, type: number, at: number, length: number): void {
  if (type === IIFNAME) rule.iif = packet.text(at, length);
  else if (type === OIFNAME) rule.oif = packet.text(at, length);
  else if (type === FWMARK) rule.mark = packet.u32(at, length);
  else if (type === FWMASK) rule.mask = packet.u32(at, length);
  else if (type === UID_RANGE) rule.uids = wideRange(packet, at, length);
  else if (type === IP_PROTO) rule.ipProtocol = packet.u8(at, length);
  else if (type === SPORT_RANGE) rule.sourcePorts = portRange(packet, at, length);
  else if (type === DPORT_RANGE) rule.destinationPorts = portRange(packet, at, length);
  else if (type === SPORT_MASK) rule.sourcePortMask = packet.u16(at, length);
  else if (type === DPORT_MASK) rule.destinationPortMask = packet.u16(at, length);
  else if (type === DSCP) rule.dscp = packet.u8(at, length);
  else if (type === DSCP_MASK) rule.dscpMask = packet.u8(at, length);
  else if (type === FLOWLABEL) rule.flowLabel = packet.be32(at, length);
  else if (type === FLOWLABEL_MASK) rule.flowLabelMask = packet.be32(at, length);
  else if (type === TUN_ID) rule.tunnelId = packet.be64(at, length);
  else rule.unknown = packet.keep(rule.unknown, at, length);
}

function wideRange(packet: Packet, at: number, length: number): NumberRange {
  if (length !== 8) throw new MalformedMessage(`a range of user ids has ${length} bytes`);
  return { first: packet.view.getUint32(at, true), last: packet.view.getUint32(at + 4, true) };
}

function portRange(packet: Packet, at: number, length: number): NumberRange {
  if (length !== 4) throw new MalformedMessage(`a range of ports has ${length} bytes`);
  return { first: packet.view.getUint16(at, true), last: packet.view.getUint16(at + 2, true) };
}

/** Appends a whole message of a type such as RTM_NEWRULE. Throws RangeError for a value that its field cannot hold. */
export function encodeRule(encoder: Encoder, type: number, flags: number, sequence: number, rule: RuleMessage): void {
  const header = encoder.message(type, flags, sequence, HEADER_LENGTH);
  encoder.setU8(header, AF[rule.family]);
  encoder.setU8(header + 3, rule.tos ?? 0);
  const table = rule.table ?? 0;
  // A table that the 8-bit field cannot hold is RT_TABLE_COMPAT there.
  encoder.setU8(header + 4, table < 256 ? table : 252);
  encoder.setU8(header + 7, typeof rule.action === "number" ? rule.action : ACTIONS.indexOf(rule.action));
  encoder.setU32(header + 8, (rule.flags | (rule.not === true ? INVERT : 0)) >>> 0);
  encodePrefix(encoder, header + 1, DST, rule.to, rule.family);
  encodePrefix(encoder, header + 2, SRC, rule.from, rule.family);
  encoder.u32(TABLE, rule.table);
  encoder.u32(PRIORITY, rule.priority);
  encoder.u32(GOTO, rule.goto);
  encoder.u8(PROTOCOL, rule.protocol);
  encoder.u32(SUPPRESS_PREFIXLEN, rule.suppressPrefixLength);
  encoder.u32(SUPPRESS_IFGROUP, rule.suppressGroup);
  encoder.u32(FLOW, rule.realms);
  if (rule.l3mdev === true) encoder.u8(L3MDEV, 1);
  encodeSelectors(encoder, rule);
  encoder.unknown(rule.unknown);
  encoder.finish(header);
}

function encodePrefix(encoder: Encoder, at: number, type: number, text: string | undefined, family: Family): void {
  // The kernel refuses an address with a length of 0, and none is written.
  if (text !== undefined) encoder.setU8(at, encoder.prefix(type, text, family));
}

function encodeSelectors(encoder: Encoder, rule: RuleMessage): void {
  encoder.text(IIFNAME, rule.iif);
  encoder.text(OIFNAME, rule.oif);
  encoder.u32(FWMARK, rule.mark);
  encoder.u32(FWMASK, rule.mask);
  encoder.be64(TUN_ID, rule.tunnelId);
  if (rule.uids !== undefined) {
    const at = encoder.attribute(UID_RANGE, 8);
    encoder.setU32(at, rule.uids.first);
    encoder.setU32(at + 4, rule.uids.last);
  }
  encoder.u8(IP_PROTO, rule.ipProtocol);
  encodePorts(encoder, SPORT_RANGE, rule.sourcePorts);
  encodePorts(encoder, DPORT_RANGE, rule.destinationPorts);
  encoder.u8(DSCP, rule.dscp);
  encoder.be32(FLOWLABEL, rule.flowLabel);
  encoder.be32(FLOWLABEL_MASK, rule.flowLabelMask);
  encoder.u16(SPORT_MASK, rule.sourcePortMask);
  encoder.u16(DPORT_MASK, rule.destinationPortMask);
  encoder.u8(DSCP_MASK, rule.dscpMask);
}

function encodePorts(encoder: Encoder, type: number, ports: NumberRange | undefined): void {
  if (ports === undefined) return;
  const at = encoder.attribute(type, 4);
  encoder.setU16(at, ports.first);
  encoder.setU16(at + 2, ports.last);
}
