// Owns the comparison of what the host shall have with what the kernel has: which steps, in which order, and what
// cannot be done now.
import { findRuleAdoptions, reasonNotToAdoptRoute } from "./adopt.ts";
import type { RuleAdoptions } from "./adopt.ts";
import { isOurs } from "./ownership.ts";
import { inOrderOfCreation } from "./compose.ts";
import { rebuildRoutes } from "./emptied-links.ts";
import { describeObject, rulesOf } from "./kinds/index.ts";
import { Ground } from "./needs.ts";
import type { Key, Kind, Specs } from "../model/kinds.ts";
import type { Desired, DesiredState, Need, Observed, Snapshot } from "../model/objects.ts";
import type { Ledger, Plan, Step } from "../model/plan.ts";

/**
 * The steps that lead from `have` to `want`, in the order in which they are safe: new objects before old ones go
 * (make before break), a table filled before the rule that points to it, and the other way round for removal.
 * Objects that are not ours appear in no step but one that adopts them; where one stands in the way, the plan says so.
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
  const known: Known = { have, ledger, adoptions: findRuleAdoptions(want, have, ledger), ground };
  for (const desired of want.objects) planDesired(plan, desired, present.get(desired.key) ?? [], known);
  const creations = adoptionsFirst(plan.steps, have);
  const removals = unwanted
    .sort((a, b) => inOrderOfCreation(b, a))
    .flatMap((observed) => planRemoval(observed, ledger));
  const surplus = creations.filter((step) => step.action === "delete");
  plan.steps = [...creations.filter((step) => step.action !== "delete"), ...surplus, ...removals];
  const ours = have.observed.filter((observed) => isOurs(observed, ledger));
  return rebuildRoutes(plan, want, have.links, ours);
}

/** Among rules, those that are taken over come first and in the kernel's order, which decides among one priority. */
function adoptionsFirst(steps: readonly Step[], have: Snapshot): Step[] {
  const isRule = (step: Step): boolean => step.action !== "delete" && step.after.kind === "rule";
  const rules = steps.filter(isRule);
  const adopted = rules.filter((step) => step.action === "adopt");
  if (adopted.length === 0) return [...steps];
  const places = new Map(have.observed.map((object, i) => [object, i]));
  const place = (step: Step): number => (step.action === "adopt" ? (places.get(step.before) ?? 0) : 0);
  const inOrder = [
    ...adopted.sort((a, b) => place(a) - place(b)),
    ...rules.filter((step) => step.action !== "adopt"),
  ].values();
  // Steps of other kinds stay where the order of kinds has them.
  return steps.map((step) => (isRule(step) ? (inOrder.next().value ?? step) : step));
}

/** What is known while a plan is made. */
interface Known {
  have: Snapshot;
  ledger: Ledger;
  adoptions: RuleAdoptions;
  /** What the plan can build on, which grows with it. */
  ground: Ground;
}

/** Kinds of which an object that is as it should be serves, whoever made it; and it stays theirs. */
const SHARED: ReadonlySet<Kind> = new Set(["sysctl", "address"]);

function planDesired(plan: Plan, whole: Desired, present: Observed[], known: Known): void {
  const { ledger, adoptions, ground } = known;
  const { desired, missing } = narrow(whole, ground);
  const ours = present.filter((observed) => isOurs(observed, ledger));
  const foreign = present.filter((observed) => !isOurs(observed, ledger));
  const right = ours.find((observed) => isRight(observed, desired ?? whole, ledger));
  const theirs = adoptions.theirs.get(whole.key) ?? [];
  if (right) {
    if (theirs.length === 0) plan.settled.push(whole.key);
    for (const before of theirs) plan.steps.push({ action: "adopt", before, after: whole, why: "asked", beside: true });
    for (const twin of ours) if (twin !== right) plan.steps.push({ action: "delete", before: twin, why: "orphan" });
    return;
  }
  if (SHARED.has(whole.kind) && foreign[0] && isEqual(foreign[0], whole)) {
    plan.settled.push(whole.key);
    return;
  }
  const lacking = [...whole.needs, ...(desired === undefined ? missing : [])];
  const lack = lacking.map((need) => ground.lack(need)).find((one) => one !== undefined);
  if (lack) plan.blocked.push({ desired: whole, ...lack });
  if (lack || !desired || planAdoption(plan, desired, present, known)) return;
  // A sysctl always has a value, which is no object of anybody's that could stand in the way.
  const earlier = whole.kind === "sysctl" ? foreign[0] : undefined;
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

/** Takes over what stands under the key and is equal, or says that it stands in the way. Whether there was anything. */
function planAdoption(plan: Plan, desired: Desired, present: readonly Observed[], known: Known): boolean {
  const { have, ledger, adoptions } = known;
  if (desired.kind === "rule") {
    const [before, ...twins] = adoptions.theirs.get(desired.key) ?? [];
    const hint = adoptions.refused.get(desired.key);
    if (!before && hint !== undefined) {
      plan.blocked.push({ desired, waitsFor: `an equal ${describeObject(desired)}`, why: "foreign", hint });
      return true;
    }
    if (!before) return false;
    plan.steps.push({ action: "adopt", before, after: desired, why: "asked" });
    for (const twin of twins)
      plan.steps.push({ action: "adopt", before: twin, after: desired, why: "asked", beside: true });
    return true;
  }
  const foreign = present.filter((observed) => !isOurs(observed, ledger));
  const obstacle = foreign[0];
  if (!obstacle || desired.kind === "sysctl") return false;
  const hint = reasonNotToAdoptRoute(desired, present, have);
  // Where one of ours stands under the key as well, taking theirs over would make two of them.
  if (hint === undefined && desired.kind === "route" && desired.adopt && foreign.length === present.length) {
    plan.steps.push({ action: "adopt", before: obstacle, after: desired, why: "asked" });
    return true;
  }
  plan.blocked.push({
    desired,
    waitsFor: describeObject(obstacle),
    why: "foreign",
    ...(hint === undefined ? {} : { hint }),
  });
  return true;
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

/** Whether one of ours is as it should be: in the words it was asked for, or in those the kernel has for them. */
function isRight(observed: Observed, desired: Desired, ledger: Ledger): boolean {
  if (isEqual(observed, desired)) return true;
  return ledger.applied[desired.key] === textOf(desired) && ledger.made[desired.key] === textOf(observed);
}

function isEqual(observed: Observed, desired: Desired): boolean {
  return textOf(observed) === textOf(desired);
}

/** The text by which two objects of one key are compared, and which the ledger remembers. */
export function textOf<K extends Kind>(object: { kind: K; spec: Specs[K] }): string {
  return rulesOf(object.kind).compare(object.spec);
}
