// Owns the leaving out of steps: what rests, and what cannot be made without it.
import type { Key, Kind } from "../model/kinds.ts";
import { parsePrefix } from "../model/ip.ts";
import type { Desired, Need, Observed } from "../model/objects.ts";
import type { Plan, Step } from "../model/plan.ts";
import { narrow } from "../plan/narrow.ts";
import { textOf } from "../plan/plan.ts";

/** The object that a step is about. */
export function objectOf(step: Step): { kind: Kind; key: Key } {
  return step.action === "delete" ? step.before : step.after;
}

/** Its key. */
export function keyOf(step: Step): Key {
  return objectOf(step).key;
}

/**
 * The plan without the steps whose objects rest, and without those that need what such a step would have made; a group
 * is made of its other members. What is left out stands among the blocked objects and among those that stay, so that
 * nobody takes it for done.
 */
export function withhold(plan: Plan, rests: (step: Step) => boolean): Plan {
  const kept: Step[] = [];
  const held: Desired[] = [];
  const absent: Desired[] = [];
  const staying: Observed[] = [];
  // In the order of the plan, what others need comes first.
  for (const step of plan.steps) {
    if (step.action === "delete") {
      if (rests(step)) staying.push(step.before);
      else kept.push(step);
      continue;
    }
    const missing = step.after.needs.some((need) => held.some((one) => meets(one, need)));
    const made = rests(step) || missing ? undefined : narrowStep(step, absent);
    if (made) kept.push(...made);
    else {
      held.push(step.after);
      if (step.action === "create") absent.push(step.after);
    }
  }
  if (held.length === 0 && staying.length === 0) return plan;
  const blocked = held.map((desired) => ({ desired, waitsFor: "its next turn", why: "resting" as const }));
  return {
    ...plan,
    steps: kept,
    blocked: [...plan.blocked, ...blocked],
    staying: [...(plan.staying ?? []), ...staying],
  };
}

/** The step without the parts that are absent: none where nothing is left to do; undefined where nothing can be made. */
function narrowStep(step: Exclude<Step, { action: "delete" }>, absent: readonly Desired[]): Step[] | undefined {
  const { desired } = narrow(step.after, (need) => !absent.some((one) => meets(one, need)));
  if (desired === step.after) return [step];
  if (!desired) return undefined;
  if (step.action === "replace" && textOf(step.before) === textOf(desired)) return [];
  return [{ ...step, after: desired }];
}

function meets({ kind, spec }: Desired, need: Need): boolean {
  if (kind === "nexthop") return "nexthop" in need && need.nexthop === spec.id;
  if (kind === "address") return "address" in need && need.address === (parsePrefix(spec.address)?.address ?? "");
  return false;
}

/** Whether the step puts an IPv6 address on a link, which can be used only when the kernel has probed it. */
export function isProbed(step: Step): boolean {
  return step.action !== "delete" && step.after.kind === "address" && step.after.spec.family === 6;
}

/**
 * The plan without what needs an IPv6 address that it makes: the address is made now, and what needs it when the
 * kernel says that it can be used.
 */
export function withholdUnprobed(plan: Plan): Plan {
  const probed = plan.steps.filter(isProbed).flatMap((step) => (step.action === "delete" ? [] : [step.after]));
  if (probed.length === 0) return plan;
  return withhold(
    plan,
    (step) => step.action !== "delete" && step.after.needs.some((need) => probed.some((one) => meets(one, need))),
  );
}
