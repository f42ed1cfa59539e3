// Owns the proof that heddle remembers the right values and addresses of the right links.
import { describe, expect, test } from "vitest";
import { linksFrom } from "../../test/cases.ts";
import { emptyLedger } from "../model/plan.ts";
import type { Ledger, Step } from "../model/plan.ts";
import { composeDesired } from "./compose.ts";
import { followLinks, noteAfter, noteBefore } from "./ledger.ts";

const PATH = "net/ipv4/conf/ib0/rp_filter";
const memory = { earlier: "0", set: ["2"], link: 2 };
const ledger: Ledger = { ...emptyLedger(), sysctls: { [PATH]: memory } };

/** A step that sets a value where another one stood. */
function set(before: string, after: string): Step {
  const object = (value: string) => ({ kind: "sysctl" as const, key: `sysctl ${PATH}`, spec: { path: PATH, value } });
  return {
    action: "replace",
    before: object(before),
    after: { ...object(after), needs: [], owners: [], from: [] },
    why: "changed",
  };
}

describe("links that change", () => {
  test("a renamed one keeps its memory under its new name", () => {
    const links = linksFrom({ ibx: { index: 2 } });
    expect(followLinks(ledger, links).sysctls).toEqual({ "net/ipv4/conf/ibx/rp_filter": memory });
  });

  test("two that swap their names swap their memory", () => {
    const both: Ledger = {
      ...emptyLedger(),
      sysctls: { [PATH]: memory, "net/ipv4/conf/ib1/rp_filter": { ...memory, link: 3, earlier: "1" } },
    };
    const links = linksFrom({ ib1: { index: 2 }, ib0: { index: 3 } });
    expect(followLinks(both, links).sysctls).toEqual({
      "net/ipv4/conf/ib1/rp_filter": memory,
      [PATH]: { ...memory, link: 3, earlier: "1" },
    });
  });

  test("one that was made anew under the same name has no memory", () => {
    expect(followLinks(ledger, linksFrom({ ib0: { index: 9 } })).sysctls).toEqual({});
  });

  test("switches of the whole host are nobody's", () => {
    const host: Ledger = { ...emptyLedger(), sysctls: { "net/ipv4/ip_forward": { earlier: "0", set: ["1"] } } };
    expect(followLinks(host, [])).toEqual(host);
  });
});

describe("values before a change", () => {
  const links = linksFrom({ ib0: { index: 2 } });
  test("the first one is kept through later changes of ours", () => {
    expect(noteBefore(ledger, [set("2", "1")], links).sysctls[PATH]).toEqual({
      earlier: "0",
      set: ["2", "1"],
      link: 2,
    });
  });

  test("with nothing new to remember the ledger is the same one, so that nothing need be written", () => {
    expect(noteBefore(ledger, [], links)).toBe(ledger);
    const again: Ledger = { ...ledger, sysctls: { [PATH]: { ...memory, set: ["2", "1"] } } };
    expect(noteBefore(again, [set("2", "1")], links)).toBe(again);
    expect(noteBefore(ledger, [set("2", "1")], links)).not.toBe(ledger);
  });

  test("one that somebody else set meanwhile is what it gets back", () => {
    expect(noteBefore(ledger, [set("8", "2")], links).sysctls[PATH]).toEqual({ earlier: "8", set: ["2"], link: 2 });
  });
});

describe("addresses", () => {
  const from = { file: "", start: { line: 1, column: 1 }, end: { line: 1, column: 1 } };
  const want = composeDesired([
    {
      owner: "links/ib0",
      wanted: [
        { kind: "address", spec: { family: 4, link: "ib0", address: "172.16.34.1/16", scope: "global" }, from },
        { kind: "address", spec: { family: 4, link: "ib0", address: "172.16.34.2/16", scope: "global" }, from },
      ],
    },
  ]).value ?? { objects: [] };
  const links = linksFrom({ ib0: { index: 7 } });
  const steps = want.objects.slice(0, 1).map((after): Step => ({ action: "create", after, why: "new" }));
  const plan = { steps, blocked: [], settled: [] };
  const KEY = "address ib0 172.16.34.1/16";
  const remembering: Ledger = { ...emptyLedger(), addresses: { [KEY]: { link: 7 } } };

  test("are noted before they are made, and kept while they are wanted; one that was there is not", () => {
    const before = noteBefore(emptyLedger(), steps, links);
    expect(before.addresses).toEqual({ [KEY]: { link: 7 } });
    expect(noteAfter(before, want, plan).addresses).toEqual({ [KEY]: { link: 7 } });
    expect(noteAfter(before, { objects: [] }, { ...plan, steps: [] }).addresses).toEqual({});
  });

  test("of a link that was made anew are forgotten", () => {
    expect(followLinks(remembering, links).addresses).toEqual({ [KEY]: { link: 7 } });
    expect(followLinks(remembering, linksFrom({ ib0: { index: 9 } })).addresses).toEqual({});
  });

  test("of links that swap their names go along, with subnets of far ends and IPv6", () => {
    const both: Ledger = {
      ...emptyLedger(),
      addresses: {
        [KEY]: { link: 7 },
        "address ib0 10.0.0.1/32 to 10.0.0.2/32": { link: 7 },
        "address ib1 172.16.34.1/16": { link: 8 },
        "address ib1 fd00::1": { link: 8 },
      },
    };
    expect(followLinks(both, linksFrom({ ib1: { index: 7 }, ib0: { index: 8 } })).addresses).toEqual({
      "address ib1 172.16.34.1/16": { link: 7 },
      "address ib1 10.0.0.1/32 to 10.0.0.2/32": { link: 7 },
      [KEY]: { link: 8 },
      "address ib0 fd00::1": { link: 8 },
    });
  });
});

describe("what was left out of a plan", () => {
  const known: Ledger = { ...ledger, addresses: { "address ib0 10.0.0.1/8": { link: 2 } } };
  const spec = { family: 4, link: "ib0", address: "10.0.0.1/8", scope: "global" } as const;
  const staying = [
    { kind: "sysctl" as const, key: `sysctl ${PATH}`, spec: { path: PATH, value: "2" } },
    { kind: "address" as const, key: "address ib0 10.0.0.1/8", spec },
  ];
  const plan = { steps: [], blocked: [], settled: [] };

  test("a switch that does not get its value back yet, and an address that stays, are remembered", () => {
    const after = noteAfter(known, { objects: [] }, { ...plan, staying });
    expect(after).toEqual(known);
    expect(noteAfter(known, { objects: [] }, plan)).toEqual(emptyLedger());
  });

  test("a switch that could not be changed still has a value of heddle's", () => {
    const { after } = set("2", "1") as Extract<Step, { action: "replace" }>;
    const both = noteBefore(ledger, [set("2", "1")], linksFrom({ ib0: { index: 2 } }));
    const blocked = [{ desired: after, waitsFor: "its next turn", why: "resting" as const }];
    expect(noteAfter(both, { objects: [after] }, { ...plan, blocked }).sysctls[PATH]?.set).toEqual(["2", "1"]);
    expect(noteAfter(both, { objects: [after] }, plan).sysctls[PATH]?.set).toEqual(["1"]);
  });
});
