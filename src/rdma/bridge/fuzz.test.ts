// Proves that no packet, however it is made, makes the bridge throw, grow, or send what it must not: some of them here, ten
// million by `make fuzz-bridge`.
import { describe, expect, test } from "vitest";
import { DROP_NAMES } from "./drops.ts";
import { Fuzz } from "./testing/fuzz.ts";

const PACKETS = 80_000;
/** A seed with which all is met that can be met. */
const SEED = 1;
/** What only a running bridge, or a network, makes of packets. */
const NEVER_HERE = new Set(["wrong-way", "standby", "not-joined", "unsent"]);

describe.each([SEED, Math.floor(Math.random() * 0x7fffffff)])("from seed %i", (seed) => {
  test("packets are passed on, dealt with, or dropped for a reason, and nothing grows", () => {
    const fuzz = new Fuzz(seed);
    for (let i = 0; i < PACKETS; i++) {
      const input = fuzz.next();
      try {
        fuzz.give(input);
      } catch (error) {
        throw new Error(`${input.kind} ${Buffer.from(input.bytes).toString("hex")}`, { cause: error });
      }
      if (i % 1000 === 0) fuzz.checkBounds();
    }
    fuzz.checkBounds();
    expect([fuzz.became.get("passed") ?? 0, fuzz.became.get("taken") ?? 0].every((count) => count > 100)).toBe(true);
    // It got behind every check.
    if (seed !== SEED) return;
    for (const name of ["passed", "taken", ...DROP_NAMES]) {
      if (!NEVER_HERE.has(name)) expect([name, fuzz.became.get(name) ?? 0]).not.toEqual([name, 0]);
    }
  });
});
