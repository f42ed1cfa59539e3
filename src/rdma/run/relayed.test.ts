// Proves that what the addon passes on by its flows is what the bridge passes on without them, byte for byte, whatever comes.
import { describe, expect, test } from "vitest";
import { FlowTable, monotonicMs } from "../../host/flow-table.ts";
import { Fuzz } from "../bridge/testing/fuzz.ts";

const PACKETS = 40_000;
const SEEDS = [1, Math.floor(Math.random() * 0x7fffffff)];

describe.each(SEEDS)("from seed %i", (seed) => {
  test.each([false, true])("flows change nothing but who passes a packet on; VCRCs: %s", (vcrc) => {
    const fuzz = new Fuzz(seed, (way, sequence) => {
      const native = way === "toEthernet";
      const table = new FlowTable(64, { native, checks: vcrc && native, seals: vcrc && !native }, sequence);
      table.lease(monotonicMs() + 1e6);
      return table;
    });
    for (let i = 0; i < PACKETS; i++) {
      const input = fuzz.next();
      try {
        fuzz.give(input);
      } catch (error) {
        throw new Error(`packet ${i}, ${input.kind} ${Buffer.from(input.bytes).toString("hex")}`, { cause: error });
      }
    }
    fuzz.checkBounds();
    expect(fuzz.relayed).toBeGreaterThan(1000);
  });
});
