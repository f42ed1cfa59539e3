// Owns nexthop objects as messages: struct nhmsg and NHA_* (linux/nexthop.h), both ways.
import { familyOf } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import { AF, NESTED } from "./constants.ts";
import type { Encoder } from "./encoder.ts";
import { ONLINK } from "./hops.ts";
import { decodeMembers, decodeResilience, encodeMembers, encodeResilience } from "./nexthop-group.ts";
import type { MemberMessage, ResilienceMessage } from "./nexthop-group.ts";
import { eachAttribute, MalformedMessage, type Packet, type UnknownAttribute } from "./packet.ts";

/** A nexthop object as the kernel says it. */
export interface NexthopMessage {
  id: number;
  /** Absent for a group, which is of no family (AF_UNSPEC). */
  family?: Family;
  /** rtm_scope; the kernel says it, and refuses a request that does. */
  scope: number;
  protocol: number;
  /** HOP_FLAG bits; without ONLINK. */
  flags: number;
  onlink?: true;
  /** Interface index. A blackhole has none, whatever the kernel lets it lead to. */
  oif?: number;
  gateway?: string;
  blackhole?: true;
  /** An entry for a VXLAN's forwarding table, no way for routes. */
  fdb?: true;
  /** For a group. */
  members?: MemberMessage[];
  /** GROUP_TYPE numbers. */
  groupType?: number;
  resilience?: ResilienceMessage;
  master?: number;
  encapType?: number;
  /** Payload of NHA_ENCAP as it came. */
  encap?: Uint8Array;
  /** What the kernel says of its own answer (NHA_OP_FLAGS); refused in a request. */
  answerFlags?: number;
  unknown?: UnknownAttribute[];
}

/** Types of groups (NEXTHOP_GRP_TYPE_*). */
export const GROUP_TYPE = { hashThreshold: 0, resilient: 1 } as const;

const HEADER_LENGTH = 8;

// NHA_* (linux/nexthop.h).
const ID = 1;
const GROUP = 2;
const TYPE = 3;
const BLACKHOLE = 4;
const OIF = 5;
const GATEWAY = 6;
const ENCAP_TYPE = 7;
const ENCAP = 8;
const MASTER = 10;
const FDB = 11;
const RES_GROUP = 12;
const OP_FLAGS = 14;

/**
 * Reads a nexthop object whose struct nhmsg starts at `at`. undefined when it is of another family. Throws
 * MalformedMessage, also when it has no id.
 */
export function decodeNexthop(packet: Packet, at: number, end: number): NexthopMessage | undefined {
  packet.need(at, HEADER_LENGTH, end);
  const { view } = packet;
  const number = view.getUint8(at);
  if (number !== 0 && number !== AF[4] && number !== AF[6]) return undefined;
  const flags = view.getUint32(at + 4, true);
  const message: NexthopMessage = {
    id: 0,
    scope: view.getUint8(at + 1),
    protocol: view.getUint8(at + 2),
    flags: (flags & ~ONLINK) >>> 0,
  };
  if (number !== 0) message.family = number === AF[4] ? 4 : 6;
  if ((flags & ONLINK) !== 0) message.onlink = true;
  let members: { at: number; length: number } | undefined;
  eachAttribute(packet, at + HEADER_LENGTH, end, (type, start, length) => {
    if (type === ID) message.id = packet.u32(start, length);
    else if (type === OIF) message.oif = packet.u32(start, length);
    else if (type === GATEWAY) message.gateway = packet.address(start, length);
    else if (type === BLACKHOLE) message.blackhole = true;
    else if (type === FDB) message.fdb = true;
    else if (type === GROUP) members = { at: start, length };
    else if (type === TYPE) message.groupType = packet.u16(start, length);
    else if (type === RES_GROUP) message.resilience = decodeResilience(packet, start, length);
    else if (type === OP_FLAGS) message.answerFlags = packet.u32(start, length);
    else if (type === MASTER) message.master = packet.u32(start, length);
    else if (type === ENCAP_TYPE) message.encapType = packet.u16(start, length);
    else if (type === ENCAP) message.encap = packet.copy(start, length);
    else message.unknown = packet.keep(message.unknown, start, length);
  });
  if (message.id === 0) throw new MalformedMessage("a nexthop message holds no id");
  // Read last: an attribute behind it says whether its weights have an upper half.
  if (members) message.members = decodeMembers(packet, members.at, members.length, message.answerFlags);
  return message;
}

/** Appends a whole message, RTM_NEWNEXTHOP. Throws RangeError for a value that its field cannot hold. */
export function encodeNexthop(
  encoder: Encoder,
  type: number,
  flags: number,
  sequence: number,
  message: NexthopMessage,
): void {
  const header = encoder.message(type, flags, sequence, HEADER_LENGTH);
  encoder.setU8(header, message.family === undefined ? 0 : AF[message.family]);
  encoder.setU8(header + 1, message.scope);
  encoder.setU8(header + 2, message.protocol);
  encoder.setU32(header + 4, (message.flags | (message.onlink === true ? ONLINK : 0)) >>> 0);
  encoder.u32(ID, message.id);
  if (message.members !== undefined) encodeMembers(encoder, GROUP, message.members);
  encoder.u16(TYPE, message.groupType);
  if (message.resilience !== undefined) encodeResilience(encoder, RES_GROUP | NESTED, message.resilience);
  if (message.blackhole === true) encoder.attribute(BLACKHOLE, 0);
  encoder.u32(OIF, message.oif);
  // A nexthop's family is that of its gateway (nh_create_ipv4, nh_create_ipv6).
  const { gateway } = message;
  if (gateway !== undefined) encoder.address(GATEWAY, gateway, message.family ?? familyOf(gateway));
  if (message.encap !== undefined) encoder.raw(ENCAP | NESTED, message.encap);
  encoder.u16(ENCAP_TYPE, message.encapType);
  encoder.u32(MASTER, message.master);
  if (message.fdb === true) encoder.attribute(FDB, 0);
  encoder.u32(OP_FLAGS, message.answerFlags);
  encoder.unknown(message.unknown);
  encoder.finish(header);
}

/** Appends a whole message, RTM_DELNEXTHOP: an id, and nothing else, which the kernel would refuse. */
export function encodeNexthopId(encoder: Encoder, type: number, flags: number, sequence: number, id: number): void {
  const header = encoder.message(type, flags, sequence, HEADER_LENGTH);
  encoder.u32(ID, id);
  encoder.finish(header);
}
