// Owns a number in a packet's mark: some bits in a row that say which of several ways it takes.

/** Bits that hold the numbers from 1 to `count`, and 0, which means that nobody has decided. */
export function fieldBits(count: number): number {
  return 32 - Math.clz32(count);
}

/** The mask of the field whose lowest bit is `shift`. */
export function fieldMask(count: number, shift: number): number {
  return (((1 << fieldBits(count)) - 1) << shift) >>> 0;
}

/** The mark of a number in the field. */
export function fieldMark(number: number, shift: number): number {
  return (number << shift) >>> 0;
}
