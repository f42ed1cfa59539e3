// Owns the proof that the kernel takes every table that the role `gateway` asks for, and gives it back as it was asked:
// the files of the role's cases, applied for real.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { applyPlan } from "../src/agent/apply.ts";
import { lookAndPlan } from "../src/agent/look.ts";
import type { Look } from "../src/agent/look.ts";
import { parseConfig } from "../src/config/config.ts";
import { openHost } from "../src/host/kernel.ts";
import { describeStep } from "../src/plan/kinds/index.ts";
import { ROLES } from "../src/roles/index.ts";
import { MemoryStore } from "./memory-store.ts";
import { TestNamespace } from "./namespace.ts";

const cases = join(import.meta.dirname, "../src/roles/gateway/cases");
const whole = readdirSync(cases).filter((name) => {
  const { desired } = parse(readFileSync(join(cases, name, "desired.yaml"), "utf8")) as { desired?: unknown };
  return desired !== undefined;
});

test.each(whole)("%s is taken as it is, and leaves nothing", async (name) => {
  using namespace = new TestNamespace();
  namespace.addLink("ib0", ["10.20.3.1/16"]);
  namespace.addLink("eth9", ["140.181.2.41/24"]);
  using host = Object.assign(openHost(namespace.fd), {
    [Symbol.dispose](this: { close(): void }): void {
      this.close();
    },
  });
  const store = new MemoryStore();
  const look = async (text: string): Promise<Look> => {
    const { value, diagnostics } = parseConfig(text, "heddle.yaml", ROLES);
    if (!value) throw new Error(diagnostics.map(({ summary }) => summary).join("; "));
    const outcome = await lookAndPlan(value, host, store.memory);
    if (!outcome.look) throw new Error(outcome.diagnostics.map(({ summary }) => summary).join("; "));
    return outcome.look;
  };
  const text = readFileSync(join(cases, name, "config.yaml"), "utf8");
  const untouched = namespace.everything();
  const { failed } = await applyPlan(await look(text), host, store);
  expect(failed.map(({ step, error }) => `${describeStep(step)}: ${error?.message}`)).toEqual([]);
  expect(namespace.run("nft", "list", "tables")).toContain("heddle-gateway-alinat");
  expect((await look(text)).plan.steps.map(describeStep)).toEqual([]);
  expect((await applyPlan(await look("version: 1"), host, store)).failed).toEqual([]);
  expect(namespace.everything()).toBe(untouched);
});
