// Owns the messages that hosts send to groups to try them: numbered, so that what is lost, doubled or reordered is seen.
import { Bth, Deth } from "../codec/bth.ts";
import { setU32, u32 } from "../codec/bytes.ts";
import { Ethernet } from "../codec/ethernet.ts";
import { Grh } from "../codec/grh.ts";
import { Ipv4 } from "../codec/ipv4.ts";
import { Lrh } from "../codec/lrh.ts";
import { UD_SEND_ONLY, UD_SEND_ONLY_WITH_IMMEDIATE } from "../codec/opcodes.ts";
import { buildPacket } from "../codec/build-packet.ts";
import type { PacketFields, Wire } from "../codec/build-packet.ts";
import { Udp } from "../codec/udp.ts";

/** Bytes of sender, number and mark at the start of a message. */
export const MESSAGE_BYTES = 12;
/** Says that a payload is one of these: "heddle" would be too long. */
const MARK = 0x68656464;

/** A payload of at least MESSAGE_BYTES that says who sent it and its number. */
export function numbered(sender: number, number: number, length = 64): Uint8Array {
  const payload = new Uint8Array(length).fill(number & 0xff);
  setU32(payload, 0, sender);
  setU32(payload, 4, number);
  setU32(payload, 8, MARK);
  return payload;
}

/** Whether the payload from `at` up to `to` is numbered. */
export function isNumbered(bytes: Uint8Array, at: number, to: number): boolean {
  return to - at >= MESSAGE_BYTES && u32(bytes, at + 8) === MARK;
}

/** Sender and number of a payload that is numbered. */
export function readNumber(payload: Uint8Array, at = 0): { sender: number; number: number } {
  return { sender: u32(payload, at), number: u32(payload, at + 4) };
}

/** A packet to a group with everything that may be changed. */
export function groupPacket(wire: Wire, payload: Uint8Array, change: (fields: PacketFields) => void): Uint8Array {
  const fields: PacketFields = {
    wire,
    ethernet: new Ethernet(),
    vlans: [],
    ipv4: Object.assign(new Ipv4(), { ttl: 64, dontFragment: true }),
    grh: new Grh(),
    udp: Object.assign(new Udp(), { sourcePort: 0xd078 }),
    checksum: wire === "roce-ipv6",
    lrh: new Lrh(),
    bth: Object.assign(new Bth(), { opcode: UD_SEND_ONLY, pKey: 0xffff, destQp: 0xffffff }),
    deth: Object.assign(new Deth(), { qKey: 0x01234567, srcQp: 0x11 }),
    immediate: 0,
    extension: new Uint8Array(),
    payload,
  };
  change(fields);
  return buildPacket(fields);
}

/** Gives a packet immediate data. */
export function withImmediate(fields: PacketFields, immediate: number): void {
  fields.bth.opcode = UD_SEND_ONLY_WITH_IMMEDIATE;
  fields.immediate = immediate;
}
