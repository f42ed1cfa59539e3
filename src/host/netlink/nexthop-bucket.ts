// Owns buckets of resilient nexthop groups as messages (NHA_RES_BUCKET_*, linux/nexthop.h), which the kernel says and nobody
// may set.
import { eachAttribute, MalformedMessage, type Packet } from "./packet.ts";

/** A bucket: packets whose hash leads to it go by one nexthop. */
export interface BucketMessage {
  /** Id of the group. */
  group: number;
  /** From 0. */
  index: number;
  /** Id of the nexthop. */
  nexthop: number;
}

const HEADER_LENGTH = 8;

// NHA_* (linux/nexthop.h).
const ID = 1;
const RES_BUCKET = 13;
const INDEX = 1;
const NH_ID = 3;

/** Reads a bucket whose struct nhmsg starts at `at`. Throws MalformedMessage. */
export function decodeBucket(packet: Packet, at: number, end: number): BucketMessage {
  packet.need(at, HEADER_LENGTH, end);
  const message: Partial<BucketMessage> = {};
  eachAttribute(packet, at + HEADER_LENGTH, end, (type, start, length) => {
    if (type === ID) message.group = packet.u32(start, length);
    if (type !== RES_BUCKET) return;
    eachAttribute(packet, start, start + length, (inner, from, bytes) => {
      if (inner === INDEX) message.index = packet.u16(from, bytes);
      else if (inner === NH_ID) message.nexthop = packet.u32(from, bytes);
    });
  });
  const { group, index, nexthop } = message;
  if (group === undefined || index === undefined || nexthop === undefined) {
    throw new MalformedMessage("a message about a bucket does not say which, or where it leads");
  }
  return { group, index, nexthop };
}
