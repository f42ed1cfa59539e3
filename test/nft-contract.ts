// Owns the part of the host contract that is about nftables tables; test/host-contract.ts runs it.
import { expect, test } from "vitest";
import type { Host } from "../src/host/host.ts";
import { nftTableRules } from "../src/plan/kinds/nft-table.ts";
import type { Stage } from "./host-contract.ts";
import type { Step } from "../src/model/plan.ts";
import type { NftTableSpec } from "../src/model/nft.ts";
import { marking, nftTable, refusedObjects } from "./nft-objects.ts";
import { create, remove, replace } from "./steps.ts";

/** Runs the tests; `withStage` gives each a host with the links ib0 and ib1. */
export function testNftTables(withStage: (run: (stage: Stage) => Promise<void>) => Promise<void>): void {
  const perform = async (host: Host, ...steps: Step[]): Promise<(string | undefined)[]> => {
    const results = await host.drivers.nftTable.perform(steps, await host.links());
    return results.map((result) => result.error?.code);
  };
  const listed = async (host: Host): Promise<NftTableSpec[]> =>
    (await host.drivers.nftTable.list(await host.links(), { sysctls: [] })).map(({ spec }) => spec);
  const normal = (...specs: NftTableSpec[]): NftTableSpec[] => specs.map((spec) => nftTableRules.normalize(spec));

  for (const family of ["inet", "ip", "ip6"] as const) {
    test(`${family}: made, listed as it was asked for, replaced, taken away`, () =>
      withStage(async ({ host }) => {
        const [before, after] = [nftTable({ family }), nftTable({ family, objects: marking(0x71) })];
        expect(await perform(host, create("nftTable", before))).toEqual([undefined]);
        expect(await listed(host)).toEqual(normal(before));
        expect(await perform(host, replace("nftTable", before, after))).toEqual([undefined]);
        expect(await listed(host)).toEqual(normal(after));
        expect(await perform(host, remove("nftTable", after))).toEqual([undefined]);
        expect(await listed(host)).toEqual([]);
      }));
  }

  test("tables of one name in several families, and of several names, are several", () =>
    withStage(async ({ host }) => {
      const specs = [nftTable(), nftTable({ family: "ip", objects: [] }), nftTable({ name: "heddle-egress-b" })];
      const steps = specs.map((spec) => create("nftTable", spec));
      expect(await perform(host, ...steps)).toEqual([undefined, undefined, undefined]);
      await perform(host, remove("nftTable", nftTable()));
      const left = (await listed(host)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
      expect(left).toEqual(normal(...specs.slice(1)));
    }));

  test("one of another's under the same name is neither replaced nor taken away, and stays whole", () =>
    withStage(async ({ host }) => {
      const theirs = nftTable({ owner: "foreign", objects: marking(0x5) });
      expect(await perform(host, create("nftTable", theirs))).toEqual([undefined]);
      expect(await perform(host, create("nftTable", nftTable()))).toEqual(["EEXIST"]);
      expect(await perform(host, replace("nftTable", nftTable(), nftTable({ objects: [] })))).toEqual(["ENOENT"]);
      expect(await perform(host, remove("nftTable", nftTable()))).toEqual([undefined]);
      expect(await listed(host)).toEqual(normal(theirs));
    }));

  test("only what is there is replaced; taking away what is not there is no error", () =>
    withStage(async ({ host }) => {
      expect(await perform(host, replace("nftTable", nftTable(), nftTable({ objects: [] })))).toEqual(["ENOENT"]);
      expect(await perform(host, remove("nftTable", nftTable()))).toEqual([undefined]);
      expect(await listed(host)).toEqual([]);
    }));

  test("a refused content leaves the old one whole, and does not stop the steps behind it", () =>
    withStage(async ({ host }) => {
      await perform(host, create("nftTable", nftTable()));
      const bad = nftTable({ objects: refusedObjects() });
      const other = nftTable({ name: "heddle-egress-b" });
      const badNew = nftTable({ name: "heddle-egress-c", objects: refusedObjects() });
      const steps = [replace("nftTable", nftTable(), bad), create("nftTable", badNew), create("nftTable", other)];
      const results = await host.drivers.nftTable.perform(steps, await host.links());
      expect(results.map(({ error }) => error?.code)).toEqual(["ENOENT", "ENOENT", undefined]);
      expect(results[0]?.error?.object).toBe("nftTable inet heddle-egress-a");
      expect(results[0]?.error?.kernelMessage).toMatch(/No such file or directory, in \{"rule":.*"chain":"missing"/);
      expect(await listed(host)).toEqual(normal(nftTable(), other));
    }));
}
