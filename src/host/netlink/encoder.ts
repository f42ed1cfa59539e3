// Owns writing: one growing stretch of bytes that messages with their attributes are appended to.
import { parseAddress } from "../../model/ip.ts";
import { NESTED } from "./constants.ts";
import type { UnknownAttribute } from "./packet.ts";
import { parseDotted } from "./text.ts";

/** The largest attribute payload that its 16-bit length can say. */
const MOST_PAYLOAD = 0xffff - 4;

const utf8 = new TextEncoder();

/** Appends messages. Every value is checked against the range of its field; RangeError says which value is wrong. */
export class Encoder {
  #bytes: Uint8Array;
  #view: DataView;
  /** Where the next byte goes; set it back to drop what was written after. */
  length = 0;

  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** What was written so far: a view that the next write may leave behind. */
  written(from = 0): Uint8Array {
    return this.#bytes.subarray(from, this.length);
  }

  /** Adds room for `count` zero bytes and gives where it starts. */
  room(count: number): number {
    const at = this.length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    } else {
      // Bytes of an earlier, dropped message must not shine through.
      this.#bytes.fill(0, at, needed);
    }
    this.length = needed;
    return at;
  }

  setU8(at: number, value: number): void {
    this.#view.setUint8(at, ranged(value, 0xff));
  }

  setU16(at: number, value: number): void {
    this.#view.setUint16(at, ranged(value, 0xffff), true);
  }

  setU32(at: number, value: number): void {
    this.#view.setUint32(at, ranged(value, 0xffffffff), true);
  }

  setS32(at: number, value: number): void {
    if (!Number.isInteger(value) || value < -0x80000000 || value > 0x7fffffff) throw outside(value);
    this.#view.setInt32(at, value, true);
  }

  /** Starts a message (struct nlmsghdr) with a family header of `headerLength` bytes; gives where the latter starts. */
  message(type: number, flags: number, sequence: number, headerLength: number): number {
    const at = this.room(16 + headerLength);
    this.setU16(at + 4, type);
    this.setU16(at + 6, flags);
    this.setU32(at + 8, sequence);
    return at + 16;
  }

  /** Ends the message whose family header starts at `header`. */
  finish(header: number): void {
    this.#view.setUint32(header - 16, this.length - (header - 16), true);
  }

  /** Starts an attribute with room for a payload of `length` bytes and its padding; gives where the payload starts. */
  attribute(type: number, length: number): number {
    if (length > MOST_PAYLOAD) throw new RangeError(`an attribute of ${length} bytes is too long`);
    const at = this.room((length + 7) & ~3);
    this.#view.setUint16(at, length + 4, true);
    this.setU16(at + 2, type);
    return at + 4;
  }

  u8(type: number, value: number | undefined): void {
    if (value !== undefined) this.setU8(this.attribute(type, 1), value);
  }

  u16(type: number, value: number | undefined): void {
    if (value !== undefined) this.setU16(this.attribute(type, 2), value);
  }

  be16(type: number, value: number | undefined): void {
    if (value === undefined) return;
    const at = this.attribute(type, 2);
    // The room is made first, in a statement of its own: it may put another view in the place of this one.
    this.#view.setUint16(at, ranged(value, 0xffff), false);
  }

  u32(type: number, value: number | undefined): void {
    if (value !== undefined) this.setU32(this.attribute(type, 4), value);
  }

  be32(type: number, value: number | undefined): void {
    if (value === undefined) return;
    const at = this.attribute(type, 4);
    this.#view.setUint32(at, ranged(value, 0xffffffff), false);
  }

  s32(type: number, value: number | undefined): void {
    if (value !== undefined) this.setS32(this.attribute(type, 4), value);
  }

  be64(type: number, value: bigint | undefined): void {
    if (value === undefined) return;
    if (value < 0n || value > 0xffffffffffffffffn) throw new RangeError(`${value} is no unsigned 64-bit number`);
    const at = this.attribute(type, 8);
    this.#view.setBigUint64(at, value, false);
  }

  raw(type: number, bytes: Uint8Array | undefined): void {
    if (bytes !== undefined) this.copy(this.attribute(type, bytes.length), bytes);
  }

  /** Copies bytes to a place that has been made room for. */
  copy(at: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, at);
  }

  /** A text with its closing zero. */
  text(type: number, value: string | undefined): void {
    if (value === undefined) return;
    if (value.includes("\0")) throw new RangeError("a text holds a NUL character");
    const bytes = utf8.encode(value);
    this.copy(this.attribute(type, bytes.length + 1), bytes);
  }

  /** An IP address; RangeError unless it is one, and of the family where one is said. */
  address(type: number, text: string | undefined, family?: 4 | 6): void {
    if (text !== undefined) this.raw(type, addressBytes(text, family));
  }

  /** Starts a nest; end it with endNest. */
  nest(type: number): number {
    return this.attribute(type | NESTED, 0);
  }

  endNest(start: number): void {
    const length = this.length - start;
    if (length > MOST_PAYLOAD) throw new RangeError(`a nest of ${length} bytes is too long`);
    this.#view.setUint16(start - 4, length + 4, true);
  }

  unknown(attributes: readonly UnknownAttribute[] | undefined): void {
    if (attributes !== undefined) for (const { type, bytes } of attributes) this.raw(type, bytes);
  }
}

/** The bytes of an address. RangeError unless it is one, of the family where one is said. */
export function addressBytes(text: string, family?: 4 | 6): Uint8Array {
  const bytes = family === 6 ? parseAddress(text) : (parseDotted(text) ?? parseAddress(text));
  if (bytes === undefined || (family !== undefined && bytes.length !== (family === 4 ? 4 : 16))) {
    throw new RangeError(`not an ${family === undefined ? "IP" : `IPv${family}`} address: ${text}`);
  }
  return bytes;
}

/** The bytes and the length of "address/length". RangeError unless it is a prefix of the family. */
export function prefixBytes(text: string, family: 4 | 6): { bytes: Uint8Array; length: number } {
  const slash = text.indexOf("/");
  const bytes = addressBytes(slash < 0 ? text : text.slice(0, slash), family);
  const digits = slash < 0 ? String(bytes.length * 8) : text.slice(slash + 1);
  const length = Number(digits);
  if (!/^\d{1,3}$/.test(digits) || length > bytes.length * 8) {
    throw new RangeError(`not an IPv${family} prefix: ${text}`);
  }
  return { bytes, length };
}

function ranged(value: number, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most) throw outside(value);
  return value;
}

function outside(value: number): RangeError {
  return new RangeError(`${value} is outside the range of its field`);
}
