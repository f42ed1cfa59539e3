// Owns the Base Transport Header (IBA vol 1, 9.2), 12 bytes, and what UD adds to it: DETH (9.3.2) and ImmDt (9.3.6).
//
//     BTH   OpCode:8 | SE:1 M:1 Pad:2 TVer:4 | P_Key:16 | F:1 B:1 rsv:6 | DestQP:24 | A:1 rsv:7 | PSN:24
//     DETH  Q_Key:32 | rsv:8 | SrcQP:24
//     ImmDt 32 bits
import { setU16, setU24, setU32, setU8, u16, u24, u32, u8, within } from "./bytes.ts";

export const BTH_BYTES = 12;
export const DETH_BYTES = 8;
export const IMM_BYTES = 4;
/** The queue pair of the subnet's management, and that of everything else's. */
export const SMI_QP = 0;
export const GSI_QP = 1;

/** Fields of a BTH. */
export class Bth {
  opcode = 0;
  solicited = false;
  /** Real adapters set it and rxe does not: to be copied, never required. */
  migrated = false;
  /** Bytes of padding after the payload, 0–3. */
  pad = 0;
  version = 0;
  pKey = 0;
  /** Forward and backward congestion were met (IBA vol 1, A10; on RoCE reserved). */
  fecn = false;
  becn = false;
  destQp = 0;
  ackRequest = false;
  psn = 0;
}

/** Reads the header at `at`; reserved bits are passed over. */
export function readBth(bytes: Uint8Array, at: number, into: Bth): void {
  const flags = u8(bytes, at + 1);
  const congestion = u8(bytes, at + 4);
  into.opcode = u8(bytes, at);
  into.solicited = (flags & 0x80) !== 0;
  into.migrated = (flags & 0x40) !== 0;
  into.pad = (flags >> 4) & 0x03;
  into.version = flags & 0x0f;
  into.pKey = u16(bytes, at + 2);
  into.fecn = (congestion & 0x80) !== 0;
  into.becn = (congestion & 0x40) !== 0;
  into.destQp = u24(bytes, at + 5);
  into.ackRequest = (u8(bytes, at + 8) & 0x80) !== 0;
  into.psn = u24(bytes, at + 9);
}

/** Writes the header at `at`. RangeError for a value that its field cannot hold. */
export function writeBth(bytes: Uint8Array, at: number, from: Bth): void {
  const bits = (from.solicited ? 0x80 : 0) | (from.migrated ? 0x40 : 0);
  setU8(bytes, at, from.opcode);
  setU8(bytes, at + 1, bits | (within(from.pad, 0x03) << 4) | within(from.version, 0x0f));
  setU16(bytes, at + 2, from.pKey);
  setU8(bytes, at + 4, (from.fecn ? 0x80 : 0) | (from.becn ? 0x40 : 0));
  setU24(bytes, at + 5, from.destQp);
  setU8(bytes, at + 8, from.ackRequest ? 0x80 : 0);
  setU24(bytes, at + 9, from.psn);
}

/** The field DestQP of a BTH alone. */
export function bthDestQp(bytes: Uint8Array, at: number): number {
  return u24(bytes, at + 5);
}

/** Fields of a DETH. */
export class Deth {
  qKey = 0;
  srcQp = 0;
}

/** Reads the header at `at`; reserved bits are passed over. */
export function readDeth(bytes: Uint8Array, at: number, into: Deth): void {
  into.qKey = u32(bytes, at);
  into.srcQp = u24(bytes, at + 5);
}

/** Writes the header at `at`. RangeError for a value that its field cannot hold. */
export function writeDeth(bytes: Uint8Array, at: number, from: Deth): void {
  setU32(bytes, at, from.qKey);
  setU8(bytes, at + 4, 0);
  setU24(bytes, at + 5, from.srcQp);
}
