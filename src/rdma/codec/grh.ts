// Owns the Global Route Header (IBA vol 1, 8.3), 40 bytes: an IPv6 header in all but its use, and coded as one.
//
//     IPVer:4 TClass:8 FlowLabel:20 | PayLen:16 | NxtHdr:8 | HopLmt:8 | SGID:128 | DGID:128
import { copyBytes, setU16, setU32, setU8, u16, u32, u8, within } from "./bytes.ts";

export const GRH_BYTES = 40;
/** Where the source GID (of IPv6: address) stands in the header. */
export const GRH_SGID = 8;
/** Where the destination GID (of IPv6: address) stands in the header. */
export const GRH_DGID = 24;
/** The next header of a GRH: a BTH (IBA vol 1, 8.3.4). */
export const GRH_NEXT_BTH = 0x1b;

/** Fields of a GRH, or of an IPv6 header (RFC 8200, 3). */
export class Grh {
  version = 6;
  trafficClass = 0;
  /** 20 bits. */
  flowLabel = 0;
  /** Bytes after this header. In a GRH: up to and with the ICRC. */
  payloadLength = 0;
  nextHeader = GRH_NEXT_BTH as number;
  hopLimit = 0;
  readonly sgid = new Uint8Array(16);
  readonly dgid = new Uint8Array(16);
}

/** Reads the header at `at`. */
export function readGrh(bytes: Uint8Array, at: number, into: Grh): void {
  const first = u32(bytes, at);
  into.version = first >>> 28;
  into.trafficClass = (first >>> 20) & 0xff;
  into.flowLabel = first & 0xfffff;
  into.payloadLength = u16(bytes, at + 4);
  into.nextHeader = u8(bytes, at + 6);
  into.hopLimit = u8(bytes, at + 7);
  copyBytes(into.sgid, 0, bytes, at + GRH_SGID, 16);
  copyBytes(into.dgid, 0, bytes, at + GRH_DGID, 16);
}

/** Writes the header at `at`. RangeError for a value that its field cannot hold. */
export function writeGrh(bytes: Uint8Array, at: number, from: Grh): void {
  const version = within(from.version, 0x0f);
  const first = (version << 28) | (within(from.trafficClass, 0xff) << 20) | within(from.flowLabel, 0xfffff);
  setU32(bytes, at, first >>> 0);
  setU16(bytes, at + 4, from.payloadLength);
  setU8(bytes, at + 6, from.nextHeader);
  setU8(bytes, at + 7, from.hopLimit);
  copyBytes(bytes, at + GRH_SGID, from.sgid, 0, 16);
  copyBytes(bytes, at + GRH_DGID, from.dgid, 0, 16);
}
