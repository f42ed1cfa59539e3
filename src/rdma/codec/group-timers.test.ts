// Proves how long members are remembered by what queries of all versions state, coded times among them.
import { expect, test } from "vitest";
import { REMEMBERED_MS, rememberedMs } from "./group-timers.ts";
import { Membership } from "./membership.ts";

const after = (said: Partial<Membership>): number => rememberedMs(Object.assign(new Membership(), said));

test.each([
  ["IGMPv1 states nothing", { version: 1, responseCode: 0 }, 260_000],
  ["IGMPv2 states tenths of a second", { version: 2, responseCode: 200 }, 270_000],
  ["IGMPv3", { version: 3, responseCode: 100, robustness: 3, intervalCode: 60 }, 190_000],
  // 0x8f: (15 | 16) << 3 = 248 tenths; 0xa0: 16 << 5 = 512 s.
  ["IGMPv3 codes large times", { version: 3, responseCode: 0x8f, robustness: 2, intervalCode: 0xa0 }, 1_048_800],
  [
    "IGMPv3 without robustness and interval",
    { version: 3, responseCode: 100, robustness: 0, intervalCode: 0 },
    260_000,
  ],
  ["MLDv1 states milliseconds", { family: 6, version: 1, responseCode: 40_000 }, 290_000],
  // 0x8001: 4097 << 3 ms.
  ["MLDv2 codes large times", { family: 6, version: 2, responseCode: 0x8001, robustness: 1, intervalCode: 1 }, 33_776],
] as const)("%s", (_, said, ms) => {
  expect(after(said)).toBe(ms);
});

test("the usual values are those of the standards", () => {
  expect(REMEMBERED_MS).toBe(260_000);
});
