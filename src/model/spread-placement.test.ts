// Proves that buckets are shared by weight, and that a change moves as few of them as can be.
import fc from "fast-check";
import { expect, test } from "vitest";
import { holds } from "../host/netlink/testing/seeds.ts";
import { placeByWeight, quotas } from "./spread-placement.ts";

const members = fc
  .uniqueArray(fc.record({ number: fc.integer({ min: 1, max: 15 }), weight: fc.integer({ min: 1, max: 256 }) }), {
    selector: ({ number }) => number,
    minLength: 1,
    maxLength: 15,
  })
  .map((all) => all.sort((a, b) => a.number - b.number));

const count = (placed: Uint8Array, number: number): number => placed.filter((one) => one === number).length;

test("every member has its share, to the bucket", () => {
  holds(
    fc.property(members, (all) => {
      const placed = placeByWeight(all);
      for (const [number, quota] of quotas(all, 1024)) expect(count(placed, number)).toBe(quota);
      const weights = all.reduce((sum, { weight }) => sum + weight, 0);
      for (const { number, weight } of all)
        expect(Math.abs(count(placed, number) - (1024 * weight) / weights)).toBeLessThan(1);
    }),
    100,
  );
});

test("a change moves no bucket that need not move", () => {
  holds(
    fc.property(members, members, (before, after) => {
      const [first, second] = [placeByWeight(before), placeByWeight(after, placeByWeight(before))];
      const [had, has] = [quotas(before, 1024), quotas(after, 1024)];
      const must = [...had].reduce((sum, [number, quota]) => sum + Math.max(0, quota - (has.get(number) ?? 0)), 0);
      expect(first.filter((member, bucket) => member !== second[bucket]).length).toBe(must);
    }),
    100,
  );
});
