// Proves that ranges of ids survive the way into a trie's prefixes and back, and that prefixes are exact and few.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { holds } from "../netlink/testing/seeds.ts";
import { encodeMarks } from "./mark-maps.ts";
import { disjointRanges } from "../../model/mark-ranges.ts";
import { prefixesOf, rangeOf } from "./ranges.ts";

const MOST = 0xffffffff;
const id = fc.oneof(fc.nat(40), fc.integer({ min: 0, max: MOST }), fc.integer({ min: MOST - 40, max: MOST }));
const bits = fc.constantFrom(1, 2, 3, 0x80000000);
describe("prefixes", () => {
  test("of a range hold exactly its ids, next to each other, and are at most 62", () => {
    holds(
      fc.property(id, id, bits, (a, b, some) => {
        const range = { first: Math.min(a, b), last: Math.max(a, b), bits: some };
        const prefixes = prefixesOf(range);
        expect(prefixes.length).toBeLessThanOrEqual(62);
        let next = range.first;
        for (const prefix of prefixes) {
          const { first, last } = rangeOf(prefix);
          expect(first).toBe(next);
          expect(first % 2 ** (32 - prefix.length)).toBe(0);
          next = last + 1;
        }
        expect(next).toBe(range.last + 1);
        // As few as there can be: no two could be one.
        expect(disjointRanges(prefixes.map(rangeOf))).toEqual([range]);
      }),
      2000,
    );
  });

  test("of the whole range and of its ends", () => {
    expect(prefixesOf({ first: 0, last: MOST, bits: 1 })).toEqual([{ id: 0, length: 0, bits: 1 }]);
    expect(prefixesOf({ first: 1, last: MOST - 1, bits: 1 })).toHaveLength(62);
    expect(prefixesOf({ first: MOST, last: MOST, bits: 1 })).toEqual([{ id: MOST, length: 32, bits: 1 }]);
    expect(prefixesOf({ first: 2 ** 31, last: MOST, bits: 1 })).toEqual([{ id: 2 ** 31, length: 1, bits: 1 }]);
  });
});

test("only single ids stand in the hash, and only ranges in the trie", () => {
  const { maps, parts } = encodeMarks(
    {
      users: [
        { first: 5, last: 5, bits: 1 },
        { first: 6, last: 7, bits: 2 },
      ],
      groups: [{ first: 1, last: 1, bits: 1 }],
      members: [],
      cgroups: [],
    },
    () => 0,
  );
  expect([maps.users.length, maps.user_ranges.length, maps.groups.length, parts]).toEqual([1, 1, 1, 2 | 4 | 8]);
  expect(maps.user_ranges[0]?.key).toEqual(new Uint8Array([31, 0, 0, 0, 0, 0, 0, 6]));
});
