// Owns the proof that a host goes over from the script of docs/from/two-cards.md as the page says, and back.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { markedBlocks } from "../tools/manual/marked-blocks.ts";
import { AgentHost } from "./agent.ts";

const page = readFileSync(join(import.meta.dirname, "../docs/from/two-cards.md"), "utf8");
const [script] = markedBlocks(page, "script").map(({ text }) => text);
const [file] = markedBlocks(page, "file").map(({ text }) => text);
let host: AgentHost;

beforeEach(() => {
  host = new AgentHost();
  host.namespace.addLink("ib0", ["172.16.34.1/16"]);
  host.namespace.addLink("ib1", ["172.16.34.2/16"]);
  return () => host[Symbol.asyncDispose]();
});

const rules = (): string => host.namespace.ip("rule");
const ways = (table: string): string => host.namespace.ip(`route show table ${table}`);

test("from the script by way of the import to multihome, and away", () => {
  for (const line of (script ?? "").trim().split("\n")) host.namespace.ip(line.replace(/^ip /, ""));
  const before = rules();
  expect(before).toContain("32765:\tfrom 172.16.34.1 lookup 941");
  writeFileSync(join(host.place, "route-ib.sh"), script ?? "");
  expect(host.heddle("import", "-o", host.file, join(host.place, "route-ib.sh"))).toMatchObject({ code: 0 });

  // The script's own routes say "proto kernel", which nothing but VRFs makes in such a table.
  const plan = host.heddle("plan");
  expect(plan.out.split("\n").filter((line) => !/^(@ |Plan: |$)/.test(line))).toEqual([]);
  expect(host.heddle("apply")).toMatchObject({ code: 0 });
  expect(rules().replaceAll(" proto 72", "")).toBe(before);

  writeFileSync(host.file, file ?? "");
  const steps = host.heddle("plan").out.split("\n");
  const place = (found: (line: string) => boolean): number => steps.findIndex(found);
  expect(place((line) => line.startsWith("+ rule"))).toBeLessThan(place((line) => line.startsWith("- rule")));
  expect(host.heddle("apply")).toMatchObject({ code: 0 });
  expect(rules()).toContain("7000:\tfrom 172.16.34.2 lookup");
  expect(rules()).not.toMatch(/94[12]/);
  expect([ways("941"), ways("942")].join("").trim()).toBe("");
  expect(host.heddle("explain", "--to", "172.16.1.1", "--short").out).toContain("leaves by ib0");

  expect(host.heddle("remove")).toMatchObject({ code: 0 });
  expect(rules()).not.toContain("172.16");
});
