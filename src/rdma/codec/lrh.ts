// Owns the Local Route Header of InfiniBand packets (IBA vol 1, 7.7), 8 bytes.
//
//     VL:4 LVer:4 | SL:4 rsv:2 LNH:2 | DLID:16 | rsv:5 PktLen:11 | SLID:16
import { setU16, setU8, u16, u8, within } from "./bytes.ts";

export const LRH_BYTES = 8;
/** The first LID of groups (IBA vol 1, 4.1.3). */
export const FIRST_MLID = 0xc000;

/** What follows the LRH, its field LNH. */
export const LNH = { rawEthertype: 0, rawIpv6: 1, bth: 2, grh: 3 } as const;

/** Fields of an LRH. */
export class Lrh {
  /** Virtual lane, 0–15. */
  vl = 0;
  /** Link version, 0. */
  version = 0;
  /** Service level, 0–15. */
  sl = 0;
  /** See LNH. */
  next = 0;
  dlid = 0;
  /** Length in 4-byte words from the LRH up to and with the ICRC, 0–2047. The VCRC does not count. */
  words = 0;
  slid = 0;
}

/** Reads the header at `at`; reserved bits are passed over. */
export function readLrh(bytes: Uint8Array, at: number, into: Lrh): void {
  const first = u8(bytes, at);
  const second = u8(bytes, at + 1);
  into.vl = first >> 4;
  into.version = first & 0x0f;
  into.sl = second >> 4;
  into.next = second & 0x03;
  into.dlid = u16(bytes, at + 2);
  into.words = lrhWords(bytes, at);
  into.slid = u16(bytes, at + 6);
}

/** Writes the header at `at`. RangeError for a value that its field cannot hold. */
export function writeLrh(bytes: Uint8Array, at: number, from: Lrh): void {
  setU8(bytes, at, (within(from.vl, 0x0f) << 4) | within(from.version, 0x0f));
  setU8(bytes, at + 1, (within(from.sl, 0x0f) << 4) | within(from.next, 0x03));
  setU16(bytes, at + 2, from.dlid);
  setU16(bytes, at + 4, within(from.words, 0x7ff));
  setU16(bytes, at + 6, from.slid);
}

/** The field PktLen alone, in words of 4 bytes. */
export function lrhWords(bytes: Uint8Array, at: number): number {
  return u16(bytes, at + 4) & 0x7ff;
}

/** The field LNH alone. */
export function lrhNext(bytes: Uint8Array, at: number): number {
  return u8(bytes, at + 1) & 0x03;
}
