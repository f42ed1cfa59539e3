// Owns the proof that ranges of ids are put together without any id getting other bits than before.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { MarkRange } from "./socket-marks.ts";
import { disjointRanges } from "./mark-ranges.ts";

const range = fc
  .tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 7 }))
  .map(([first, length, bits]): MarkRange => ({ first, last: first + length, bits: (bits << 29) >>> 0 }));

const bitsFor = (ranges: readonly MarkRange[], id: number): number =>
  ranges.reduce((bits, one) => (id >= one.first && id <= one.last ? (bits | one.bits) >>> 0 : bits), 0);

test("every id has the bits that it had, and no two ranges that follow each other could be one", () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
      const disjoint = disjointRanges(ranges);
      for (let id = 0; id <= 50; id++) expect(bitsFor(disjoint, id)).toBe(bitsFor(ranges, id));
      for (const [i, { first, last, bits }] of disjoint.entries()) {
        expect(last).toBeGreaterThanOrEqual(first);
        expect(bits).not.toBe(0);
        const before = disjoint[i - 1];
        if (before) expect(first > before.last + 1 || (first === before.last + 1 && bits !== before.bits)).toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});

test("the highest id there is does not wrap round", () => {
  const all = { first: 0, last: 0xffffffff, bits: 1 };
  expect(disjointRanges([all, { first: 0xffffffff, last: 0xffffffff, bits: 1 }])).toEqual([all]);
});
