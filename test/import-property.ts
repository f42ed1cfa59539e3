// Owns the promise of importing a host, on the model and on the real kernel: the plan of the file holds adoptions only,
// nothing but whose things are changes, the second plan is empty, and undoing gives everything back.
import * as fc from "fast-check";
import { expect } from "vitest";
import { applyPlan } from "../src/agent/apply.ts";
import { lookAndPlan } from "../src/agent/look.ts";
import { parseConfig } from "../src/config/config.ts";
import type { Config } from "../src/config/config.ts";
import type { Host } from "../src/host/host.ts";
import { draftFromHost } from "../src/import/host.ts";
import { writeDraft } from "../src/import/write.ts";
import { HEDDLE_PROTOCOL } from "../src/model/kinds.ts";
import type { RouteSpec, RuleSpec } from "../src/model/kinds.ts";
import type { Observed } from "../src/model/objects.ts";
import { canonicalText } from "../src/plan/kinds/canonical.ts";
import { MemoryStore } from "./memory-store.ts";
import { undoSteps } from "../src/plan/undo.ts";
import { ROLES } from "../src/roles/index.ts";
import { create } from "./contract-steps.ts";
import type { Stage } from "./contract-steps.ts";

const protocol = fc.constantFrom(0, 2, 3, 4, 12, 16, HEDDLE_PROTOCOL, 200);
const table = fc.constantFrom(5, 201, 254, 4_000_000_000);
const link = fc.constantFrom("ib0", "ib1");

const route = fc
  .record({
    to: fc.constantFrom("10.1.0.0/16", "10.2.0.0/16", "0.0.0.0/0"),
    table,
    protocol,
    metric: fc.constantFrom(undefined, 5),
    way: fc.constantFrom("connected", "gateway", "several", "none"),
    link,
    mtu: fc.constantFrom(undefined, 1400),
  })
  .map(({ to, table, protocol, metric, way, link, mtu }): RouteSpec => ({
    family: 4,
    to,
    table,
    protocol,
    type: way === "none" ? "unreachable" : "unicast",
    hops:
      way === "none"
        ? []
        : way === "several"
          ? [
              { link: "ib1", via: "172.16.0.9", weight: 3 },
              { link: "ib0", via: "172.16.0.8" },
            ]
          : [{ link, ...(way === "gateway" ? { via: "172.16.0.9" } : {}) }],
    ...(metric === undefined ? {} : { metric }),
    ...(mtu === undefined || way === "none" ? {} : { metrics: { mtu } }),
  }));

const rule = fc
  .record({
    family: fc.constantFrom<4 | 6>(4, 6),
    priority: fc.constantFrom(60, 61),
    mark: fc.constantFrom(1, 2, 3),
    protocol,
    table,
    tunnel: fc.boolean(),
  })
  .map(({ family, priority, mark, protocol, table, tunnel }): RuleSpec => ({
    family,
    priority,
    mark,
    protocol,
    action: "table",
    table,
    // The kernel takes a rule and the same one turned round for one (rule_exists), so each mark has but one of the two.
    ...(mark === 2 ? { not: true } : {}),
    // One in a while that the file has no word for stands between the others.
    ...(tunnel && mark === 3 ? { tunnelId: "7" } : {}),
  }));

/** Routes and rules in the kernel's order, whose they are apart. */
async function look(host: Host): Promise<{ observed: Observed[]; plain: string[]; owned: string[] }> {
  const links = await host.links();
  const routes = await host.drivers.route.list(links, { sysctls: [] });
  const rules = await host.drivers.rule.list(links, { sysctls: [] });
  const settled = routes.filter(({ spec }) => !/^(fe80|ff00):/.test(spec.to));
  const observed: Observed[] = [...settled, ...rules];
  return {
    observed,
    plain: observed.map(({ spec }) => canonicalText(spec, ["protocol"])),
    owned: observed.map(({ spec }) => canonicalText(spec)),
  };
}

/** A host that a test can add links to. */
type ImportStage = Pick<Stage, "host" | "addLink"> & AsyncDisposable;

/** Runs the property: `open` makes a fresh host for each world. */
export async function checkImportProperty(open: () => Promise<ImportStage>, runs: number): Promise<void> {
  const world = fc.record({
    routes: fc.array(route, { maxLength: 8 }),
    rules: fc.array(rule, { maxLength: 8 }),
    back: fc.boolean(),
  });
  const property = fc.asyncProperty(world, async ({ routes, rules, back }) => {
    await using stage = await open();
    const { host } = stage;
    stage.addLink("ib0", ["172.16.34.1/16"]);
    stage.addLink("ib1", ["172.16.34.2/16"]);
    const links = await host.links();
    await host.drivers.route.perform(
      routes.map((spec) => create("route", spec)),
      links,
    );
    await host.drivers.rule.perform(
      rules.map((spec) => create("rule", spec)),
      links,
    );
    const before = await look(host);

    const yaml = writeDraft(draftFromHost({ links, observed: before.observed }, { alinat: 201 }));
    const parsed = parseConfig(yaml, "heddle.yaml", ROLES);
    expect(parsed.value, yaml).toBeDefined();
    const store = new MemoryStore();
    const first = await lookAndPlan(parsed.value as Config, host, store.memory);
    const steps = first.look?.plan.steps ?? [];
    // What was heddle's already is left over from an earlier file, and goes.
    const others = steps.filter((step) => step.action !== "delete");
    expect(
      others.map(({ action }) => action),
      yaml,
    ).toEqual(others.map(() => "adopt"));
    expect(first.look?.plan.blocked, yaml).toEqual([]);
    if (!first.look) throw new Error(yaml);

    const taking = { ...first.look, plan: { ...first.look.plan, steps: others } };
    const applied = await applyPlan(taking, host, store);
    expect(applied.failed).toEqual([]);
    const twins = others.filter((step) => step.action === "adopt" && step.beside).length;
    const ours = rules.some((one) => one.protocol === HEDDLE_PROTOCOL);
    // Rules that differ in nothing but whose they were become one; those of heddle's own may be overtaken by equals.
    if (twins === 0 && !ours) expect((await look(host)).plain, "nothing but the owner changes").toEqual(before.plain);
    const second = await lookAndPlan(parsed.value as Config, host, store.memory);
    expect(second.look?.plan.steps.filter((step) => step.action !== "delete")).toEqual([]);

    if (!back || twins > 0 || ours) return;
    for (const kind of ["rule", "route"] as const) {
      const undone = undoSteps(applied.done).filter((step) => step.action === "adopt" && step.after.kind === kind);
      const results = await host.drivers[kind].perform(undone, links);
      expect(results.filter(({ error }) => error)).toEqual([]);
    }
    const after = await look(host);
    expect(after.plain, "undoing keeps the order").toEqual(before.plain);
    // Rules that are equal but for whose they are may stand the other way round.
    expect(after.owned.toSorted(), "undoing gives everything back").toEqual(before.owned.toSorted());
  });
  await fc.assert(property, { seed: 20231124, numRuns: runs });
  await fc.assert(property, { numRuns: runs });
}
