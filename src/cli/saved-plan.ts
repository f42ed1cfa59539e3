// Owns saved plans: what was shown and agreed to is what is done, or nothing is.
import { readFile, writeFile } from "node:fs/promises";
import * as z from "zod/mini";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Plan } from "../model/plan.ts";
import type { Texts } from "../model/texts.ts";
import { stepsAsData } from "../plan/plan-json.ts";

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
export async function savePlan(path: string, source: Texts, plan: Plan): Promise<void> {
  const saved: SavedPlan = { version: 1, ...source, steps: stepsAsData(plan) };
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
