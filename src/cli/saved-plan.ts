// Owns saved plans: what was shown and agreed to is what is done, or nothing is.
import { readFile, writeFile } from "node:fs/promises";
import * as z from "zod/mini";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Plan } from "../model/plan.ts";
import { planJson } from "./render/plan.ts";

const savedPlan = z.object({
  version: z.literal(1),
  /** Path of the heddle.yaml, for messages. */
  file: z.string(),
  /** Its text: the file may be edited meanwhile. */
  text: z.string(),
  /** The texts of the files that it names, by path; absent in plans from before there were any. */
  beside: z.optional(z.record(z.string(), z.string())),
  /** The steps with the objects that they found and the ones that they leave: the basis of the plan. */
  steps: z.array(z.unknown()),
});

/** A plan as it was saved. */
export type SavedPlan = z.output<typeof savedPlan>;

/** Writes a plan. An existing file is replaced; other failures throw. */
export async function savePlan(
  path: string,
  source: Pick<SavedPlan, "file" | "text" | "beside">,
  plan: Plan,
): Promise<void> {
  const saved: SavedPlan = { version: 1, ...source, steps: stepsOf(plan) };
  await writeFile(path, `${JSON.stringify(saved)}\n`, { mode: 0o600 });
}

/** Reads a saved plan; a text in its place says why it cannot be one. Failures to read throw. */
export async function readPlan(path: string): Promise<SavedPlan | Diagnostic> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const result = savedPlan.safeParse(value);
  if (result.success) return result.data;
  return {
    code: "no-plan",
    severity: "error",
    summary: `${path} is no saved plan`,
    remedy: "Save one with: heddle plan --out FILE.",
  };
}

/**
 * Whether the host still gives the saved plan: the same steps, on the same objects. Every row that the plan touches is
 * in its steps, so no other change of the host matters.
 */
export function isStale(saved: SavedPlan, now: Plan): boolean {
  return JSON.stringify(saved.steps) !== JSON.stringify(stepsOf(now));
}

/** What is said of a stale plan. */
export function stalePlan(path: string): Diagnostic {
  return {
    code: "stale-plan",
    severity: "error",
    summary: `${path} is out of date`,
    detail: "The host has changed since it was made: its steps would not be the same today. Nothing was done.",
    remedy: "Make the plan again, look at it, and apply it.",
  };
}

function stepsOf(plan: Plan): unknown[] {
  // Through JSON, so that absent fields are absent on both sides.
  return JSON.parse(JSON.stringify(planJson(plan).steps)) as unknown[];
}
