// Owns the proof that a plan which cuts a way is refused, and one that does not is not.
import { expect, test } from "vitest";
import { FakeHost } from "../host/fake/fake-host.ts";
import { parseConfig } from "../config/config.ts";
import { emptyLedger } from "../model/plan.ts";
import { emptyNumbers } from "../plan/numbers.ts";
import { noKnownOwners } from "../plan/recall-owners.ts";
import { ROLES } from "../roles/index.ts";
import { objectToCuts } from "./lifelines.ts";
import { lookAndPlan } from "./look.ts";

/** A login node: one link to the world with the default route, two in the fabric. */
function host(): FakeHost {
  const fake = new FakeHost();
  fake.addLink("eth0", ["10.0.0.5/24"]);
  fake.addLink("ib0", ["172.16.34.1/16"]);
  fake.addLink("ib1", ["172.16.34.2/16"]);
  fake.state.routes.push({
    family: 4,
    table: 254,
    to: "0.0.0.0/0",
    type: "unicast",
    hops: [{ link: "eth0", via: "10.0.0.1" }],
    protocol: 3,
  });
  return fake;
}

const SSH = "192.0.2.7 50000 10.0.0.5 22";

async function said(text: string, guarded = false, mounts: Parameters<typeof objectToCuts>[1]["mounts"] = []) {
  const { value } = parseConfig(`version: 1\n${text}`, "heddle.yaml", ROLES);
  if (!value) throw new Error("the file is wrong");
  const { look, diagnostics } = await lookAndPlan(value, host(), {
    ledger: emptyLedger(),
    numbers: emptyNumbers(),
    known: noKnownOwners(),
  });
  if (!look) throw new Error(JSON.stringify(diagnostics));
  return objectToCuts(look, { ssh: SSH, mounts, guarded }).map(({ code, summary }) => `${code}: ${summary}`);
}

const rule = (words: string): string => `static: { s: { rules: [{ ${words}, priority: 100, family: ipv4 }] } }`;

test("several links in one subnet cut nobody off", async () => {
  expect(await said("multihome: { ib: { links: [ib0, ib1] } }")).toEqual([]);
  expect(await said("multihome: { ib: { links: [ib0, ib1], unbound: ib1 } }")).toEqual([]);
});

test("a rule that refuses all packets cuts every way, and names the mount", async () => {
  const mounts = [{ point: "/", type: "nfs4", server: "172.16.1.9" }];
  expect(await said(rule("action: unreachable"), true, mounts)).toEqual([
    "cuts-way: this would cut the way to you, who came from 192.0.2.7 by SSH",
    "cuts-way: this would cut the way to 172.16.1.9, the server of / (nfs4)",
    "cuts-way: this would cut the way to 10.0.0.1, the default gateway",
  ]);
});

test("a rule that leads to another gateway is refused, unless it is undone by itself", async () => {
  const text =
    "static: { s: { rules: [{ from: 10.0.0.5, table: 99, priority: 100 }]," +
    " routes: [{ to: default, via: 172.16.0.1, link: ib0, table: 99 }] } }";
  expect(await said(text)).toEqual([
    "moves-way: this would lead the way to you, who came from 192.0.2.7 by SSH elsewhere",
  ]);
  expect(await said(text, true)).toEqual([]);
});

test("what rules ask for is heeded: ports, users, marks, protocols, a table without an answer", async () => {
  for (const words of [
    "action: unreachable, dport: 50000",
    "action: unreachable, sport: 22, protocol: tcp",
    "action: unreachable, uids: 0-100",
    "action: unreachable, from: 10.0.0.5",
    "action: unreachable, to: 192.0.2.0/24",
  ]) {
    expect([words, await said(rule(words))]).toEqual([
      words,
      expect.arrayContaining([expect.stringContaining("who came from")]),
    ]);
  }
  for (const words of [
    "action: unreachable, dport: 50001",
    "action: unreachable, uids: 1000-2000",
    "action: unreachable, mark: 5",
    "action: unreachable, protocol: udp",
    "action: unreachable, to: 192.0.3.0/24",
    "table: 4711",
  ]) {
    expect([words, await said(rule(words))]).toEqual([words, []]);
  }
});
