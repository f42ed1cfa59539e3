// Owns the proof of plan and apply on the model of a host.
import { expect, test } from "vitest";
import { checkApplyProperty } from "../../test/apply-property.ts";
import { checkNftProperty } from "../../test/nft-property.ts";
import { nftTable } from "../../test/nft-objects.ts";
import { FakeHost } from "../host/fake/fake-host.ts";
import { emptyLedger } from "../model/plan.ts";
import { MemoryStore } from "../../test/memory-store.ts";
import { lookAndPlan } from "./look.ts";

const open = async () => {
  const host = new FakeHost();
  return {
    host,
    addLink: (name: string, addresses: readonly string[]) => host.addLink(name, addresses),
    setUp: (name: string, up: boolean) => host.setUp(name, up),
    setCarrier: (name: string, carrier: boolean) => host.setCarrier(name, carrier),
    addAddress: (link: string, address: string) => host.addAddress(link, address),
    // A model of stated entries has no place for what is learned.
    learn: () => {},
    [Symbol.asyncDispose]: async () => host.close(),
  };
};

test("applying twice, changing, failing and removing keep their promises", { timeout: 120_000 }, async () => {
  await checkApplyProperty(open, 150);
  expect.hasAssertions();
});

test("nft tables that come, drift, are refused and go keep them too", async () => {
  await checkNftProperty(open, 300);
  expect.hasAssertions();
});

test("a look finds nft tables that nothing remembers, and says when some are expected", async () => {
  const host = new FakeHost();
  host.state.nftTables.push(nftTable(), nftTable({ name: "heddle-egress-b", owner: "foreign" }));
  const nothing = { file: "", ranges: {}, sections: [] };
  const scopes: unknown[] = [];
  const { nftTable: driver } = host.drivers;
  const watched: typeof driver = {
    list: (links, scope) => {
      scopes.push(scope.nftTables);
      return driver.list(links, scope);
    },
    perform: (steps, links) => driver.perform(steps, links),
  };
  Object.assign(host.drivers, { nftTable: watched });
  const { memory } = new MemoryStore();
  const { look } = await lookAndPlan(nothing, host, memory);
  expect(look?.plan.steps.map((step) => `${step.action} ${step.why}`)).toEqual(["delete orphan"]);
  const remembering = { ...emptyLedger(), applied: { "nftTable inet heddle-egress-a": "{}" } };
  await lookAndPlan(nothing, host, { ...memory, ledger: remembering });
  expect(scopes).toEqual([false, true]);
});
