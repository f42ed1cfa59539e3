// Owns the promises of plan and apply for nftables tables, as a property of the model and of the real kernel: tables of
// several roles come, change, are refused and go, while others make tables and change ours.
import * as fc from "fast-check";
import { expect } from "vitest";
import { nftTableRules } from "../src/plan/kinds/nft-table.ts";
import { NFT_IDIOMS } from "./nft-idioms.ts";
import { Applier, linesOf, marking, nftTable, refusedObjects } from "./nft-objects.ts";
import { create, replace } from "./steps.ts";
import type { Stage } from "./host-contract.ts";
import type { NftTableSpec } from "../src/model/nft.ts";

const family = fc.constantFrom("inet" as const, "ip" as const);
const name = fc.constantFrom("heddle-egress-a", "heddle-egress-b", "heddle-gateway-a");
const content = fc.constantFrom(
  [],
  marking(0x70),
  marking(0x71),
  // The kernel gives these back in other words; the model the second one.
  NFT_IDIOMS["mark under a mask"] ?? [],
  NFT_IDIOMS["mark by name of user"] ?? [],
  NFT_IDIOMS["a named set of prefixes"] ?? [],
  // Refused: the whole apply is taken back.
  refusedObjects(),
);
const table = fc.record({ family, name, objects: content }).map((spec) => nftTable(spec));
const tables = fc.uniqueArray(table, { selector: (spec) => nftTableRules.identify(spec), maxLength: 3 });

/** What happens, one after the other: a wish is applied, or somebody puts other content into one of our tables. */
const event = fc.oneof(
  fc.record({ wish: tables }),
  fc.record({ drift: fc.record({ at: fc.nat(5), objects: fc.constantFrom([], marking(0x5)) }) }),
);

const world = fc.record({
  foreign: fc.uniqueArray(table, { selector: (spec) => nftTableRules.identify(spec), maxLength: 2 }),
  events: fc.array(event, { minLength: 1, maxLength: 4 }),
});

async function inventory({ host }: Stage): Promise<{ ours: NftTableSpec[]; foreign: NftTableSpec[] }> {
  const listed = await host.drivers.nftTable.list(await host.links(), { sysctls: [] });
  const specs = listed.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ spec }) => spec);
  return {
    ours: specs.filter(({ owner }) => owner === "heddle"),
    foreign: specs.filter(({ owner }) => owner === "foreign"),
  };
}

async function applyAndCheck(stage: Stage, applier: Applier, wish: readonly NftTableSpec[]): Promise<void> {
  const before = await inventory(stage);
  const ledger = applier.ledger;
  const applied = await applier.apply(...wish);
  const after = await inventory(stage);
  expect(after.foreign, "what is not ours stays as it was").toEqual(before.foreign);
  if (applied.failed.length > 0) {
    expect(applied.notUndone).toEqual([]);
    expect(after.ours, "a failed apply changes nothing").toEqual(before.ours);
    expect(applier.ledger).toEqual(ledger);
    return;
  }
  const inTheWay = wish
    .filter((spec) => before.foreign.some((one) => nftTableRules.identify(one) === nftTableRules.identify(spec)))
    .map((spec) => `foreign ${nftTableRules.identify(spec)}`);
  expect(linesOf(await applier.plan(...wish)).toSorted(), "the second plan is empty").toEqual(inTheWay.toSorted());
  expect(after.ours).toHaveLength(wish.length - inTheWay.length);
  await applier.apply(...wish);
  expect(linesOf(await applier.plan(...wish)), "an apply of nothing forgets nothing").toHaveLength(inTheWay.length);
}

/** Runs the property: `open` makes a fresh host for each world. */
export async function checkNftProperty(open: () => Promise<Stage>, runs: number): Promise<void> {
  const property = fc.asyncProperty(world, async ({ foreign, events }) => {
    await using stage = await open();
    const { host } = stage;
    await host.drivers.nftTable.perform(
      foreign.map((spec) => create("nftTable", { ...spec, owner: "foreign" })),
      [],
    );
    const untouched = await inventory(stage);
    const applier = new Applier(host);
    for (const one of events) {
      if ("wish" in one) {
        await applyAndCheck(stage, applier, one.wish);
        continue;
      }
      const { ours } = await inventory(stage);
      const victim = ours[one.drift.at % Math.max(1, ours.length)];
      if (!victim) continue;
      const after = { ...victim, objects: one.drift.objects };
      await host.drivers.nftTable.perform([replace("nftTable", victim, after)], []);
    }
    await applyAndCheck(stage, applier, []);
    expect(await inventory(stage), "remove leaves no trace").toEqual(untouched);
    expect(applier.ledger).toEqual({ sysctls: {}, applied: {}, made: {} });
  });
  // One seed that is always the same, and one that never is; fast-check prints the replay line of a failure.
  await fc.assert(property, { seed: 20231124, numRuns: runs });
  await fc.assert(property, { numRuns: runs });
}
