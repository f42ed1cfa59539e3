// Owns how a plan looks to a program, and whether two plans are the same.
import type { Kind, Specs } from "../model/kinds.ts";
import type { Plan, Step } from "../model/plan.ts";
import { rulesOf } from "./kinds/index.ts";

/** The plan for a program. Objects are their specs; `text` is what a person is shown. */
export function planJson(plan: Plan): { steps: object[]; blocked: object[]; settled: number } {
  return {
    steps: plan.steps.map((step) => ({
      action: step.action,
      why: step.why,
      kind: step.action === "delete" ? step.before.kind : step.after.kind,
      text: rulesOfStep(step),
      ...(step.action === "create" ? {} : { before: step.before.spec }),
      ...(step.action === "delete" ? {} : { after: step.after.spec, owners: step.after.owners }),
      ...(step.action === "adopt" && step.beside ? { beside: true } : {}),
      ...(step.action === "delete" && step.restore !== undefined ? { restore: step.restore } : {}),
    })),
    blocked: plan.blocked.map(({ desired, waitsFor, why, hint }) => ({
      kind: desired.kind,
      text: describe(desired),
      spec: desired.spec,
      owners: desired.owners,
      waitsFor,
      why,
      ...(hint === undefined ? {} : { hint }),
    })),
    settled: plan.settled.length,
  };
}

function rulesOfStep(step: Step): string {
  return describe(step.action === "delete" ? step.before : step.after);
}

function describe<K extends Kind>(object: { kind: K; spec: Specs[K] }): string {
  return rulesOf(object.kind).describe(object.spec);
}

/** The steps of a plan as data that came through JSON, so that absent fields are absent on both sides of a comparison. */
export function stepsAsData(plan: Plan): unknown[] {
  return JSON.parse(JSON.stringify(planJson(plan).steps)) as unknown[];
}

/**
 * Whether the host still gives a plan with these steps: the same ones, on the same objects. Every row that a plan
 * touches is in its steps, so no other change of the host matters.
 */
export function isStale(steps: readonly unknown[], now: Plan): boolean {
  return JSON.stringify(steps) !== JSON.stringify(stepsAsData(now));
}
