// Owns what becomes of the sources of our IPv6 routes when an address gets another length: the kernel has an address
// once, so the old one goes first, and takes the `src` of every route out by its link along (rt6_remove_prefsrc).
import { parsePrefix } from "../model/ip.ts";
import type { Key } from "../model/kinds.ts";
import type { DesiredState, Observed } from "../model/objects.ts";
import type { Plan, Step } from "../model/plan.ts";
import { asDesired } from "./undo.ts";

/**
 * The plan with the sources taken out before such an address is replaced and put back behind it, so that one apply does
 * it, and each step is true when it is done and can be undone. The routes stay meanwhile. `findOurs` gives the present
 * objects of heddle's, which few plans need.
 */
export function keepSources(plan: Plan, want: DesiredState, findOurs: () => readonly Observed[]): Plan {
  const moving = plan.steps.flatMap((step, i) => (isMoved(step) ? [{ i, host: hostOf(step) }] : []));
  const [first] = moving;
  const last = moving.at(-1);
  if (!first || !last) return plan;
  const hosts = new Set(moving.map(({ host }) => host));

  const bare = new Map<Key, Observed>();
  const taken: Step[] = [];
  const returned: Step[] = [];
  const later = new Set(plan.steps.map(keyOf));
  const settled = new Set(plan.settled);
  for (const route of findOurs()) {
    if (route.kind !== "route" || route.spec.family !== 6 || !hosts.has(route.spec.source)) continue;
    const { source: _source, ...spec } = route.spec;
    const without: Observed = { ...route, spec };
    bare.set(route.key, without);
    taken.push({ action: "replace", before: route, after: asDesired(without), why: "changed" });
    if (later.has(route.key)) continue;
    const desired = settled.has(route.key) ? want.objects.find(({ key }) => key === route.key) : undefined;
    returned.push({ action: "replace", before: without, after: desired ?? asDesired(route), why: "changed" });
  }
  const steps = plan.steps.map((step): Step => {
    const present = step.action === "replace" || step.action === "delete" ? bare.get(step.before.key) : undefined;
    return present ? ({ ...step, before: present } as Step) : step;
  });
  return {
    ...plan,
    steps: [
      ...steps.slice(0, first.i),
      ...taken,
      ...steps.slice(first.i, last.i + 1),
      ...returned,
      ...steps.slice(last.i + 1),
    ],
    settled: plan.settled.filter((key) => !bare.has(key)),
  };
}

function isMoved(step: Step): boolean {
  return step.action === "replace" && step.after.kind === "address" && step.after.spec.family === 6;
}

function hostOf(step: Step): string | undefined {
  const address = step.action === "replace" && step.after.kind === "address" ? step.after.spec.address : "";
  return parsePrefix(address)?.address;
}

function keyOf(step: Step): Key {
  return step.action === "delete" ? step.before.key : step.after.key;
}
