// Owns the leaving out of steps: what rests, and what cannot be made without it.
import type { Key, Kind } from "../model/kinds.ts";
import { parsePrefix } from "../model/ip.ts";
import type { Desired, Need } from "../model/objects.ts";
import type { Plan, Step } from "../model/plan.ts";

/** The object that a step is about. */
export function objectOf(step: Step): { kind: Kind; key: Key } {
  return step.action === "delete" ? step.before : step.after;
}

/** Its key. */
export function keyOf(step: Step): Key {
  return objectOf(step).key;
}

/**
 * The plan without the steps whose objects rest, and without those that need what such a step would have made. They
 * stand among the blocked objects, so that nobody takes them for done.
 */
export function withhold(plan: Plan, rests: (step: Step) => boolean): Plan {
  const kept: Step[] = [];
  const held: Desired[] = [];
  // In the order of the plan, what others need comes first.
  for (const step of plan.steps) {
    const missing =
      step.action === "delete" ? false : step.after.needs.some((need) => held.some((one) => meets(one, need)));
    if (!rests(step) && !missing) kept.push(step);
    else if (step.action !== "delete") held.push(step.after);
  }
  if (kept.length === plan.steps.length) return plan;
  const blocked = held.map((desired) => ({ desired, waitsFor: "its next turn", why: "resting" as const }));
  return { ...plan, steps: kept, blocked: [...plan.blocked, ...blocked] };
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
