// Owns numbers in bytes: big-endian, as every header of this room has them, at an offset that the caller has checked.
//
// Plain indexing of a Uint8Array is what V8 compiles best here: no view to make for each packet, and an access beyond
// the end cannot throw in the middle of a batch. That it cannot throw is no bound: locate.ts checks before it reads.

/** Unsigned 8-bit number. */
export function u8(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

/** Unsigned 16-bit number. */
export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** Unsigned 24-bit number: queue pairs and packet sequence numbers. */
export function u24(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
}

/** Unsigned 32-bit number. */
export function u32(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) | u24(bytes, at + 1)) >>> 0;
}

/** Unsigned 32-bit number, least significant byte first: how CRCs are stored. */
export function u32le(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** Unsigned 64-bit number. Makes a bigint: for messages of the control plane, not for every packet. */
export function u64(bytes: Uint8Array, at: number): bigint {
  return (BigInt(u32(bytes, at)) << 32n) | BigInt(u32(bytes, at + 4));
}

export function setU8(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = within(value, 0xff);
}

export function setU16(bytes: Uint8Array, at: number, value: number): void {
  within(value, 0xffff);
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function setU24(bytes: Uint8Array, at: number, value: number): void {
  within(value, 0xffffff);
  bytes[at] = value >>> 16;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value;
}

export function setU32(bytes: Uint8Array, at: number, value: number): void {
  within(value, 0xffffffff);
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function setU32le(bytes: Uint8Array, at: number, value: number): void {
  within(value, 0xffffffff);
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function setU64(bytes: Uint8Array, at: number, value: bigint): void {
  if (value < 0n || value > 0xffffffffffffffffn) throw new RangeError(`${value} is no unsigned 64-bit number`);
  setU32(bytes, at, Number(value >> 32n));
  setU32(bytes, at + 4, Number(value & 0xffffffffn));
}

/** Copies a few bytes (an address) between packets; for these lengths a loop is faster than a view and set(). */
export function copyBytes(to: Uint8Array, toAt: number, from: Uint8Array, fromAt: number, length: number): void {
  for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i] as number;
}

/** The value, if it is a whole number from 0 to `most`. RangeError otherwise: a field that is cut off misdelivers. */
export function within(value: number, most: number): number {
  // The shift turns what is no whole number of 32 bits into something else.
  if (value >>> 0 !== value || value > most) throw new RangeError(`${value} does not fit a field that holds ${most}`);
  return value;
}
