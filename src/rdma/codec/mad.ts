// Owns the header that all management datagrams have (IBA vol 1, 13.4.3), 24 bytes of their 256.
//
//     BaseVersion:8 MgmtClass:8 ClassVersion:8 R:1 Method:7 | Status:16 ClassSpecific:16 | TransactionID:64
//     AttributeID:16 rsv:16 | AttributeModifier:32
import { setU16, setU32, setU8, u16, u32, u8, within } from "./bytes.ts";

/** Every management datagram is as long. */
export const MAD_BYTES = 256;
/** The bytes of the common header. */
export const MAD_HEADER_BYTES = 24;

export const MANAGEMENT_CLASS = {
  subnetLid: 0x01,
  subnetDirected: 0x81,
  sa: 0x03,
  performance: 0x04,
  cm: 0x07,
} as const;

/** Methods without the bit for an answer (IBA vol 1, 13.4.5; those of the SA: 15.2.2). */
export const METHOD = {
  get: 0x01,
  set: 0x02,
  send: 0x03,
  trap: 0x05,
  report: 0x06,
  trapRepress: 0x07,
  getTable: 0x12,
  delete: 0x15,
} as const;

/** Fields of the common header. */
export class MadHeader {
  baseVersion = 1;
  managementClass = 0;
  classVersion = 0;
  /** See METHOD. */
  method = 0;
  /** It answers a request. */
  answer = false;
  status = 0;
  /** Means something in directed routes only. */
  classSpecific = 0;
  /** The transaction's two halves; an answer repeats them. */
  tidHigh = 0;
  tidLow = 0;
  attribute = 0;
  modifier = 0;
}

/** Reads the header at `at`, of a datagram that is whole. */
export function readMadHeader(bytes: Uint8Array, at: number, into: MadHeader): void {
  const method = u8(bytes, at + 3);
  into.baseVersion = u8(bytes, at);
  into.managementClass = u8(bytes, at + 1);
  into.classVersion = u8(bytes, at + 2);
  into.method = method & 0x7f;
  into.answer = (method & 0x80) !== 0;
  into.status = u16(bytes, at + 4);
  into.classSpecific = u16(bytes, at + 6);
  into.tidHigh = u32(bytes, at + 8);
  into.tidLow = u32(bytes, at + 12);
  into.attribute = u16(bytes, at + 16);
  into.modifier = u32(bytes, at + 20);
}

/** Writes the header at `at`. RangeError for a value that its field cannot hold. */
export function writeMadHeader(bytes: Uint8Array, at: number, from: MadHeader): void {
  setU8(bytes, at, from.baseVersion);
  setU8(bytes, at + 1, from.managementClass);
  setU8(bytes, at + 2, from.classVersion);
  setU8(bytes, at + 3, within(from.method, 0x7f) | (from.answer ? 0x80 : 0));
  setU16(bytes, at + 4, from.status);
  setU16(bytes, at + 6, from.classSpecific);
  setU32(bytes, at + 8, from.tidHigh);
  setU32(bytes, at + 12, from.tidLow);
  setU16(bytes, at + 16, from.attribute);
  setU16(bytes, at + 18, 0);
  setU32(bytes, at + 20, from.modifier);
}
