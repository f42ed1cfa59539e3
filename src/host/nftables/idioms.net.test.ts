// Owns the proof that what roles may want of nftables is kept: applied once, seen as it is, drift told from counting.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { NFT_IDIOMS } from "../../../test/nft-idioms.ts";
import { Applier, linesOf, nftTable } from "../../../test/nft-objects.ts";
import { create, remove } from "../../../test/steps.ts";
import { TestNamespace } from "../../../test/namespace.ts";
import { emptyLedger } from "../../model/plan.ts";
import type { Host } from "../host.ts";
import { openHost } from "../kernel.ts";

const KEY = "nftTable inet heddle-egress-a";

let namespace: TestNamespace;
let host: Host;
let applier: Applier;

beforeAll(() => {
  namespace = new TestNamespace();
  namespace.addLink("ib0", ["172.16.34.1/16"]);
  host = openHost(namespace.fd);
});

beforeEach(() => {
  applier = new Applier(host);
});

afterEach(() => {
  nft("flush ruleset");
});

afterAll(() => {
  host.close();
  namespace[Symbol.dispose]();
});

const nft = (words: string): string => namespace.run("nft", ...words.split(" "));
const ruleset = (): string => nft("-s list ruleset");

test.each(Object.entries(NFT_IDIOMS))(
  "%s: made once, kept, found changed by others, undone",
  async (_name, objects) => {
    const wanted = nftTable({ objects });
    expect((await applier.apply(wanted)).failed.map(({ error }) => error?.message)).toEqual([]);
    expect(linesOf(await applier.plan(wanted))).toEqual([]);
    const right = ruleset();

    nft("add chain inet heddle-egress-a stranger");
    expect(linesOf(await applier.plan(wanted))).toEqual([`drift ${KEY}`]);
    await applier.apply(wanted);
    expect(linesOf(await applier.plan(wanted))).toEqual([]);
    expect(ruleset()).toBe(right);

    // What was listed can be made again: an undo has no other words.
    const links = await host.links();
    const [listed] = await host.drivers.nftTable.list(links, { sysctls: [] });
    if (!listed) throw new Error("the table is not listed");
    await host.drivers.nftTable.perform([remove("nftTable", wanted), create("nftTable", listed.spec)], links);
    expect(ruleset()).toBe(right);
    expect(linesOf(await applier.plan(wanted))).toEqual([]);

    // A lost memory costs at most one more swap.
    applier.ledger = emptyLedger();
    await applier.apply(wanted);
    expect(linesOf(await applier.plan(wanted))).toEqual([]);
    expect(ruleset()).toBe(right);

    await applier.apply();
    expect(ruleset()).toBe("");
  },
);

describe("drift", () => {
  const set = NFT_IDIOMS["a named set of prefixes"] ?? [];

  test.each([
    ["a rule added", "add rule inet heddle-egress-a output drop"],
    ["all rules gone", "flush table inet heddle-egress-a"],
    ["an element added", "add element inet heddle-egress-a inside { 192.0.2.0/24 }"],
    ["an element gone", "delete element inet heddle-egress-a inside { 10.0.0.0/8 }"],
    ["another policy", "add chain inet heddle-egress-a output { policy drop ; }"],
    ["an object added", "add counter inet heddle-egress-a theirs"],
  ])("%s is seen and repaired", async (_what, words) => {
    const wanted = nftTable({ objects: set });
    await applier.apply(wanted);
    const right = ruleset();
    nft(words);
    expect(ruleset()).not.toBe(right);
    expect(linesOf(await applier.plan(wanted))).toEqual([`drift ${KEY}`]);
    await applier.apply(wanted);
    expect(ruleset()).toBe(right);
  });

  test("a table taken away by others is missing, and made again", async () => {
    await applier.apply(nftTable());
    nft("delete table inet heddle-egress-a");
    expect(linesOf(await applier.plan(nftTable()))).toEqual([`missing ${KEY}`]);
  });

  test("a link that was made anew, and is matched by index, is found again", async () => {
    const wanted = nftTable({ objects: NFT_IDIOMS["by index of link"] ?? [] });
    await applier.apply(wanted);
    namespace.ip("link del ib0");
    expect(linesOf(await applier.plan(wanted))).toEqual([`link-missing ${KEY}`]);
    namespace.addLink("ib0", ["172.16.34.1/16"]);
    expect(linesOf(await applier.plan(wanted))).toEqual([`drift ${KEY}`]);
    await applier.apply(wanted);
    expect(linesOf(await applier.plan(wanted))).toEqual([]);
  });
});

test("what packets change is no drift: counters, quotas, and elements that they add", async () => {
  const counting = ["quota in a rule", "a dynamic set that packets fill"];
  const wanted = counting.map((name, i) => nftTable({ name: `heddle-egress-${i}`, objects: NFT_IDIOMS[name] ?? [] }));
  const plain = nftTable({
    name: "heddle-egress-plain",
    objects: [
      { counter: { name: "seen" } },
      { chain: { name: "input", type: "filter", hook: "input", prio: 0 } },
      { rule: { chain: "input", expr: [{ counter: null }, { counter: "seen" }] } },
    ],
  });
  await applier.apply(...wanted, plain);
  const before = nft("list ruleset");
  namespace.run("ping", "-c", "2", "-i", "0.01", "-W", "1", "127.0.0.1");
  const after = nft("list ruleset");
  expect(after).not.toBe(before);
  expect(after).toMatch(/127\.0\.0\.1.* expires/);
  expect(after).toMatch(/counter packets [1-9]/);
  expect(after).toMatch(/counter seen \{\s+packets [1-9]/);
  expect(after).toMatch(/quota 100 mbytes used [1-9]/);
  expect(linesOf(await applier.plan(...wanted, plain))).toEqual([]);
});
