// Owns the comparison of what the host shall have with what the kernel has: which steps, in which order, and what
// cannot be done now.
import { isOurs } from "./ownership.ts";
import { inOrderOfCreation } from "./compose.ts";
import { fingerprint, isSameData } from "./kinds/canonical.ts";
import { describeObject, rulesOf } from "./kinds/index.ts";
import { parsePrefix } from "../model/ip.ts";
import type { Key, Kind, Specs } from "../model/kinds.ts";
import type { Desired, DesiredState, Need, Observed, Snapshot } from "../model/objects.ts";
import type { Blocked, Ledger, Plan, Step } from "../model/plan.ts";

/**
 * The steps that lead from `have` to `want`, in the order in which they are safe: new objects before old ones go
 * (make before break), a table filled before the rule that points to it, and the other way round for removal.
 * Objects that are not ours never appear in a step; where one stands in the way, the plan says so.
 */
export function makePlan(want: DesiredState, have: Snapshot, ledger: Ledger): Plan {
  const { present, others } = sortByWish(want, have);
  const plan: Plan = { steps: [], blocked: [], settled: [] };
  for (const desired of want.objects) planDesired(plan, desired, present.get(desired.key) ?? [], have, ledger);
  const creations = plan.steps;
  const unwanted = others.filter((observed) => isOurs(observed, ledger));
  // Reversed before as well, so that those of one key stay in the kernel's order.
  const removals = inOrderOfCreation(unwanted.toReversed())
    .toReversed()
    .flatMap((observed) => planRemoval(observed, ledger));
  const surplus = creations.filter((step) => step.action === "delete");
  plan.steps = [...creations.filter((step) => step.action !== "delete"), ...surplus, ...removals];
  return plan;
}

function planDesired(plan: Plan, desired: Desired, present: Observed[], have: Snapshot, ledger: Ledger): void {
  const [only] = present;
  // By far the most objects of a large host: there, alone, ours and right.
  if (only && present.length === 1 && isOurs(only, ledger) && isEqual(only, desired)) {
    plan.settled.push(desired.key);
    return;
  }
  const ours = present.filter((observed) => isOurs(observed, ledger));
  const foreign = present.filter((observed) => !isOurs(observed, ledger));
  const right = ours.find((observed) => isEqual(observed, desired));
  if (right) {
    plan.settled.push(desired.key);
    for (const twin of ours) if (twin !== right) plan.steps.push({ action: "delete", before: twin, why: "orphan" });
    return;
  }
  // A sysctl always has a value: one that somebody else set already is as good as ours and stays theirs.
  const shared = desired.kind === "sysctl" ? foreign[0] : undefined;
  if (shared && isEqual(shared, desired)) {
    plan.settled.push(desired.key);
    return;
  }
  const blocked = findBlock(desired, shared ? [] : foreign, have);
  if (blocked) {
    plan.blocked.push(blocked);
    return;
  }
  const [before, ...twins] = shared ? [shared] : ours;
  if (before) {
    const drifted = ledger.applied[desired.key] === fingerprintOf(desired);
    plan.steps.push({ action: "replace", before, after: desired, why: drifted ? "drift" : "changed" });
    for (const twin of twins) plan.steps.push({ action: "delete", before: twin, why: "orphan" });
  } else {
    plan.steps.push({ action: "create", after: desired, why: desired.key in ledger.applied ? "missing" : "new" });
  }
}

function planRemoval(observed: Observed, ledger: Ledger): Step[] {
  const why = observed.key in ledger.applied ? "unwanted" : "orphan";
  if (observed.kind !== "sysctl") return [{ action: "delete", before: observed, why }];
  const memory = ledger.sysctls[observed.spec.path];
  // Whoever changed the value after heddle did owns it now.
  if (!memory?.set.includes(observed.spec.value) || memory.earlier === observed.spec.value) return [];
  return [{ action: "delete", before: observed, why, restore: memory.earlier }];
}

function findBlock(desired: Desired, foreign: Observed[], have: Snapshot): Blocked | undefined {
  for (const need of desired.needs) {
    const blocked = checkNeed(need, desired, have);
    if (blocked) return blocked;
  }
  const obstacle = foreign[0];
  return obstacle && { desired, waitsFor: describeObject(obstacle), why: "foreign" };
}

function checkNeed(need: Need, desired: Desired, have: Snapshot): Blocked | undefined {
  if ("address" in need) {
    const found = have.links.some((link) =>
      link.addresses.some((address) => parsePrefix(address.address)?.address === need.address),
    );
    return found ? undefined : { desired, waitsFor: `address ${need.address}`, why: "address-missing" };
  }
  const link = have.links.find((candidate) => candidate.name === need.link);
  if (!link) return { desired, waitsFor: `link ${need.link}`, why: "link-missing" };
  if (need.up && !link.up) return { desired, waitsFor: `link ${need.link} to be up`, why: "link-down" };
  return undefined;
}

/** What is there under the keys that are wanted, by key, and everything else, both in the kernel's order. */
function sortByWish(want: DesiredState, have: Snapshot): { present: Map<Key, Observed[]>; others: Observed[] } {
  const none: Observed[] = [];
  const present = new Map<Key, Observed[]>();
  for (const { key } of want.objects) present.set(key, none);
  const others: Observed[] = [];
  for (const object of have.observed) {
    const group = present.get(object.key);
    if (group === undefined) others.push(object);
    else if (group === none) present.set(object.key, [object]);
    else group.push(object);
  }
  return { present, others };
}

function isEqual(observed: Observed, desired: Desired): boolean {
  return isSameData(observed.spec, desired.spec) || textOf(observed) === textOf(desired);
}

/** What the ledger remembers of an object: enough to tell whether it is asked for as it was last time. */
export function fingerprintOf<K extends Kind>(object: { kind: K; spec: Specs[K] }): string {
  return fingerprint(textOf(object));
}

/** The text by which two objects of one key are compared. */
function textOf<K extends Kind>(object: { kind: K; spec: Specs[K] }): string {
  return rulesOf(object.kind).compare(object.spec);
}
