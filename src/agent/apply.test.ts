// Owns the proof of plan and apply on the model of a host.
import { describe, expect, test } from "vitest";
import { checkApplyProperty } from "../../test/apply-property.ts";
import { checkNftProperty } from "../../test/nft-property.ts";
import { nftTable } from "../../test/nft-objects.ts";
import { FakeHost } from "../host/fake/fake-host.ts";
import { emptyLedger } from "../model/plan.ts";
import { MemoryStore } from "../../test/memory-store.ts";
import { parseConfig } from "../config/config.ts";
import { ROLES } from "../roles/index.ts";
import { applyPlan } from "./apply.ts";
import type { Applied, OnFailure } from "./apply.ts";
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

describe("a nexthop that the kernel refuses", () => {
  const FILE = `version: 1
links: { ib0: { addresses: [172.16.34.1/16] } }
static:
  s:
    nexthops: { a: { via: 10.99.0.1, link: ib0 }, b: { via: 172.16.0.9, link: ib0 }, g: { group: { a: 1, b: 2 } } }
    routes:
      - { to: 10.1.0.0/16, nexthop: a }
      - { to: 10.2.0.0/16, nexthop: g }`;

  async function apply(onFailure: OnFailure): Promise<{ host: FakeHost; store: MemoryStore; applied: Applied }> {
    const host = new FakeHost();
    host.addLink("ib0", []);
    const store = new MemoryStore();
    const { value } = parseConfig(FILE, "heddle.yaml", ROLES);
    const { look } = value ? await lookAndPlan(value, host, store.memory) : {};
    if (!look) throw new Error("there is no plan");
    return { host, store, applied: await applyPlan(look, host, store, undefined, onFailure) };
  }
  const refused = [{ step: { after: { key: "nexthop 7000" } } }];

  test("takes all of an apply back", async () => {
    const { host, applied } = await apply("take-back");
    expect(applied).toMatchObject({ done: [], failed: refused, notUndone: [] });
    expect(host.state.links[0]?.addresses).toEqual([]);
  });

  // To take an address back would take others' routes along.
  test("is left out of a repair, with what needs it, and everything else stays", async () => {
    const { host, store, applied } = await apply("leave-out");
    expect(applied.failed).toMatchObject(refused);
    expect(host.state.links[0]?.addresses).toMatchObject([{ address: "172.16.34.1/16" }]);
    expect(host.state.nexthops).toMatchObject([{ id: 7001 }, { id: 7002, members: [{ id: 7001, weight: 2 }] }]);
    expect(host.state.routes.filter(({ nexthop }) => nexthop !== undefined)).toMatchObject([{ to: "10.2.0.0/16" }]);
    expect(Object.keys(store.memory.ledger.applied)).not.toContain("nexthop 7000");
    expect(Object.keys(store.memory.ledger.applied)).toContain("nexthop 7001");
  });
});
