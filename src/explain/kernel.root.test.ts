// Owns the proof that explain is equal to the kernel where rules ask for users, of whom a user namespace has but one.
import { expect, test } from "vitest";
import { compare, newTally } from "../../test/explain-compare.ts";
import { World } from "../../test/explain-worlds.ts";

test.each([72, Date.now() % 1_000_000])("users decide as the kernel has it (seed %s)", async (seed) => {
  const tally = newTally();
  for (let i = 0; i < 6; i++) {
    using world = new World(seed * 1000 + i, 5000);
    await world.addRules();
    await compare(world, await world.picture(), 120, tally);
  }
  expect(tally.differences.slice(0, 1), `${tally.differences.length} of ${tally.packets}; seed ${seed}`).toEqual([]);
  expect(tally.decidedBy.uids).toBeGreaterThan(0);
});
