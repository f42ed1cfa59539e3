// Owns the tests of what `heddle gateway` and `heddle watch` say where there is nothing to tell.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { namespaceCookie, OWN_NAMESPACE } from "../host/native.ts";

const program = join(import.meta.dirname, "../../bin/heddle");
let state = "";
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "heddle-gateway-"));
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

function heddle(...words: string[]): { code: number | null; out: string; err: string } {
  const file = join(state, "heddle.yaml");
  const run = spawnSync(program, ["-f", file, "--state", state, ...words], { encoding: "utf8" });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

/** Puts a row there as a gateway's process does. */
function writeRow(row: object): void {
  const folder = join(state, "run", `signals-${namespaceCookie(OWN_NAMESPACE)}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "gateway-a.json"), JSON.stringify([row]));
}

const ROW = {
  kind: "gateway",
  section: "a",
  shares: [
    { name: "a", state: "active", since: 0, why: "started", holds: true, priority: 250, addresses: ["10.20.3.227"] },
  ],
  drained: false,
  connections: { state: "current" },
};

test("where no gateway runs, it says so", () => {
  for (const words of [["gateway"], ["gateway", "drain"]]) {
    const { code, err } = heddle(...words);
    expect(code).toBe(1);
    expect(err).toContain("no gateway process runs here");
  }
});

test("a row that is old is not believed; nonsense is none", () => {
  writeRow({ ...ROW, at: 1 });
  expect(heddle("gateway")).toMatchObject({ code: 1, err: expect.stringContaining("has said nothing for") });
  writeRow({ ...ROW, at: 1, shares: "nonsense" });
  expect(heddle("gateway").err).toContain("no gateway process runs here");
});

test("a live row is told, to people and to programs, and what is wrong is the exit code", () => {
  const at = Number(spawnSync("cut", ["-d", " ", "-f1", "/proc/uptime"], { encoding: "utf8" }).stdout);
  writeRow({ ...ROW, at });
  const shown = heddle("--no-color", "gateway");
  expect(shown).toMatchObject({ code: 0, err: "" });
  expect(shown.out).toContain("10.20.3.227 here; priority 250");
  const { gateways } = JSON.parse(heddle("--json", "gateway").out) as { gateways: { shares: object[] }[] };
  expect(gateways[0]?.shares[0]).toMatchObject({ name: "a", state: "active", holds: true });
  writeRow({ ...ROW, at, connections: { state: "absent" } });
  expect(heddle("gateway").code).toBe(2);
});

test("a file without failover, and one with nothing to watch, are told what to write", () => {
  writeFileSync(join(state, "heddle.yaml"), "version: 1\n");
  expect(heddle("gateway", "run")).toMatchObject({ code: 1, err: expect.stringContaining("Add `failover`") });
  expect(heddle("watch")).toMatchObject({ code: 1, err: expect.stringContaining("check: {}") });
});
