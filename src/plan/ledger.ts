// Owns how the ledger changes: what is noted before a plan is done, and after.
import type { LinkFact } from "../model/facts.ts";
import type { DesiredState, Observed } from "../model/objects.ts";
import type { Ledger, Plan, Step, SysctlMemory } from "../model/plan.ts";
import { addressKeyOn } from "./kinds/address.ts";
import { isSameData } from "./kinds/canonical.ts";
import { linkOfSysctl } from "./kinds/sysctl.ts";
import { rememberedAs, textOf } from "./plan.ts";

/**
 * The ledger as it is true of the links that are there: a link that was renamed took its switches and addresses along,
 * and one that is gone, or was made anew under the same name, has others than those that heddle set.
 */
export function followLinks(ledger: Ledger, links: readonly LinkFact[]): Ledger {
  const names = new Map<number | undefined, string>(links.map(({ index, name }) => [index, name]));
  const sysctls: Ledger["sysctls"] = {};
  for (const [path, memory] of Object.entries(ledger.sysctls)) {
    const name = linkOfSysctl(path);
    const now = name === undefined ? undefined : names.get(memory.link);
    if (name === undefined) sysctls[path] = memory;
    else if (now !== undefined) sysctls[path.replace(`/${name}/`, () => `/${now}/`)] = memory;
  }
  const addresses: Ledger["addresses"] = {};
  for (const [key, memory] of Object.entries(ledger.addresses)) {
    const now = names.get(memory.link);
    if (now !== undefined) addresses[addressKeyOn(key, now)] = memory;
  }
  return { ...ledger, sysctls, addresses };
}

/**
 * The ledger to write before the steps are done: earlier values are safe before anything changes, and while a change
 * is under way both the old and the new value count as ours, so that a crash on either side loses nothing. The ledger
 * itself, where nothing new has to be remembered.
 */
export function noteBefore(ledger: Ledger, steps: readonly Step[], links: readonly LinkFact[]): Ledger {
  const indices = new Map<string | undefined, number>(links.map(({ index, name }) => [name, index]));
  const sysctls = { ...ledger.sysctls };
  const addresses = { ...ledger.addresses };
  let isNews = false;
  for (const step of steps) {
    if (step.action === "delete") continue;
    if (step.after.kind === "address") {
      const index = indices.get(step.after.spec.link);
      const known = addresses[step.after.key];
      if (index !== undefined && known?.link !== index) {
        addresses[step.after.key] = { link: index };
        isNews = true;
      }
    }
    if (step.after.kind !== "sysctl") continue;
    const { path, value } = step.after.spec;
    const now = step.action === "replace" ? sysctlValue(step.before) : undefined;
    const known = sysctls[path];
    // A value that somebody else set since is what the switch gets back in the end.
    const own = known && now !== undefined && known.set.includes(now) ? known : undefined;
    const index = indices.get(linkOfSysctl(path));
    const memory: SysctlMemory = own
      ? { ...own, set: [...new Set([...own.set, value])] }
      : { earlier: now ?? value, set: [value] };
    const noted = index === undefined ? memory : { ...memory, link: index };
    isNews ||= !isSameData(known, noted);
    sysctls[path] = noted;
  }
  return isNews ? { ...ledger, sysctls, addresses } : ledger;
}

/**
 * The ledger to write after the steps were done: what is undone is forgotten, what is in force or stays is remembered. `made` is
 * what the kernel made of the objects of this plan, for kinds whose drivers tell.
 */
export function noteAfter(ledger: Ledger, want: DesiredState, plan: Plan, made: readonly Observed[] = []): Ledger {
  const blocked = new Set(plan.blocked.map(({ desired }) => desired.key));
  const inForce = want.objects.filter((object) => !blocked.has(object.key));
  const applied: Ledger["applied"] = {};
  for (const object of inForce) applied[object.key] = rememberedAs(object);
  const settled = new Set(plan.settled);
  const words: Ledger["made"] = {};
  for (const [key, text] of Object.entries(ledger.made)) {
    if (settled.has(key) && applied[key] === ledger.applied[key]) words[key] = text;
  }
  for (const object of made) if (object.key in applied) words[object.key] = textOf(object);
  const sysctls: Ledger["sysctls"] = {};
  const addresses: Ledger["addresses"] = {};
  for (const object of [...want.objects, ...(plan.staying ?? [])]) {
    const address = ledger.addresses[object.key];
    if (object.kind === "address" && address) addresses[object.key] = address;
    if (object.kind !== "sysctl") continue;
    const memory = ledger.sysctls[object.spec.path];
    // What waits or stays may have any of the values that were set.
    if (memory) sysctls[object.spec.path] = object.key in applied ? { ...memory, set: [object.spec.value] } : memory;
  }
  return { sysctls, addresses, applied, made: words };
}

function sysctlValue(observed: Observed): string | undefined {
  return observed.kind === "sysctl" ? observed.spec.value : undefined;
}
