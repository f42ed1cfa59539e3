// Owns the comparison of what the host shall have with what the kernel has: which steps, in which order, and what
// cannot be done now.
import { findRuleAdoptions, reasonNotToAdoptRoute } from "./adopt.ts";
import type { RuleAdoptions } from "./adopt.ts";
import { isOurs } from "./ownership.ts";
import { inOrderOfCreation } from "./compose.ts";
import { rebuildRoutes } from "./emptied-links.ts";
import { keepSources } from "./kept-sources.ts";
import { fingerprint, isSameData } from "./kinds/canonical.ts";
import { describeObject, rulesOf } from "./kinds/index.ts";
import { linkOfSysctl } from "./kinds/sysctl.ts";
import { narrow } from "./narrow.ts";
import { Ground } from "./needs.ts";
import type { Lack } from "./needs.ts";
import type { Key, Kind, Specs } from "../model/kinds.ts";
import type { Desired, DesiredState, Observed, Snapshot } from "../model/objects.ts";
import type { Ledger, Plan, Step } from "../model/plan.ts";

/**
 * The steps that lead from `have` to `want`, in the order in which they are safe: new objects before old ones go
 * (make before break), a table filled before the rule that points to it, and the other way round for removal.
 * Objects that are not ours appear in no step but one that adopts them; where one stands in the way, the plan says so.
 */
export function makePlan(want: DesiredState, have: Snapshot, ledger: Ledger): Plan {
  const { present, others } = sortByWish(want, have);
  const plan: Plan = { steps: [], blocked: [], settled: [] };
  const unwanted = others.filter((observed) => isOurs(observed, ledger));
  const unfit = new Set(unwanted.map((observed) => observed.key));
  // Somebody else's nexthop under a number of ours leads where they want, so nothing of ours is built on it.
  for (const [i, { kind, key }] of want.objects.entries()) {
    if (kind === "nexthop" && listOf(present[i]).some((observed) => !isOurs(observed, ledger))) unfit.add(key);
  }
  const ground = new Ground(have, unfit);
  const known: Known = { have, ledger, adoptions: findRuleAdoptions(want, have, ledger), ground };
  for (const [i, desired] of want.objects.entries()) planDesired(plan, desired, present[i], known);
  const creations = adoptionsFirst(plan.steps, have);
  // Reversed before as well, so that those of one key stay in the kernel's order.
  const removals = inOrderOfCreation(unwanted.toReversed())
    .toReversed()
    .flatMap((observed) => planRemoval(observed, ledger));
  const surplus = creations.filter((step) => step.action === "delete");
  plan.steps = [...creations.filter((step) => step.action !== "delete"), ...surplus, ...removals];
  const findOurs = (): Observed[] => have.observed.filter((observed) => isOurs(observed, ledger));
  return keepSources(rebuildRoutes(plan, want, have.links, findOurs), want, findOurs);
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

function planDesired(plan: Plan, whole: Desired, found: Present, known: Known): void {
  const { ledger, adoptions, ground } = known;
  const theirs = adoptions.theirs.get(whole.key) ?? NONE;
  const { desired, missing } = narrow(whole, (need) => ground.lack(need) === undefined);
  // By far the most objects of a large host: there, alone, ours and right, and nobody else's to take over.
  const alone = found && "key" in found && theirs.length === 0 ? found : undefined;
  if (alone && isOurs(alone, ledger) && isEqual(alone, desired ?? whole)) {
    plan.settled.push(whole.key);
    return;
  }
  const present = listOf(found);
  const ours = present.filter((observed) => isOurs(observed, ledger));
  const foreign = present.filter((observed) => !isOurs(observed, ledger));
  const right = ours.find((observed) => isRight(observed, desired ?? whole, ledger));
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
  const lack =
    lacking.map((need) => ground.lack(need)).find((one) => one !== undefined) ?? lackOfSwitch(whole, present);
  if (lack) plan.blocked.push({ desired: whole, ...lack });
  if (lack || !desired || planAdoption(plan, desired, present, known)) return;
  // A sysctl always has a value, which is no object of anybody's that could stand in the way.
  const earlier = whole.kind === "sysctl" ? foreign[0] : undefined;
  const [before, ...twins] = earlier ? [earlier] : ours;
  if (before) {
    const drifted = ledger.applied[whole.key] === rememberedAs(whole);
    plan.steps.push({ action: "replace", before, after: desired, why: drifted ? "drift" : "changed" });
    for (const twin of twins) plan.steps.push({ action: "delete", before: twin, why: "orphan" });
  } else {
    plan.steps.push({ action: "create", after: desired, why: whole.key in ledger.applied ? "missing" : "new" });
  }
  ground.add(desired);
}

/**
 * A link has its switches from its first moment to its last, so one that has no value belongs to a link that went, or came,
 * while the host was looked at. Nobody knows what it would get back in the end; the link's own event brings the next look.
 */
function lackOfSwitch({ kind, spec }: Desired, present: readonly Observed[]): Lack | undefined {
  const link = kind === "sysctl" && present.length === 0 ? linkOfSysctl(spec.path) : undefined;
  return link === undefined ? undefined : { waitsFor: `link ${link}`, why: "link-missing" };
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

/** Shared by the many objects that have nothing. */
const NONE: readonly Observed[] = [];

/** What is there under a key: nothing, one object as nearly always, or several in the kernel's order. */
type Present = Observed | readonly Observed[] | undefined;

function listOf(present: Present): readonly Observed[] {
  if (present === undefined) return NONE;
  return "key" in present ? [present] : present;
}

/** What is there under the key of each wanted object, in their order, and everything else; both in the kernel's order. */
function sortByWish(want: DesiredState, have: Snapshot): { present: Present[]; others: Observed[] } {
  const places = new Map<Key, number>();
  for (const [i, { key }] of want.objects.entries()) places.set(key, i);
  const present: Present[] = want.objects.map(() => undefined);
  const others: Observed[] = [];
  for (const object of have.observed) {
    const place = places.get(object.key);
    if (place === undefined) others.push(object);
    else present[place] = present[place] === undefined ? object : [...listOf(present[place]), object];
  }
  return { present, others };
}

/** Whether one of ours is as it should be: in the words it was asked for, or in those the kernel has for them. */
function isRight(observed: Observed, desired: Desired, ledger: Ledger): boolean {
  if (isEqual(observed, desired)) return true;
  const made = ledger.made[desired.key];
  return made !== undefined && ledger.applied[desired.key] === rememberedAs(desired) && made === textOf(observed);
}

function isEqual(observed: Observed, desired: Desired): boolean {
  return isSameData(observed.spec, desired.spec) || textOf(observed) === textOf(desired);
}

/**
 * What the ledger remembers of an object, to tell whether it is asked for as it was last time: of routes and rules, of
 * which there may be a hundred thousand, a fingerprint, for only the reason of a step hangs on it; of nftables tables
 * the whole text, for on it hangs whether the kernel's own words for them are right.
 */
export function rememberedAs<K extends Kind>(object: { kind: K; spec: Specs[K] }): string {
  const text = textOf(object);
  return object.kind === "nftTable" ? text : fingerprint(text);
}

/** The text by which two objects of one key are compared. */
export function textOf<K extends Kind>(object: { kind: K; spec: Specs[K] }): string {
  return rulesOf(object.kind).compare(object.spec);
}
