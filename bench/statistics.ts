// Owns medians and what is known of them: a 95 % interval from order statistics, which assumes nothing of the spread; and
// the random order of rounds.

/** A median with its 95 % interval, and the middle half of the values. */
export interface Summary {
  count: number;
  median: number;
  /** The interval that holds the true median with 95 % confidence; as wide as the values where they are too few. */
  low: number;
  high: number;
  quartiles: [number, number];
}

/** Sums up. Throws RangeError when there is no value. */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError("nothing was measured");
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)] as number, sorted[Math.ceil(place)] as number];
    return below + (above - below) * (place - Math.floor(place));
  };
  const rank = lowerRank(sorted.length);
  return {
    count: sorted.length,
    median: at(0.5),
    low: sorted[rank] as number,
    high: sorted[sorted.length - 1 - rank] as number,
    quartiles: [at(0.25), at(0.75)],
  };
}

/** How many values may lie outside on each side: the binomial tail there is at most 2.5 %. */
function lowerRank(count: number): number {
  let term = 0.5 ** count;
  let tail = term;
  let rank = 0;
  while (tail <= 0.025 && rank < (count - 1) / 2) {
    term *= (count - rank) / (rank + 1);
    rank++;
    tail += term;
  }
  return Math.max(0, rank - 1);
}

/** The same in a random order. */
export function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0] as T);
}
