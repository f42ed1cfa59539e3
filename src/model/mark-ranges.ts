// Owns the arithmetic of ranges of ids that give bits of a mark: many rows that overlap become few that do not.
import type { MarkRange } from "./socket-marks.ts";

/**
 * The same bits for every id, said by ranges that do not overlap, by rising id, as few as there can be. Rows whose bits
 * are 0 say nothing.
 */
export function disjointRanges(ranges: readonly MarkRange[]): MarkRange[] {
  const edges = ranges.flatMap(({ first, last, bits }) => [
    { at: first, bits, begins: true },
    { at: last + 1, bits, begins: false },
  ]);
  edges.sort((a, b) => a.at - b.at);
  /** How many open rows set each bit. */
  const open = new Uint32Array(32);
  const result: MarkRange[] = [];
  let start = 0;
  for (const { at, bits, begins } of edges) {
    if (at > start) addRange(result, { first: start, last: at - 1, bits: bitsOf(open) });
    start = at;
    for (let bit = 0; bit < 32; bit++) {
      if ((bits >>> bit) & 1) open[bit] = (open[bit] as number) + (begins ? 1 : -1);
    }
  }
  return result;
}

function bitsOf(open: Uint32Array): number {
  let bits = 0;
  for (let bit = 0; bit < 32; bit++) if (open[bit] !== 0) bits |= 1 << bit;
  return bits >>> 0;
}

function addRange(ranges: MarkRange[], range: MarkRange): void {
  if (range.bits === 0) return;
  const last = ranges.at(-1);
  if (last && last.bits === range.bits && last.last + 1 === range.first) last.last = range.last;
  else ranges.push(range);
}
