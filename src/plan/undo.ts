// Owns the way back: the steps that undo steps that were done.
import type { Desired, Observed } from "../model/objects.ts";
import type { Step } from "../model/plan.ts";

/** The steps that lead back from after `done` to before it, in their order. */
export function undoSteps(done: readonly Step[]): Step[] {
  return done.toReversed().map(invert);
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
  }
}

function asObserved(desired: Desired): Observed {
  return { kind: desired.kind, spec: desired.spec, key: desired.key } as Observed;
}

function asDesired(observed: Observed): Desired {
  return { ...observed, needs: [], owners: [], from: [] };
}
