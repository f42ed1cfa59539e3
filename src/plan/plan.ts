// Owns the comparison of what the host shall have with what the kernel has: which steps, in which order, and what
// cannot be done now.
import { isOurs } from "./ownership.ts";
import { inOrderOfCreation } from "./compose.ts";
import { rebuildRoutes } from "./emptied-links.ts";
import { describeObject, rulesOf } from "./kinds/index.ts";
import { Ground } from "./needs.ts";
import type { Key, Kind, Specs } from "../model/kinds.ts";
import type { Desired, DesiredState, Need, Observed, Snapshot } from "../model/objects.ts";
import type { Blocked, Ledger, Plan, Step } from "../model/plan.ts";

/**
 * The steps that lead from `have` to `want`, in the order in which they are safe: new objects before old ones go
 * (make before break), a table filled before the rule that points to it, and the other way round for removal.
 * Objects that are not ours never appear in a step; where one stands in the way, the plan says so.
 */
export function makePlan(want: DesiredState, have: Snapshot, ledger: Ledger): Plan {
  const present = groupByKey(have.observed);
  const plan: Plan = { steps: [], blocked: [], settled: [] };
  const wanted = new Set<Key>(want.objects.map((desired) => desired.key));
  const unwanted = have.observed.filter((observed) => !wanted.has(observed.key) && isOurs(observed, ledger));
  // Somebody else's nexthop under a number of ours leads where they want, so nothing of ours is built on it.
  const taken = have.observed.filter(({ kind, key }) => kind === "nexthop" && wanted.has(key));
  const strange = taken.filter((observed) => !isOurs(observed, ledger));
  const ground = new Ground(have, new Set([...unwanted, ...strange].map((observed) => observed.key)));
  for (const desired of want.objects) {
    planDesired(plan, desired, present.get(desired.key) ?? [], ground, ledger);
  }
  const creations = plan.steps;
  const removals = unwanted
    .sort((a, b) => inOrderOfCreation(b, a))
    .flatMap((observed) => planRemoval(observed, ledger));
  const surplus = creations.filter((step) => step.action === "delete");
  plan.steps = [...creations.filter((step) => step.action !== "delete"), ...surplus, ...removals];
  const ours = have.observed.filter((observed) => isOurs(observed, ledger));
  return rebuildRoutes(plan, want, have.links, ours);
}

/** Kinds of which an object that is as it should be serves, whoever made it; and it stays theirs. */
const SHARED: ReadonlySet<Kind> = new Set(["sysctl", "address"]);

function planDesired(plan: Plan, whole: Desired, present: Observed[], ground: Ground, ledger: Ledger): void {
  const { desired, missing } = narrow(whole, ground);
  const ours = present.filter((observed) => isOurs(observed, ledger));
  const foreign = present.filter((observed) => !isOurs(observed, ledger));
  const right = ours.find((observed) => isEqual(observed, desired ?? whole));
  if (right) {
    plan.settled.push(whole.key);
    for (const twin of ours) if (twin !== right) plan.steps.push({ action: "delete", before: twin, why: "orphan" });
    return;
  }
  if (SHARED.has(whole.kind) && foreign[0] && isEqual(foreign[0], whole)) {
    plan.settled.push(whole.key);
    return;
  }
  // A sysctl always has a value, which is no object of anybody's that could stand in the way.
  const earlier = whole.kind === "sysctl" ? foreign[0] : undefined;
  const blocked = findBlock(whole, desired === undefined ? missing : [], earlier ? [] : foreign, ground);
  if (blocked || !desired) {
    if (blocked) plan.blocked.push(blocked);
    return;
  }
  const [before, ...twins] = earlier ? [earlier] : ours;
  if (before) {
    const drifted = ledger.applied[whole.key] === textOf(whole);
    plan.steps.push({ action: "replace", before, after: desired, why: drifted ? "drift" : "changed" });
    for (const twin of twins) plan.steps.push({ action: "delete", before: twin, why: "orphan" });
  } else {
    plan.steps.push({ action: "create", after: desired, why: whole.key in ledger.applied ? "missing" : "new" });
  }
  ground.add(desired);
}

/** The object made of those that are there; absent where nothing can be made, for lack of what is missing. */
function narrow(desired: Desired, ground: Ground): { desired?: Desired; missing: Need[] } {
  const isThere = (need: Need): boolean => ground.lack(need) === undefined;
  const { spec, missing } = narrowSpec(desired.kind, desired.spec, isThere);
  // The narrowed spec is of the same kind, which TypeScript cannot follow through the union.
  return spec === undefined ? { missing } : { desired: { ...desired, spec } as Desired, missing };
}

function narrowSpec<K extends Kind>(
  kind: K,
  spec: Specs[K],
  isThere: (need: Need) => boolean,
): { spec?: Specs[K]; missing: Need[] } {
  return rulesOf(kind).narrow?.(spec, isThere) ?? { spec, missing: [] };
}

function planRemoval(observed: Observed, ledger: Ledger): Step[] {
  const why = observed.key in ledger.applied ? "unwanted" : "orphan";
  if (observed.kind !== "sysctl") return [{ action: "delete", before: observed, why }];
  const memory = ledger.sysctls[observed.spec.path];
  // Whoever changed the value after heddle did owns it now.
  if (!memory?.set.includes(observed.spec.value) || memory.earlier === observed.spec.value) return [];
  return [{ action: "delete", before: observed, why, restore: memory.earlier }];
}

function findBlock(
  desired: Desired,
  missing: readonly Need[],
  foreign: readonly Observed[],
  ground: Ground,
): Blocked | undefined {
  for (const need of [...desired.needs, ...missing]) {
    const lack = ground.lack(need);
    if (lack) return { desired, ...lack };
  }
  const obstacle = foreign[0];
  return obstacle && { desired, waitsFor: describeObject(obstacle), why: "foreign" };
}

function groupByKey(observed: readonly Observed[]): Map<Key, Observed[]> {
  const groups = new Map<Key, Observed[]>();
  for (const object of observed) {
    const group = groups.get(object.key);
    if (group) group.push(object);
    else groups.set(object.key, [object]);
  }
  return groups;
}

function isEqual(observed: Observed, desired: Desired): boolean {
  return textOf(observed) === textOf(desired);
}

/** The text by which two objects of one key are compared, and which the ledger remembers. */
export function textOf<K extends Kind>(object: { kind: K; spec: Specs[K] }): string {
  return rulesOf(object.kind).compare(object.spec);
}
