// Proves that explain says of packets in VRFs what stock kernels say (RTM_GETROUTE), in virtual machines: not every kernel has
// VRFs, and the one that tests run on may be one of those.
import { arch } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GuestFiles } from "./guest.ts";

describe.runIf(arch() === "x64")("in a guest", () => {
  let files: GuestFiles;
  beforeAll(async () => {
    files = await GuestFiles.make("vrf");
  }, 60_000);
  afterAll(() => files[Symbol.dispose]());

  test.each(["6.1", "6.12"])(
    "Debian's kernel %s and explain agree on packets in VRFs",
    { timeout: 120_000 },
    async (series) => {
      const said = await files.boot(series);
      expect(said, JSON.stringify(said)).toMatchObject({ packets: 600, differences: 0, first: [] });
      expect(said["sent"], JSON.stringify(said)).toBeGreaterThan(100);
      expect(said["inVrf"], JSON.stringify(said)).toBeGreaterThan(100);
    },
  );
});
