// Owns the proof that explain is equal to the kernel: random rules, tables and packets, and RTM_GETROUTE's answers. The
// same in great numbers is `make bench`.
import { expect, test } from "vitest";
import { compare, newTally } from "../../test/explain-compare.ts";
import { World } from "../../test/explain-worlds.ts";

const WORLDS = 8;
/** Packets a world, before its rules are added and after. */
const PACKETS = { before: 20, after: 120 };

test.each([72, Date.now() % 1_000_000])("explain says what the kernel does (seed %s)", async (seed) => {
  const tally = newTally();
  for (let i = 0; i < WORLDS; i++) {
    using world = new World(seed * 1000 + i, 0);
    await compare(world, await world.picture(), PACKETS.before, tally);
    await world.addRules();
    await compare(world, await world.picture(), PACKETS.after, tally);
  }
  expect(tally.differences.slice(0, 1), `${tally.differences.length} of ${tally.packets}; seed ${seed}`).toEqual([]);
  expect(tally.multipath).toBeGreaterThan(20);
  expect(tally.refused).toBeGreaterThan(20);
});
