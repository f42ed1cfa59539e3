// Owns the Extensible Record Format of capture cards (Endace, "ERF types reference"): what InfiniBand captures are in.
//
//     time:64 (least significant byte first; seconds in the upper half) | ext:1 type:7 | flags:8 | rlen:16 | lctr:16 | wlen:16
import { u16, u32le, u8 } from "../codec/bytes.ts";
import { BrokenCapture, MORE } from "./captured-packet.ts";
import type { CapturedPacket, Taken } from "./captured-packet.ts";

const HEADER_BYTES = 16;
const EXTENSION_BYTES = 8;
const TYPE_ETHERNET = 2;
const TYPE_INFINIBAND = 21;
/** The highest type of record that there is. */
const HIGHEST_TYPE = 48;

/** Whether these may be the first bytes of a file of ERF records, which has no mark of its own. */
export function looksLikeErf(bytes: Uint8Array, at: number): boolean {
  const type = u8(bytes, at + 8) & 0x7f;
  return (type === TYPE_INFINIBAND || type === TYPE_ETHERNET) && isRecord(bytes, at);
}

function isRecord(bytes: Uint8Array, at: number): boolean {
  const type = u8(bytes, at + 8) & 0x7f;
  return type > 0 && type <= HIGHEST_TYPE && u16(bytes, at + 10) >= HEADER_BYTES;
}

/** Reads one record of a file; its time and length are those of the packet. */
export function readErf(bytes: Uint8Array, at: number, to: number, into: CapturedPacket): Taken {
  if (at + HEADER_BYTES > to) return MORE;
  if (!isRecord(bytes, at)) throw new BrokenCapture("is no ERF record");
  const length = u16(bytes, at + 10);
  if (at + length > to) return MORE;
  openErf(bytes, at, at + length, into);
  return { bytes: length, packet: true };
}

/** Reads the record that fills the bytes from `at` up to `to`, of a file or of a pcap packet. False when it is none. */
export function openErf(bytes: Uint8Array, at: number, to: number, into: CapturedPacket): boolean {
  into.bytes = bytes;
  into.from = at;
  into.to = to;
  into.wireBytes = to - at;
  into.linkLayer = "unknown";
  if (at + HEADER_BYTES > to) return false;
  const end = Math.min(to, at + u16(bytes, at + 10));
  let from = at + HEADER_BYTES;
  for (let more = u8(bytes, at + 8) & 0x80; more !== 0 && from < end; from += EXTENSION_BYTES) {
    more = u8(bytes, from) & 0x80;
  }
  const type = u8(bytes, at + 8) & 0x7f;
  // Two bytes before an Ethernet frame align what follows its header.
  if (type === TYPE_ETHERNET) from += 2;
  if (from > end) return false;
  into.seconds = u32le(bytes, at + 4);
  // To the nearest, but never up to the next second.
  into.nanoseconds = Math.min(999_999_999, Math.round((u32le(bytes, at) * 1e9) / 2 ** 32));
  into.wireBytes = u16(bytes, at + 14);
  into.from = from;
  // The record is padded; the packet is not.
  into.to = Math.min(end, from + into.wireBytes);
  if (type === TYPE_INFINIBAND) into.linkLayer = "infiniband";
  if (type === TYPE_ETHERNET) into.linkLayer = "ethernet";
  return true;
}
