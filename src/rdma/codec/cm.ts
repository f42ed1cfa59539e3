// Owns the messages by which a UD queue pair is found (IBA vol 1, 12.11; offsets as in Linux ibta_vol1_c12.h): SIDR_REQ
// and SIDR_REP, behind the 24 bytes of the MAD's header.
import { setU16, setU24, setU32, setU8, u16, u24, u32, u8 } from "./bytes.ts";
import { MAD_HEADER_BYTES } from "./mad.ts";

/** Attributes of the communication manager. */
export const CM_ATTRIBUTE = { sidrReq: 0x17, sidrRep: 0x18 } as const;

/** Where the private data of a SIDR_REQ is in the MAD, and how long. */
export const SIDR_REQ_PRIVATE = MAD_HEADER_BYTES + 16;
export const SIDR_REQ_PRIVATE_BYTES = 216;
/** Where the private data of a SIDR_REP is in the MAD, and how long. */
export const SIDR_REP_PRIVATE = MAD_HEADER_BYTES + 96;
export const SIDR_REP_PRIVATE_BYTES = 136;

/** Fields of a SIDR_REQ. A service id has two halves here, so that none is made for each message. */
export class SidrReq {
  /** What the requester knows the answer by. */
  requestId = 0;
  pKey = 0;
  serviceIdHigh = 0;
  serviceIdLow = 0;
}

/** Reads what stands in the MAD at `at`, but for the private data; reserved bits are passed over. */
export function readSidrReq(bytes: Uint8Array, at: number, into: SidrReq): void {
  const body = at + MAD_HEADER_BYTES;
  into.requestId = u32(bytes, body);
  into.pKey = u16(bytes, body + 4);
  into.serviceIdHigh = u32(bytes, body + 8);
  into.serviceIdLow = u32(bytes, body + 12);
}

/** Writes the same; the private data stays as it is. RangeError for a value that its field cannot hold. */
export function writeSidrReq(bytes: Uint8Array, at: number, from: SidrReq): void {
  const body = at + MAD_HEADER_BYTES;
  setU32(bytes, body, from.requestId);
  setU16(bytes, body + 4, from.pKey);
  setU16(bytes, body + 6, 0);
  setU32(bytes, body + 8, from.serviceIdHigh);
  setU32(bytes, body + 12, from.serviceIdLow);
}

/** What a SIDR_REP says of the request (IBA vol 1, 12.11.2.1), by the status's number. */
export const SIDR_STATUS = [
  "valid",
  "service not supported",
  "rejected by the service",
  "no queue pair",
  "redirected",
  "version not supported",
] as const;

/** Fields of a SIDR_REP. */
export class SidrRep {
  requestId = 0;
  /** See SIDR_STATUS. */
  status = 0;
  /** How many of the 72 bytes of additional information, from byte 48 of the MAD, mean something. */
  informationBytes = 0;
  qpn = 0;
  serviceIdHigh = 0;
  serviceIdLow = 0;
  qKey = 0;
}

/** Reads what stands in the MAD at `at`, but for private data and additional information. */
export function readSidrRep(bytes: Uint8Array, at: number, into: SidrRep): void {
  const body = at + MAD_HEADER_BYTES;
  into.requestId = u32(bytes, body);
  into.status = u8(bytes, body + 4);
  into.informationBytes = u8(bytes, body + 5);
  into.qpn = u24(bytes, body + 8);
  into.serviceIdHigh = u32(bytes, body + 12);
  into.serviceIdLow = u32(bytes, body + 16);
  into.qKey = u32(bytes, body + 20);
}

/** Writes the same; the rest of the message stays as it is. RangeError for a value that its field cannot hold. */
export function writeSidrRep(bytes: Uint8Array, at: number, from: SidrRep): void {
  const body = at + MAD_HEADER_BYTES;
  setU32(bytes, body, from.requestId);
  setU8(bytes, body + 4, from.status);
  setU8(bytes, body + 5, from.informationBytes);
  setU16(bytes, body + 6, 0);
  setU24(bytes, body + 8, from.qpn);
  setU8(bytes, body + 11, 0);
  setU32(bytes, body + 12, from.serviceIdHigh);
  setU32(bytes, body + 16, from.serviceIdLow);
  setU32(bytes, body + 20, from.qKey);
}
