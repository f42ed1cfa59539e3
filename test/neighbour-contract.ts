// Owns what every host must do with stated neighbours, the model and the real kernel alike.
import { describe, expect, test } from "vitest";
import { HEDDLE_PROTOCOL } from "../src/model/kinds.ts";
import type { NeighbourSpec } from "../src/model/kinds.ts";
import { create, listed, OTHERS, perform, remove, replace, until, withStage } from "./contract-steps.ts";
import type { Stage } from "./contract-steps.ts";

/** A permanent IPv4 neighbour of heddle's on ib0, unless said otherwise. */
export function neighbour(spec: Partial<NeighbourSpec> = {}): NeighbourSpec {
  const hardwareAddress = "02:00:00:00:00:05";
  const own = { family: 4, link: "ib0", address: "172.16.0.5", protocol: HEDDLE_PROTOCOL } as const;
  return { ...own, ...(spec.proxy ? {} : { hardwareAddress, state: "permanent" }), ...spec };
}

/** Runs this part of the contract against hosts that `open` makes. */
export function testNeighbourContract(open: () => Promise<Stage>): void {
  const cases: Record<string, NeighbourSpec> = {
    permanent: neighbour(),
    "without resolution": neighbour({ state: "noarp" }),
    "of IPv6, a router": neighbour({ family: 6, address: "fd00:16::5", router: true }),
    proxied: neighbour({ proxy: true }),
    "of IPv6, proxied": neighbour({ family: 6, address: "fd00:16::5", proxy: true }),
  };

  describe("neighbours", () => {
    for (const [name, spec] of Object.entries(cases)) {
      test(`${name}: made, listed as asked for, taken away`, () =>
        withStage(open, async ({ host }) => {
          expect(await perform(host, "neighbour", create("neighbour", spec))).toEqual([undefined]);
          expect(await listed(host, "neighbour")).toEqual([spec]);
          expect(await perform(host, "neighbour", remove("neighbour", spec))).toEqual([undefined]);
          expect(await listed(host, "neighbour")).toEqual([]);
          expect(await perform(host, "neighbour", remove("neighbour", spec))).toEqual([undefined]);
        }));

      test(`${name}: one that somebody else stated is left alone`, () =>
        withStage(open, async ({ host }) => {
          const theirs = { ...spec, protocol: OTHERS };
          const steps = [theirs, spec].map((one) => create("neighbour", one));
          expect(await perform(host, "neighbour", steps[0] as (typeof steps)[0])).toEqual([undefined]);
          expect(await perform(host, "neighbour", steps[1] as (typeof steps)[0])).toEqual(["EEXIST"]);
          expect(await perform(host, "neighbour", replace("neighbour", spec, spec))).toEqual(["ENOENT"]);
          expect(await perform(host, "neighbour", remove("neighbour", spec))).toEqual([undefined]);
          expect(await listed(host, "neighbour")).toEqual([theirs]);
        }));
    }

    test("one that the host learned is not listed, and gives way", () =>
      withStage(open, async ({ host, learn }) => {
        learn("ib0", "172.16.0.5");
        expect(await listed(host, "neighbour")).toEqual([]);
        const steps = [neighbour(), neighbour({ address: "172.16.0.6" })].map((spec) => create("neighbour", spec));
        expect(await perform(host, "neighbour", ...steps)).toEqual([undefined, undefined]);
        const present = await listed(host, "neighbour");
        expect(present).toHaveLength(2);
        expect(present).toContainEqual(neighbour());
      }));

    test("replaced in place, and only when it is there", () =>
      withStage(open, async ({ host }) => {
        const after = neighbour({ hardwareAddress: "02:00:00:00:00:06" });
        expect(await perform(host, "neighbour", replace("neighbour", neighbour(), after))).toEqual(["ENOENT"]);
        await perform(host, "neighbour", create("neighbour", neighbour()));
        expect(await perform(host, "neighbour", replace("neighbour", neighbour(), after))).toEqual([undefined]);
        expect(await listed(host, "neighbour")).toEqual([after]);
      }));

    test("an address may be stated and proxied, and each is taken away by itself", () =>
      withStage(open, async ({ host }) => {
        const both = [neighbour(), neighbour({ proxy: true })];
        await perform(host, "neighbour", ...both.map((spec) => create("neighbour", spec)));
        await perform(host, "neighbour", remove("neighbour", neighbour()));
        expect(await listed(host, "neighbour")).toEqual([neighbour({ proxy: true })]);
      }));

    test("a link that is not there is refused; one that is down is not, and coming up takes nothing away", () =>
      withStage(open, async ({ host, setUp }) => {
        setUp("ib1", false);
        const specs = [neighbour({ link: "ib7" }), neighbour({ link: "ib1" })];
        const steps = specs.map((spec) => create("neighbour", spec));
        expect(await perform(host, "neighbour", ...steps)).toEqual(["ENODEV", undefined]);
        setUp("ib1", true);
        expect(await listed(host, "neighbour")).toEqual([neighbour({ link: "ib1" })]);
      }));

    test("going down takes all of the link's away; a lost carrier all but the permanent ones", () =>
      withStage(open, async ({ host, setUp, setCarrier }) => {
        const proxied = neighbour({ address: "172.16.0.7", proxy: true });
        const all = [neighbour(), proxied, neighbour({ address: "172.16.0.6", state: "noarp" })];
        await perform(host, "neighbour", ...all.map((spec) => create("neighbour", spec)));
        setCarrier("ib0", false);
        await until(async () => (await listed(host, "neighbour")).length < 2);
        expect(await listed(host, "neighbour")).toEqual([neighbour()]);
        setUp("ib0", false);
        expect(await listed(host, "neighbour")).toEqual([]);
      }));
  });
}
