// Proves that heddle's BPF programs load on the kernels of Debian that it is meant for, in virtual machines, and judge
// packets there as the model does; and that the controller hears of packets there.
import { arch } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GuestFiles } from "./guest.ts";
import type { VlanResult } from "./vlans.ts";

/** Debian 12 has the first two; the third is fetched from the release before it, when all are asked for. */
const KERNELS = [
  { series: "6.1", frames: [] as string[] },
  { series: "6.12", frames: ["ib0"] },
  ...(process.env["HEDDLE_KERNELS"] === "all" ? [{ series: "5.10", frames: [] }] : []),
];

// They are for one kind of machine, and an emulator of another would take minutes.
describe.runIf(arch() === "x64")("in a guest", () => {
  let files: GuestFiles;
  beforeAll(async () => {
    files = await GuestFiles.make();
  }, 60_000);
  afterAll(() => files[Symbol.dispose]());

  test.each(KERNELS)(
    "Debian's kernel $series loads all programs, has them at links and at VLANs, and judges as the model",
    { timeout: 120_000 },
    async ({ series, frames }) => {
      const { kernel, vlans, ...said } = await files.boot(series);
      expect(String(kernel).startsWith(`${series}.`)).toBe(true);
      const spread = { whole: true, frames: [], right: 200, heard: true, ways: 2, left: false };
      expect(said).toEqual({
        mark: spread,
        redirect: spread,
        fast: { ...spread, frames },
        sockets: { attached: true, ids: "filesystem" },
      });
      // A text is what went wrong there.
      expect(vlans).toEqual(expect.any(Object));
      const { came, meant, counted } = vlans as VlanResult;
      expect({ came, counted }).toEqual({ came: meant, counted: 60 });
      expect(Math.min(...meant)).toBeGreaterThan(0);
    },
  );
});
