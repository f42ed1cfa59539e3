// Owns writing: one growing stretch of bytes that messages with their attributes are appended to.
//
// Headers and attributes begin at multiples of four (linux/netlink.h), so that whole words are written at once: the
// machine's byte order is netlink's, and little-endian wherever heddle runs.
import { ipv4Number, parseAddress } from "../../model/ip.ts";
import { NESTED } from "./constants.ts";
import type { UnknownAttribute } from "./packet.ts";

/** The largest attribute payload that its 16-bit length can say. */
const MOST_PAYLOAD = 0xffff - 4;

const utf8 = new TextEncoder();

/** Appends messages. Every value is checked against the range of its field; RangeError says which value is wrong. */
export class Encoder {
  #bytes: Uint8Array;
  #words: Uint32Array;
  #view: DataView;
  /** Where the next byte goes; set it back to drop what was written after. */
  length = 0;
  /** Bytes from here on were never written. */
  #clean = 0;

  constructor(capacity = 4096) {
    const buffer = new ArrayBuffer((capacity + 3) & ~3);
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** What was written so far: a view that the next write may leave behind. */
  written(from = 0): Uint8Array {
    return this.#bytes.subarray(from, this.length);
  }

  /** Adds room for `count` zero bytes, a multiple of four, and gives where it starts. */
  room(count: number): number {
    const at = this.length;
    const needed = at + count;
    if (needed > this.#bytes.length) this.#grow(needed);
    // Bytes of an earlier, dropped message must not shine through.
    if (at < this.#clean) this.#bytes.fill(0, at, Math.min(needed, this.#clean));
    if (needed > this.#clean) this.#clean = needed;
    this.length = needed;
    return at;
  }

  #grow(needed: number): void {
    const buffer = new ArrayBuffer((Math.max(needed, this.#bytes.length * 2) + 3) & ~3);
    const grown = new Uint8Array(buffer);
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
    this.#words = new Uint32Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** Four unsigned 8-bit fields in a row, at a multiple of four. */
  setFour(at: number, one: number, two: number, three: number, four: number): void {
    this.#words[at >> 2] = byte(one) | (byte(two) << 8) | (byte(three) << 16) | (byte(four) << 24);
  }

  setU8(at: number, value: number): void {
    this.#view.setUint8(at, byte(value));
  }

  setU16(at: number, value: number): void {
    this.#view.setUint16(at, half(value), true);
  }

  setU32(at: number, value: number): void {
    this.#view.setUint32(at, word(value), true);
  }

  setS32(at: number, value: number): void {
    if (!Number.isInteger(value) || value < -0x80000000 || value > 0x7fffffff) throw outside(value);
    this.#view.setInt32(at, value, true);
  }

  /** Starts a message (struct nlmsghdr) with a family header of `headerLength` bytes; gives where the latter starts. */
  message(type: number, flags: number, sequence: number, headerLength: number): number {
    const at = this.room(16 + headerLength);
    this.#words[(at >> 2) + 1] = half(type) | (half(flags) << 16);
    this.#words[(at >> 2) + 2] = sequence;
    return at + 16;
  }

  /** Ends the message whose family header starts at `header`. */
  finish(header: number): void {
    this.#words[(header - 16) >> 2] = this.length - (header - 16);
  }

  /** Starts an attribute with room for a payload of `length` bytes and its padding; gives where the payload starts. */
  attribute(type: number, length: number): number {
    if (length > MOST_PAYLOAD) throw new RangeError(`an attribute of ${length} bytes is too long`);
    const at = this.room((length + 7) & ~3);
    this.#words[at >> 2] = (half(type) << 16) | (length + 4);
    return at + 4;
  }

  /** An attribute of one word, by far the most frequent: what attribute() does, without the calls. */
  #oneWord(type: number, value: number): void {
    const at = this.room(8) >> 2;
    this.#words[at] = (half(type) << 16) | 8;
    this.#words[at + 1] = value;
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
    this.#view.setUint16(at, half(value), false);
  }

  u32(type: number, value: number | undefined): void {
    if (value !== undefined) this.#oneWord(type, word(value));
  }

  be32(type: number, value: number | undefined): void {
    if (value !== undefined) this.#oneWord(type, swapped(word(value)));
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
    if (bytes.length > 16) this.#bytes.set(bytes, at);
    // For an address the call would cost more than the copying.
    else for (let i = 0; i < bytes.length; i++) this.#bytes[at + i] = bytes[i] as number;
  }

  /** A text with its closing zero. */
  text(type: number, value: string | undefined): void {
    if (value === undefined) return;
    if (value.includes("\0")) throw new RangeError("a text holds a NUL character");
    const bytes = utf8.encode(value);
    this.copy(this.attribute(type, bytes.length + 1), bytes);
  }

  /** An IP address; RangeError unless it is one of the family. */
  address(type: number, text: string | undefined, family: 4 | 6): void {
    if (text === undefined) return;
    if (family === 6) this.raw(type, addressBytes(text, family));
    else this.be32(type, ipv4Number(text) ?? refuse(text, family));
  }

  /** The address of "address/length", unless the length is 0; gives the length. RangeError unless it is a prefix. */
  prefix(type: number, text: string, family: 4 | 6): number {
    const slash = text.indexOf("/");
    const most = family === 4 ? 32 : 128;
    const length = slash < 0 ? most : shortNumber(text, slash + 1);
    if (length < 0 || length > most) throw new RangeError(`not an IPv${family} prefix: ${text}`);
    const end = slash < 0 ? text.length : slash;
    const bits = family === 4 ? (ipv4Number(text, end) ?? refuse(text.slice(0, end), 4)) : 0;
    const bytes = family === 6 ? addressBytes(text.slice(0, end), 6) : undefined;
    if (length === 0) return 0;
    if (bytes) this.raw(type, bytes);
    else this.be32(type, bits);
    return length;
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
  const bytes = parseAddress(text);
  if (bytes === undefined || (family !== undefined && bytes.length !== (family === 4 ? 4 : 16))) {
    refuse(text, family);
  }
  return bytes;
}

function refuse(text: string, family: 4 | 6 | undefined): never {
  throw new RangeError(`not an ${family === undefined ? "IP" : `IPv${family}`} address: ${text}`);
}

/** The number of one to three decimal digits from `at` to the end, or -1 where there is something else. */
function shortNumber(text: string, at: number): number {
  if (at === text.length || text.length - at > 3) return -1;
  let value = 0;
  for (let i = at; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function byte(value: number): number {
  if ((value & 0xff) !== value) throw outside(value);
  return value;
}

function half(value: number): number {
  if ((value & 0xffff) !== value) throw outside(value);
  return value;
}

function word(value: number): number {
  if (value >>> 0 !== value) throw outside(value);
  return value;
}

/** A word with its bytes in network byte order. */
function swapped(value: number): number {
  return ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

function outside(value: number): RangeError {
  return new RangeError(`${value} is outside the range of its field`);
}
