// Owns the proof that what is remembered is read back, also from a file of an earlier heddle.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { emptyLedger } from "../../model/plan.ts";
import { StateStore, statePaths } from "./store.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "heddle-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

test("a ledger is read as it was written", async () => {
  const store = await StateStore.open(statePaths(directory));
  const sysctls = { "net/ipv4/ip_forward": { earlier: "0", set: ["1"] } };
  const ledger = { sysctls, applied: { "nftTable inet a": "asked" }, made: { "nftTable inet a": "listed" } };
  await store.writeLedger(ledger);
  expect((await store.read()).ledger).toEqual(ledger);
});

test("a ledger that knows nothing of the kernel's own words is read all the same", async () => {
  const store = await StateStore.open(statePaths(directory));
  await store.writeLedger({ ...emptyLedger(), applied: { a: "asked" } });
  const file = join(directory, "run", readdirSync(join(directory, "run"))[0] ?? "");
  const { made: _made, ...earlier } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify(earlier));
  const { ledger, diagnostics } = await store.read();
  expect([ledger, diagnostics]).toEqual([{ sysctls: {}, applied: { a: "asked" }, made: {} }, []]);
});
