// Owns the proof that what is remembered is read back, also from a file of an earlier heddle.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { emptyLedger } from "../../model/plan.ts";
import { emptyNumbers } from "../../plan/numbers.ts";
import { StateStore, statePaths } from "./store.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "heddle-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

test("what is remembered is read as it was written", async () => {
  const store = await StateStore.open(statePaths(directory));
  const sysctls = { "net/ipv4/ip_forward": { earlier: "0", set: ["1"] } };
  const addresses = { "address ib0 172.16.34.1/16": { link: 3 } };
  const ledger = { sysctls, addresses, applied: { "nftTable inet a": "asked" }, made: { "nftTable inet a": "listed" } };
  const numbers = {
    tables: { "static/s/a": 7000 },
    priorities: {},
    nexthops: { "static/s/b": 7001 },
    marks: { "egress/e/mark": 24 },
  };
  await store.writeLedger(ledger);
  const known = { users: { alice: 5001 }, groups: { atlas: 600 } };
  await store.writeNumbers(numbers);
  await store.writeKnown(known);
  expect(await store.read()).toEqual({ ledger, numbers, known, signals: [], diagnostics: [] });
});

test("a ledger that knows nothing of addresses and the kernel's own words is read all the same", async () => {
  const store = await StateStore.open(statePaths(directory));
  await store.writeLedger({ ...emptyLedger(), applied: { a: "asked" } });
  const file = join(directory, "run", readdirSync(join(directory, "run"))[0] ?? "");
  const {
    made: _made,
    addresses: _addresses,
    ...earlier
  } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify(earlier));
  const { ledger, diagnostics } = await store.read();
  expect([ledger, diagnostics]).toEqual([{ ...emptyLedger(), applied: { a: "asked" } }, []]);
});

test("numbers from before there were nexthops are read", async () => {
  const store = await StateStore.open(statePaths(directory));
  mkdirSync(join(directory, "lib"));
  writeFileSync(join(directory, "lib/numbers.json"), '{"version":1,"tables":{"static/s/a":7000},"priorities":{}}');
  const { numbers, diagnostics } = await store.read();
  expect([numbers, diagnostics]).toEqual([{ ...emptyNumbers(), tables: { "static/s/a": 7000 } }, []]);
});
