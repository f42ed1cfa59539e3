// Owns the header by which one message has several datagrams (RMPP; IBA vol 1, 13.6.2), 12 bytes behind that of every MAD
// whose class has it.
//
//     Version:8 Type:8 RespTime:5 Flags:3 Status:8 | SegmentNumber:32 | PayloadLength:32 (DATA), NewWindowLast:32 (ACK)
import { setU32, setU8, u32, u8, within } from "./bytes.ts";
import { MAD_BYTES, MAD_HEADER_BYTES } from "./mad.ts";

export const RMPP_VERSION = 1;
export const RMPP_TYPE = { none: 0, data: 1, ack: 2, stop: 3, abort: 4 } as const;
export const RMPP_FLAG = { active: 1, first: 2, last: 4 } as const;
/** Why a transfer ends before its end (IBA vol 1, 13.6.2.4). */
export const RMPP_STATUS = {
  normal: 0,
  resourcesExhausted: 1,
  tooLong: 118,
  badLength: 119,
  badFirst: 120,
  badType: 121,
  unsupportedVersion: 125,
} as const;
/** The most that a datagram carries behind this header. */
export const RMPP_DATA_BYTES = MAD_BYTES - MAD_HEADER_BYTES - 12;

/** Responses may take about a second: 4.096 µs · 2¹⁸. */
const RESPONSE_TIME = 18;

/** Fields of the header. */
export class RmppHeader {
  version = 0;
  /** See RMPP_TYPE. */
  type = 0;
  /** Bits of RMPP_FLAG. */
  flags = 0;
  /** See RMPP_STATUS. */
  status = 0;
  /** Of data: its number, from 1; of an acknowledgement: up to which one everything has come. */
  segment = 0;
  /** Of data: the bytes of the whole in the first segment, or zero; in the last one, its own. Of an acknowledgement: up to which one may be sent. */
  length = 0;
}

/** Reads the header of the MAD at `at`. */
export function readRmpp(bytes: Uint8Array, at: number, into: RmppHeader): void {
  const start = at + MAD_HEADER_BYTES;
  into.version = u8(bytes, start);
  into.type = u8(bytes, start + 1);
  into.flags = u8(bytes, start + 2) & 7;
  into.status = u8(bytes, start + 3);
  into.segment = u32(bytes, start + 4);
  into.length = u32(bytes, start + 8);
}

/** Writes the header of the MAD at `at`. RangeError for a value that its field cannot hold. */
export function writeRmpp(bytes: Uint8Array, at: number, from: RmppHeader): void {
  const start = at + MAD_HEADER_BYTES;
  setU8(bytes, start, from.version);
  setU8(bytes, start + 1, from.type);
  setU8(bytes, start + 2, (RESPONSE_TIME << 3) | within(from.flags, 7));
  setU8(bytes, start + 3, from.status);
  setU32(bytes, start + 4, from.segment);
  setU32(bytes, start + 8, from.length);
}
