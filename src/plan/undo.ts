// Owns the way back: the steps that undo steps that were done.
import type { Desired, Observed } from "../model/objects.ts";
import type { Step } from "../model/plan.ts";

/** The steps that lead back from after `done` to before it, in their order. */
export function undoSteps(done: readonly Step[]): Step[] {
  return keepOrderOfRules(done.filter(isUndoable).toReversed().map(invert));
}

/** A switch that had no value when it was looked at cannot get that back: it keeps the one that it has. */
function isUndoable(step: Step): boolean {
  return step.action !== "create" || step.after.kind !== "sysctl";
}

/**
 * A rule that changes hands moves behind the others of its priority, there and back, so a run of them goes back in the
 * order in which it came: only then do they stand among each other as they did.
 */
function keepOrderOfRules(steps: readonly Step[]): Step[] {
  const all: Step[] = [];
  let run: Step[] = [];
  for (const step of steps) {
    if (step.action === "adopt" && step.after.kind === "rule") {
      run.unshift(step);
      continue;
    }
    all.push(...run, step);
    run = [];
  }
  return [...all, ...run];
}

function invert(step: Step): Step {
  switch (step.action) {
    case "create":
      return { action: "delete", before: asObserved(step.after), why: "unwanted" };
    case "replace":
      return { action: "replace", before: asObserved(step.after), after: asDesired(step.before), why: "changed" };
    case "delete":
      if (step.before.kind === "sysctl") {
        const after = asDesired(step.before);
        const before = { ...step.before, spec: { ...step.before.spec, value: step.restore ?? "" } };
        return { action: "replace", before, after, why: "changed" };
      }
      return { action: "create", after: asDesired(step.before), why: "missing" };
    case "adopt":
      return step.beside
        ? { action: "create", after: asDesired(step.before), why: "missing" }
        : { action: "adopt", before: asObserved(step.after), after: asDesired(step.before), why: "asked" };
  }
}

/** An object as it will be observed once it is made. */
export function asObserved(desired: Desired): Observed {
  return { kind: desired.kind, spec: desired.spec, key: desired.key } as Observed;
}

/** An object as somebody might have asked for it. */
export function asDesired(observed: Observed): Desired {
  return { ...observed, needs: [], owners: [], from: [] };
}
