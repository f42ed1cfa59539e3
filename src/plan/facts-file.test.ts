// Owns the tests of what a facts file must hold: what passes packets on, and rules of nftables, within bounds.
import { expect, test } from "vitest";
import { pictureFrom } from "../../test/pictures.ts";
import { noOwners } from "../model/owners.ts";
import { parseFacts } from "./facts-file.ts";

const FACTS = {
  version: 1,
  host: "cpu017",
  picture: pictureFrom({ links: { eth0: { addresses: ["10.0.0.1/24"] } } }),
  neighbours: [],
  nftTables: [],
  programs: [],
  spreads: [],
  owners: noOwners(),
  ledger: { sysctls: {}, addresses: {}, applied: {}, made: {} },
  numbers: { tables: {}, priorities: {}, nexthops: {}, marks: {} },
};
const PASSING = {
  gateways: [
    { name: "a", inside: "ib0", outside: "eth9", shares: [{ to: "192.0.2.1", from: ["10.0.0.0/8"] }], failover: true },
  ],
  bridges: [
    { name: "b", link: "eth0", groups: [{ group: "239.0.0.1", mgid: "ff12:4001:ffff::1", toInfiniband: true }] },
  ],
  signals: [{ kind: "probe", name: "egress/a 10.0.0.9", at: 7, well: true }],
  at: 7.5,
  date: "2026-01-01T00:00:00.000Z",
};

/** What is said of a file: nothing of one that is right. */
function told(facts: object): string[] {
  return parseFacts(JSON.stringify(facts), "f.json").diagnostics.map(({ detail }) => detail ?? "");
}

test("what passes packets on may be there, and is left out by earlier versions", () => {
  expect(told(FACTS)).toEqual([]);
  expect(told({ ...FACTS, passing: PASSING })).toEqual([]);
});

test.each<[string, object, RegExp]>([
  ["a share for what is no prefix", { gateways: [{ ...PASSING.gateways[0], shares: [{ from: ["x"] }] }] }, /shares/],
  [
    "a group that is no address",
    { bridges: [{ name: "b", link: "e", groups: [{ group: "x", mgid: "::1" }] }] },
    /group/,
  ],
  ["a row of another kind", { signals: [{ kind: "segment", section: "a", at: 1, hosts: [[], []] }] }, /signals/],
  ["too many rows", { signals: Array.from({ length: 65_537 }, () => PASSING.signals[0]) }, /signals/],
  ["a name that goes on and on", { gateways: [{ ...PASSING.gateways[0], name: "x".repeat(300) }] }, /name/],
])("%s is refused", (_what, change, where) => {
  const [detail, ...more] = told({ ...FACTS, passing: { ...PASSING, ...change } });
  expect(detail).toMatch(where);
  expect(more).toEqual([]);
});

test("rules of nftables are rows of objects, and not without end", () => {
  const withRules = (ruleset: unknown): string[] => told({ ...FACTS, picture: { ...FACTS.picture, ruleset } });
  expect(withRules([{ rule: { family: "ip", table: "t", chain: "c", expr: [{ accept: null }] } }])).toEqual([]);
  expect(withRules([{ rule: 7 }])).toEqual([expect.stringMatching(/ruleset/)]);
  expect(withRules(Array.from({ length: 200_001 }, () => ({})))).toEqual([expect.stringMatching(/ruleset/)]);
});
