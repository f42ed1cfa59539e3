// Owns ranges of ids (user, group): made canonical, and as the prefixes that a trie of the kernel's holds.

/** Ids from `first` to `last`, both included, 0 to 4294967295, and the bits of the mark that they give. */
export interface MarkRange {
  first: number;
  last: number;
  bits: number;
}

/** Ids whose first `length` bits are those of `id`. */
export interface IdPrefix {
  id: number;
  /** 0 to 32. */
  length: number;
  bits: number;
}

const MOST_ID = 0xffffffff;

/**
 * The same ids with the same bits in the fewest ranges, sorted: ranges that touch and give the same are one, and what
 * gives no bits is left out. Throws RangeError when ranges overlap or hold what is no id.
 */
export function canonicalRanges(ranges: readonly MarkRange[]): MarkRange[] {
  const sorted = [...ranges].sort((a, b) => a.first - b.first);
  const result: MarkRange[] = [];
  let end = -1;
  for (const { first, last, bits } of sorted) {
    if (![first, last, bits].every((n) => Number.isInteger(n) && n >= 0 && n <= MOST_ID) || first > last) {
      throw new RangeError(`${first} to ${last} with bits ${bits} is no range of ids`);
    }
    if (first <= end) throw new RangeError(`id ${first} is in two ranges`);
    const before = result.at(-1);
    if (before && before.bits === bits && before.last === first - 1) before.last = last;
    else if (bits !== 0) result.push({ first, last, bits });
    end = last;
  }
  return result;
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
