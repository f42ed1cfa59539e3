// Owns the short run of chaos that every test run has: a few bursts on one host, one seed fixed and one random. The long
// run is `make chaos`.
import { afterAll, beforeAll, expect, test } from "vitest";
import { drawBurst, suffer } from "./chaos/burst.ts";
import { repetition } from "./chaos/narrow.ts";
import { World } from "./chaos/world.ts";

/** Bursts for each of the seeds. */
const BURSTS = 2;
const FIXED = 20_260_101;
const RANDOM = Math.floor(Math.random() * 2 ** 31);

let world: World;
beforeAll(async () => {
  world = await World.up("chaos-short");
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

test.each([
  ["a fixed seed", FIXED],
  ["a random seed", RANDOM],
])(
  "after bursts of faults from %s (%i) the host is as its file says, and what is foreign as it was",
  async (_, seed) => {
    for (let burst = seed; burst < seed + BURSTS; burst++) {
      const faults = drawBurst(burst);
      const { wrong } = await suffer(world, faults);
      const again = repetition(
        burst,
        faults.map((_fault, place) => place),
      );
      expect(wrong === undefined ? "" : `${wrong}\nRepetition: ${again}`).toBe("");
    }
  },
  300_000,
);
