// Owns the variant CRC: from hop to hop of an InfiniBand subnet, over every byte as it is (IBA vol 1, 7.8.2).
import { setU8, u8 } from "./bytes.ts";
import { CRC16, crcBytes } from "./crc.ts";
import type { PacketParts } from "./packet-parts.ts";

export const VCRC_BYTES = 2;

/** The VCRC of the bytes from the LRH at `from` to behind the ICRC at `to`, as the number that setVcrc stores. */
export function computeVcrc(bytes: Uint8Array, from: number, to: number): number {
  return ~crcBytes(CRC16, 0xffff, bytes, from, to) & 0xffff;
}

/** Whether a packet whose VCRC was located has the one that it should have. */
export function vcrcIsRight(parts: PacketParts, bytes: Uint8Array): boolean {
  const { lrh, vcrc } = parts;
  return computeVcrc(bytes, lrh, vcrc) === (u8(bytes, vcrc) | (u8(bytes, vcrc + 1) << 8));
}

/** Stores a VCRC: least significant byte first. */
export function setVcrc(bytes: Uint8Array, at: number, vcrc: number): void {
  setU8(bytes, at, vcrc & 0xff);
  setU8(bytes, at + 1, vcrc >>> 8);
}
