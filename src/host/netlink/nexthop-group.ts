// Owns what only groups of nexthop objects have: their members (struct nexthop_grp) and the timers of resilient ones
// (NHA_RES_GROUP_*, linux/nexthop.h).
import type { Encoder } from "./encoder.ts";
import { eachAttribute, MalformedMessage, type Packet, type UnknownAttribute } from "./packet.ts";

/** A member of a group. */
export interface MemberMessage {
  id: number;
  /** 1–65535; kernels before 6.12 refuse more than 256. */
  weight: number;
}

/** What is particular to a resilient group. Times are in clock ticks of 1/100 s. */
export interface ResilienceMessage {
  buckets?: number;
  idleTimer?: number;
  unbalancedTimer?: number;
  unknown?: UnknownAttribute[];
}

/** NHA_OP_FLAGS of an answer: the kernel fills the upper half of weights, or leaves it 0 (NHA_OP_FLAG_RESP_GRP_RESVD_0). */
const UPPER_HALF_SAID = 0x80000000;

const MEMBER_LENGTH = 8;

/** One less than the field could say: the kernel counts in 16 bits from 1 (nh_check_attr_group). */
const MOST_WEIGHT = 65535;

// NHA_RES_GROUP_* (linux/nexthop.h).
const BUCKETS = 1;
const IDLE_TIMER = 2;
const UNBALANCED_TIMER = 3;

/** Reads the payload of NHA_GROUP. `answerFlags` are the NHA_OP_FLAGS that came with it. */
export function decodeMembers(packet: Packet, at: number, length: number, answerFlags = 0): MemberMessage[] {
  if (length % MEMBER_LENGTH !== 0) throw new MalformedMessage(`the members of a group take ${length} bytes`);
  // Kernels before 6.12 leave there whatever the memory held.
  const wide = (answerFlags & UPPER_HALF_SAID) !== 0;
  const members: MemberMessage[] = [];
  for (const end = at + length; at < end; at += MEMBER_LENGTH) {
    const upper = wide ? packet.view.getUint8(at + 5) : 0;
    members.push({ id: packet.view.getUint32(at, true), weight: ((upper << 8) | packet.view.getUint8(at + 4)) + 1 });
  }
  return members;
}

/** Appends NHA_GROUP. RangeError for a weight outside 1–65535. */
export function encodeMembers(encoder: Encoder, type: number, members: readonly MemberMessage[]): void {
  let at = encoder.attribute(type, members.length * MEMBER_LENGTH);
  for (const { id, weight } of members) {
    encoder.setU32(at, id);
    if (weight > MOST_WEIGHT) throw new RangeError(`${weight} is too large a weight`);
    // Checked as a whole, then split: the kernel has the upper byte where it used to have padding.
    encoder.setU16(at + 4, weight - 1);
    at += MEMBER_LENGTH;
  }
}

/** Reads the payload of NHA_RES_GROUP. */
export function decodeResilience(packet: Packet, at: number, length: number): ResilienceMessage {
  const message: ResilienceMessage = {};
  eachAttribute(packet, at, at + length, (type, start, size) => {
    if (type === BUCKETS) message.buckets = packet.u16(start, size);
    else if (type === IDLE_TIMER) message.idleTimer = packet.u32(start, size);
    else if (type === UNBALANCED_TIMER) message.unbalancedTimer = packet.u32(start, size);
    else message.unknown = packet.keep(message.unknown, start, size);
  });
  return message;
}

/** Appends NHA_RES_GROUP. */
export function encodeResilience(encoder: Encoder, type: number, message: ResilienceMessage): void {
  const nest = encoder.attribute(type, 0);
  encoder.u16(BUCKETS, message.buckets);
  encoder.u32(IDLE_TIMER, message.idleTimer);
  encoder.u32(UNBALANCED_TIMER, message.unbalancedTimer);
  encoder.unknown(message.unknown);
  encoder.endNest(nest);
}
