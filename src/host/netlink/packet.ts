// Owns reading: a message's bytes with every access checked against the bounds of what it belongs to.
//
// The machine's byte order is netlink's; every machine that heddle runs on (x86-64, arm64) is little-endian.
import { formatBytes, formatHex } from "./text.ts";

/** A netlink message that is not well formed, or not as the kernel's headers say. */
export class MalformedMessage extends Error {
  override name = "MalformedMessage";
}

/** An attribute that this codec has no field for, kept as it came. */
export interface UnknownAttribute {
  /** With the bits "nested" (0x8000) and "network byte order" (0x4000) that it came with. */
  type: number;
  bytes: Uint8Array;
}

/** The most attributes without a field that a message may have. */
const MOST_UNKNOWN = 128;

const utf8 = new TextDecoder();

/** Bytes to read messages from: a view of the receive arena, or a buffer of one's own. */
export class Packet {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Throws MalformedMessage unless `length` bytes from `at` end at or before `end`, and `end` lies in the packet. */
  need(at: number, length: number, end: number): void {
    if (at < 0 || at + length > end || end > this.bytes.length) throw new MalformedMessage("a message ends too early");
  }

  /** The length of the attribute at `at`, its header of four bytes included. Throws MalformedMessage when it does not fit. */
  attributeLength(at: number, end: number): number {
    const length = this.view.getUint16(at, true);
    if (length < 4 || length > end - at) throw new MalformedMessage(`an attribute of ${length} bytes does not fit`);
    return length;
  }

  /** The type of the attribute at `at`, without the bits "nested" and "network byte order". */
  attributeType(at: number): number {
    return this.view.getUint16(at + 2, true) & 0x3fff;
  }

  /** An unsigned 8-bit attribute. */
  u8(at: number, length: number): number {
    exactly(length, 1);
    return this.view.getUint8(at);
  }

  u16(at: number, length: number): number {
    exactly(length, 2);
    return this.view.getUint16(at, true);
  }

  /** An unsigned 16-bit attribute in network byte order, as ports are. */
  be16(at: number, length: number): number {
    exactly(length, 2);
    return this.view.getUint16(at, false);
  }

  u32(at: number, length: number): number {
    exactly(length, 4);
    return this.view.getUint32(at, true);
  }

  be32(at: number, length: number): number {
    exactly(length, 4);
    return this.view.getUint32(at, false);
  }

  s32(at: number, length: number): number {
    exactly(length, 4);
    return this.view.getInt32(at, true);
  }

  be64(at: number, length: number): bigint {
    exactly(length, 8);
    return this.view.getBigUint64(at, false);
  }

  /** A zero-terminated text; the zero may be missing. */
  text(at: number, length: number): string {
    let end = at;
    while (end < at + length && this.bytes[end] !== 0) end++;
    return utf8.decode(this.bytes.subarray(at, end));
  }

  /** An IP address of 4 or 16 bytes, by its length. */
  address(at: number, length: number): string {
    if (length !== 4 && length !== 16) throw new MalformedMessage(`an address has ${length} bytes`);
    return formatBytes(this.bytes, at, length);
  }

  /** An IP address of the family's length. */
  addressOf(family: 4 | 6, at: number, length: number): string {
    exactly(length, family === 4 ? 4 : 16);
    return formatBytes(this.bytes, at, length);
  }

  /** Hardware address as lower-case hexadecimal bytes with colons. */
  hex(at: number, length: number): string {
    return formatHex(this.bytes, at, length);
  }

  /** A copy of the bytes, which outlives the packet. */
  copy(at: number, length: number): Uint8Array {
    return this.bytes.slice(at, at + length);
  }

  /** The attribute that starts at `at` with its header, kept as it is. Throws MalformedMessage when there are many. */
  keep(kept: UnknownAttribute[] | undefined, at: number, length: number): UnknownAttribute[] {
    const list = kept ?? [];
    if (list.length >= MOST_UNKNOWN) throw new MalformedMessage(`more than ${MOST_UNKNOWN} attributes are unknown`);
    list.push({ type: this.view.getUint16(at - 2, true), bytes: this.copy(at, length) });
    return list;
  }
}

function exactly(length: number, wanted: number): void {
  if (length !== wanted) throw new MalformedMessage(`an attribute has ${length} bytes where ${wanted} are right`);
}

/**
 * Calls `visit` for every attribute between `at` and `end` with its type (without flag bits), where its payload starts
 * and how long that is. Throws MalformedMessage when one does not fit. Fewer than four bytes at the end are padding.
 */
export function eachAttribute(
  packet: Packet,
  at: number,
  end: number,
  visit: (type: number, at: number, length: number) => void,
): void {
  packet.need(at, 0, end);
  while (end - at >= 4) {
    const length = packet.attributeLength(at, end);
    visit(packet.attributeType(at), at + 4, length - 4);
    at += (length + 3) & ~3;
  }
}
