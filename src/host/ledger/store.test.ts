// Owns the proof that state files are read back as they were written, and those of earlier versions too.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StateStore, statePaths } from "./store.ts";

let place = "";

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-store-"));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const ledger = {
  sysctls: { "net/ipv4/ip_forward": { earlier: "0", set: ["1"] } },
  addresses: { "address ib0 172.16.34.1/16": { link: 3 } },
  applied: { "nexthop 7000": "{}" },
};
const numbers = { tables: { "static/s/a": 7000 }, priorities: {}, nexthops: { "static/s/b": 7001 } };

test("what is written is read back", async () => {
  const store = await StateStore.open(statePaths(place));
  await store.writeLedger(ledger);
  await store.writeNumbers(numbers);
  expect(await store.read()).toEqual({ ledger, numbers, diagnostics: [] });
});

test("files from before there were nexthops and addresses in them are read", async () => {
  const store = await StateStore.open(statePaths(place));
  await store.writeLedger(ledger);
  const run = join(place, "run");
  const [file = ""] = readdirSync(run);
  const { addresses: _addresses, ...older } = JSON.parse(readFileSync(join(run, file), "utf8")) as typeof ledger;
  writeFileSync(join(run, file), JSON.stringify(older));
  mkdirSync(join(place, "lib"));
  writeFileSync(join(place, "lib/numbers.json"), '{"version":1,"tables":{"static/s/a":7000},"priorities":{}}');
  expect(await store.read()).toEqual({
    ledger: { ...ledger, addresses: {} },
    numbers: { ...numbers, nexthops: {} },
    diagnostics: [],
  });
});
