// Owns the proof of plan and apply on the model of a host.
import { expect, test } from "vitest";
import { checkApplyProperty } from "../../test/apply-property.ts";
import { checkNftProperty } from "../../test/nft-property.ts";
import { nftTable } from "../../test/nft-objects.ts";
import { FakeHost } from "../host/fake/fake-host.ts";
import { emptyLedger } from "../model/plan.ts";
import { emptyNumbers } from "../plan/numbers.ts";
import { lookAndPlan } from "./look.ts";

const open = async () => {
  const host = new FakeHost();
  return {
    host,
    addLink: (name: string, addresses: readonly string[]) => host.addLink(name, addresses),
    setUp: (name: string, up: boolean) => host.setUp(name, up),
    [Symbol.asyncDispose]: async () => host.close(),
  };
};

test("applying twice, changing, failing and removing keep their promises", async () => {
  await checkApplyProperty(open, 300);
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
  const memory = { ledger: emptyLedger(), numbers: emptyNumbers() };
  const { look } = await lookAndPlan(nothing, host, memory);
  expect(look?.plan.steps.map((step) => `${step.action} ${step.why}`)).toEqual(["delete orphan"]);
  const remembering = { ...emptyLedger(), applied: { "nftTable inet heddle-egress-a": "{}" } };
  await lookAndPlan(nothing, host, { ...memory, ledger: remembering });
  expect(scopes).toEqual([false, true]);
});
