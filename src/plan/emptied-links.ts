// Owns what becomes of our routes when the last IPv4 address of their link goes: the kernel drops every IPv4 route
// through such a link (fib_disable_ip), those that shall stay as well, and says nothing.
import type { LinkFact } from "../model/facts.ts";
import type { Key } from "../model/kinds.ts";
import type { Desired, DesiredState, Observed } from "../model/objects.ts";
import type { Plan, Step } from "../model/plan.ts";
import { asObserved } from "./undo.ts";
import { addressRules } from "./kinds/address.ts";

/**
 * The plan with the routes of links that lose their last IPv4 address taken away before the address and made again
 * behind it, so that each step is true when it is done, and can be undone. `findOurs` gives the present objects of
 * heddle's, which few plans need.
 */
export function rebuildRoutes(
  plan: Plan,
  want: DesiredState,
  links: readonly LinkFact[],
  findOurs: () => readonly Observed[],
): Plan {
  const emptied = emptiedLinks(plan.steps, links);
  if (emptied.size === 0) return plan;
  const blocked = new Set(plan.blocked.map(({ desired }) => desired.key));
  const affected = want.objects.filter((object) => leavesBy(object, emptied) && !blocked.has(object.key));
  if (affected.length === 0) return plan;
  const keys = new Set<Key>(affected.map(({ key }) => key));
  const keyOf = (step: Step): Key => (step.action === "delete" ? step.before.key : step.after.key);
  // What is taken over is ours by then; it stays taken over, so that the way back gives it back.
  const adoptions = plan.steps.filter((step) => step.action === "adopt" && keys.has(keyOf(step)));
  const adopted = adoptions.flatMap((step) => (step.action === "adopt" ? [asObserved(step.after)] : []));
  const deletions = [...findOurs(), ...adopted]
    .filter(({ kind, key }) => kind === "route" && keys.has(key))
    .map((before): Step => ({ action: "delete", before, why: "unwanted" }));
  const creations = affected.map((after): Step => ({ action: "create", after, why: "missing" }));
  const others = plan.steps.filter((step) => step.action === "adopt" || !keys.has(keyOf(step)));
  const at = others.findIndex((step) => step.action === "delete" && step.before.kind === "address");
  const steps = [...others.slice(0, at), ...deletions, ...others.slice(at), ...creations];
  return { ...plan, steps, settled: plan.settled.filter((key) => !keys.has(key)) };
}

/** Names of the links whose IPv4 addresses all go, and that get none. */
function emptiedLinks(steps: readonly Step[], links: readonly LinkFact[]): ReadonlySet<string> {
  const leaving = new Set(steps.flatMap((step) => (step.action === "delete" ? [step.before.key] : [])));
  const coming = new Set(
    steps.flatMap((step) =>
      step.action !== "delete" && step.after.kind === "address" && step.after.spec.family === 4
        ? [step.after.spec.link]
        : [],
    ),
  );
  const emptied = links.filter(({ name, addresses }) => {
    const ipv4 = addresses.filter(({ family }) => family === 4);
    const allGo = ipv4.every((spec) => leaving.has(addressRules.identify(spec)));
    return ipv4.length > 0 && allGo && !coming.has(name);
  });
  return new Set(emptied.map(({ name }) => name));
}

function leavesBy(object: Desired, links: ReadonlySet<string>): boolean {
  if (object.kind !== "route" || object.spec.family !== 4) return false;
  return object.spec.hops.some(({ link }) => link !== undefined && links.has(link));
}
