// Owns ranges of ids (user, group) as the prefixes that a trie of the kernel's holds.
import type { MarkRange } from "../../model/socket-marks.ts";

/** Ids whose first `length` bits are those of `id`. */
export interface IdPrefix {
  id: number;
  /** 0 to 32. */
  length: number;
  bits: number;
}

/** The fewest prefixes that hold exactly the ids of a range: at most 62. */
export function prefixesOf({ first, last, bits }: MarkRange): IdPrefix[] {
  const prefixes: IdPrefix[] = [];
  let from = first;
  while (from <= last) {
    // As large a block as begins here by its alignment and does not pass the end.
    let size = from === 0 ? 2 ** 32 : 2 ** Math.min(31, trailingZeros(from));
    while (from + size - 1 > last) size /= 2;
    prefixes.push({ id: from, length: 32 - Math.log2(size), bits });
    from += size;
  }
  return prefixes;
}

function trailingZeros(id: number): number {
  return 31 - Math.clz32(id & -id);
}

/** The range of ids that a prefix holds. */
export function rangeOf({ id, length, bits }: IdPrefix): MarkRange {
  return { first: id, last: id + 2 ** (32 - length) - 1, bits };
}
