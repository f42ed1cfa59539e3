// Owns the proof on the real kernel of what the agent hears, and when: old news between looks, every word during one.
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../test/contract-steps.ts";
import { TestNamespace } from "../../test/namespace.ts";
import { openHost } from "../host/kernel.ts";
import type { Host } from "../host/host.ts";
import { emptyLedger } from "../model/plan.ts";
import { Ears } from "./ears.ts";
import { Interest } from "./interest.ts";

let namespace: TestNamespace;
let host: Host;
let ears: Ears;
let heard: string[];

beforeEach(async () => {
  namespace = new TestNamespace();
  namespace.addLink("v0", ["192.0.2.1/24"]);
  // The kernel makes it when it has time, and that is news.
  await until(async () => namespace.ip("-6 address show dev v0").includes("fe80:"));
  host = openHost(namespace.fd);
  heard = [];
  ears = new Ears(host.port ?? 0, ({ changed }) => heard.push(changed), namespace.fd);
  return async () => {
    ears.close();
    host.close();
    namespace[Symbol.dispose]();
  };
});
afterEach(() => expect(heard).toEqual([]));

/** What is heard up to a marker, which concerns heddle always. */
async function hear(...commands: string[]): Promise<string[]> {
  for (const command of commands) namespace.ip(command);
  namespace.ip("rule add priority 5 table 5 protocol 72");
  await until(async () => heard.includes("rule"));
  namespace.ip("rule del priority 5");
  await until(async () => heard.filter((changed) => changed === "rule").length === 2);
  return heard.splice(0).filter((changed) => changed !== "rule");
}

async function interest(made: readonly string[] = []): Promise<Interest> {
  const applied = Object.fromEntries(made.map((key) => [key, ""]));
  const snapshot = { links: await host.links(), observed: [] };
  return new Interest({ snapshot, want: { objects: [] }, ledger: { ...emptyLedger(), applied }, cgroups: [] });
}

test("a lease that is renewed is no news, but while a look is under way, which may have seen it gone", async () => {
  await ears.attend(await interest());
  const renew = "addr change 192.0.2.1/24 dev v0 valid_lft 1000 preferred_lft 1000";
  expect(await hear(renew)).toEqual([]);
  ears.begin();
  expect(await hear(renew)).toEqual(["address"]);
  await ears.attend(await interest());
  expect(await hear(renew)).toEqual([]);
});

test("neighbours and nftables are heard of while something of the kind is heddle's", async () => {
  const neighbour = "neigh replace 192.0.2.9 lladdr 02:00:00:00:00:09 dev v0 nud permanent protocol 72";
  await ears.attend(await interest());
  expect(await hear(neighbour)).toEqual([]);
  await ears.attend(await interest(["neighbour v0 192.0.2.9", "nftTable inet heddle-egress-a"]));
  // It is told twice: as failed, and as gone.
  expect(new Set(await hear("neigh del 192.0.2.9 dev v0"))).toEqual(new Set(["neighbour"]));
  namespace.run("nft", "add table inet heddle-egress-a");
  await until(async () => heard.includes("nftTable"));
  namespace.run("nft", "flush ruleset");
  await until(async () => heard.length === 2);
  expect(heard.splice(0)).toEqual(["nftTable", "nftTable"]);
  await ears.attend(await interest());
  namespace.run("nft", "add table inet heddle-egress-a");
  expect(await hear(neighbour)).toEqual([]);
});
