// Owns the proof that the ledger remembers the addresses that heddle put on links, as long as those links are there.
import { expect, test } from "vitest";
import { linksFrom } from "../../test/cases.ts";
import { emptyLedger } from "../model/plan.ts";
import type { Ledger, Step } from "../model/plan.ts";
import { composeDesired } from "./compose.ts";
import { forgetGoneLinks, noteAfter, noteBefore } from "./ledger.ts";

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

test("an address is noted before it is made, and kept while it is wanted; one that was there is not", () => {
  const before = noteBefore(emptyLedger(), steps, links);
  expect(before.addresses).toEqual({ [KEY]: { link: 7 } });
  expect(noteAfter(before, want, plan).addresses).toEqual({ [KEY]: { link: 7 } });
  expect(noteAfter(before, { objects: [] }, { ...plan, steps: [] }).addresses).toEqual({});
});

test("addresses of a link that was made anew are forgotten", () => {
  const ledger: Ledger = { ...emptyLedger(), addresses: { [KEY]: { link: 7 } } };
  expect(forgetGoneLinks(ledger, links).addresses).toEqual({ [KEY]: { link: 7 } });
  expect(forgetGoneLinks(ledger, linksFrom({ ib0: { index: 9 } })).addresses).toEqual({});
});
