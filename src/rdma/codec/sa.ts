// Owns messages to and from the subnet administrator (IBA vol 1, 15.2.1): what stands between a MAD's header and the
// record, and the answers' status.
//
//     MAD header:24 bytes | RMPP:12 bytes | SM_Key:64 | AttributeOffset:16 rsv:16 | ComponentMask:64 | data:200 bytes
import { setU16, setU64, u16, u64, u8 } from "./bytes.ts";
import { MAD_HEADER_BYTES } from "./mad.ts";
import { componentMask, writeRecord } from "./record.ts";
import type { Layout, RecordOf } from "./record.ts";

/** The version of the class's messages. */
export const SA_CLASS_VERSION = 2;
/** Where the record starts in the MAD, and how much room it has. */
export const SA_DATA = 56;
export const SA_DATA_BYTES = 200;

const RMPP = MAD_HEADER_BYTES;
const SM_KEY = 36;
const ATTRIBUTE_OFFSET = 44;
const COMPONENT_MASK = 48;

/** Attributes of the administrator that this room knows the records of. */
export const SA_ATTRIBUTE = {
  notice: 0x0002,
  informInfo: 0x0003,
  serviceRecord: 0x0031,
  pathRecord: 0x0035,
  mcMemberRecord: 0x0038,
} as const;

/** What stands between header and record. */
export interface SaHeader {
  /** RMPP is in use, as it is in tables. */
  rmppActive: boolean;
  /** Size of one record in units of 8 bytes. */
  attributeOffset: number;
  componentMask: bigint;
}

/** Reads what stands between header and record of the MAD at `at`. */
export function readSaHeader(bytes: Uint8Array, at: number): SaHeader {
  return {
    rmppActive: (u8(bytes, at + RMPP + 2) & 0x01) !== 0,
    attributeOffset: u16(bytes, at + ATTRIBUTE_OFFSET),
    componentMask: u64(bytes, at + COMPONENT_MASK),
  };
}

/**
 * Writes all that follows the header of the MAD at `at`: RMPP and SM_Key as zero, the mask of the given fields (of a
 * record whose fields have no bits: zero), and the record. RangeError for a value that its field cannot hold.
 */
export function writeSaBody<L extends Layout>(
  layout: L,
  bytes: Uint8Array,
  at: number,
  values: Partial<RecordOf<L>>,
): void {
  bytes.fill(0, at + MAD_HEADER_BYTES, at + SA_DATA + SA_DATA_BYTES);
  setU64(bytes, at + COMPONENT_MASK, componentMask(layout, values));
  writeRecord(layout, bytes, at + SA_DATA, values);
}

/** Sets the key by which a request is trusted (IBA vol 1, 15.2.1.1, SM_Key); zero is none. */
export function setSmKey(bytes: Uint8Array, at: number, key: bigint): void {
  setU64(bytes, at + SM_KEY, key);
}

/** Sets the size of one record, as answers do. */
export function setAttributeOffset(bytes: Uint8Array, at: number, layout: Layout): void {
  setU16(bytes, at + ATTRIBUTE_OFFSET, Math.ceil(layout.bytes / 8));
}

/** What the administrator's part of a status says (IBA vol 1, 15.2.5, table "SA MAD status field values"). */
const STATUS: Readonly<Record<number, string>> = {
  0x0100: "no resources",
  0x0200: "the request is not valid",
  0x0300: "no such record",
  0x0400: "several records where one was asked for",
  0x0500: "a GID of the request is not valid",
  0x0600: "the request lacks components",
  0x0700: "the request is denied",
};

/** What the low byte of a status says (IBA vol 1, 13.4.7): the code of an invalid field in bits 2 to 4. */
const INVALID: Readonly<Record<number, string>> = {
  1: "class or version not supported",
  2: "method not supported",
  3: "method and attribute do not go together",
  7: "a value of the attribute is not valid",
};

/** A MAD's status in words; "ok" for 0. */
export function describeStatus(status: number): string {
  if (status === 0) return "ok";
  const words = [
    STATUS[status & 0xff00],
    INVALID[(status >> 2) & 7],
    status & 1 ? "busy" : undefined,
    status & 2 ? "redirection is required" : undefined,
  ].filter((word) => word !== undefined);
  return words.length > 0 ? words.join(", ") : `status 0x${status.toString(16)}`;
}
