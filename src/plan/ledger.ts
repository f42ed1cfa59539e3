// Owns how the ledger changes: what is noted before a plan is done, and after.
import type { LinkFact } from "../model/facts.ts";
import type { DesiredState, Observed } from "../model/objects.ts";
import type { Ledger, Plan, Step, SysctlMemory } from "../model/plan.ts";
import { linkOfSysctl } from "./kinds/sysctl.ts";
import { fingerprintOf } from "./plan.ts";

/** The ledger without what it remembers of links that are gone or were made anew: theirs are other switches. */
export function forgetGoneLinks(ledger: Ledger, links: readonly LinkFact[]): Ledger {
  const sysctls: Ledger["sysctls"] = {};
  for (const [path, memory] of Object.entries(ledger.sysctls)) {
    const name = linkOfSysctl(path);
    if (name === undefined || links.some((link) => link.name === name && link.index === memory.link)) {
      sysctls[path] = memory;
    }
  }
  return { ...ledger, sysctls };
}

/**
 * The ledger to write before the steps are done: earlier values are safe before anything changes, and while a change
 * is under way both the old and the new value count as ours, so that a crash on either side loses nothing.
 */
export function noteBefore(ledger: Ledger, steps: readonly Step[], links: readonly LinkFact[]): Ledger {
  const sysctls = { ...ledger.sysctls };
  for (const step of steps) {
    if (step.action === "delete" || step.after.kind !== "sysctl") continue;
    const { path, value } = step.after.spec;
    const now = step.action === "replace" ? sysctlValue(step.before) : undefined;
    const known = sysctls[path];
    // A value that somebody else set since is what the switch gets back in the end.
    const own = known && now !== undefined && known.set.includes(now) ? known : undefined;
    const name = linkOfSysctl(path);
    const index = links.find((link) => link.name === name)?.index;
    const memory: SysctlMemory = own
      ? { ...own, set: [...new Set([...own.set, value])] }
      : { earlier: now ?? value, set: [value] };
    sysctls[path] = index === undefined ? memory : { ...memory, link: index };
  }
  return { ...ledger, sysctls };
}

/** The ledger to write after the steps were done: what is undone is forgotten, what is in force is remembered. */
export function noteAfter(ledger: Ledger, want: DesiredState, plan: Plan): Ledger {
  const blocked = new Set(plan.blocked.map(({ desired }) => desired.key));
  const inForce = want.objects.filter((object) => !blocked.has(object.key));
  const applied: Ledger["applied"] = {};
  for (const object of inForce) applied[object.key] = fingerprintOf(object);
  const sysctls: Ledger["sysctls"] = {};
  for (const object of want.objects) {
    if (object.kind !== "sysctl") continue;
    const memory = ledger.sysctls[object.spec.path];
    if (memory) sysctls[object.spec.path] = { ...memory, set: [object.spec.value] };
  }
  return { sysctls, applied };
}

function sysctlValue(observed: Observed): string | undefined {
  return observed.kind === "sysctl" ? observed.spec.value : undefined;
}
