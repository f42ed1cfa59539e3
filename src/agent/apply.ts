// Owns the doing of a plan: memory first, then the kernel, and the way back when a step fails.
import type { Host, StepResult } from "../host/host.ts";
import type { LinkFact } from "../model/facts.ts";
import type { Key, Kind } from "../model/kinds.ts";
import type { Observed } from "../model/objects.ts";
import type { Ledger, Step } from "../model/plan.ts";
import { describeObject, describeStep } from "../plan/kinds/index.ts";
import { isSameData } from "../plan/kinds/canonical.ts";
import { noteAfter, noteBefore } from "../plan/ledger.ts";
import type { Numbers } from "../plan/numbers.ts";
import { isOurs } from "../plan/ownership.ts";
import { textOf } from "../plan/plan.ts";
import type { KnownOwners } from "../plan/recall-owners.ts";
import { undoSteps } from "../plan/undo.ts";
import type { Look } from "./look.ts";
import { noTrace, timed } from "./trace.ts";
import type { Trace } from "./trace.ts";
import { withhold } from "./withhold.ts";

/** Where memory is kept: the files of the host, or a model of them. */
export interface Store {
  writeLedger(ledger: Ledger): Promise<void>;
  writeNumbers(numbers: Numbers): Promise<void>;
  writeKnown(known: KnownOwners): Promise<void>;
}

/**
 * What becomes of a plan of which a step fails: what was done is taken back, or what failed is left out, with what needs
 * it, and all else is done.
 */
export type OnFailure = "take-back" | "leave-out";

/** How an apply ended. `failed` is empty exactly when every step was done. */
export interface Applied {
  done: Step[];
  failed: StepResult[];
  /** Objects that could not be brought back to what they were: the host is between two states here. */
  notUndone: string[];
  /** The state could not be written after all was done: what heddle remembers is older than what it did. */
  notRemembered?: Error;
}

/**
 * Does the steps of a plan in their order, those of one kind together. When one fails and is not left out, those of later
 * kinds are not tried, and those that were done are undone: half of a routing set-up is worse than the one that was there
 * before. Throws, with the kernel as it was, when the state cannot be written beforehand; rethrows a bug after undoing.
 */
export async function applyPlan(
  look: Look,
  host: Host,
  store: Store,
  trace: Trace = noTrace,
  onFailure: OnFailure = "take-back",
): Promise<Applied> {
  const { snapshot, want } = look;
  let { plan } = look;
  const before = noteBefore(look.ledger, plan.steps, snapshot.links);
  // Earlier values must be safe before anything changes. Where nothing new has to be remembered nothing is written, so
  // that `remove` works on a full disk.
  if (before !== look.ledger) await store.writeLedger(before);
  if (!isSameData(look.intent.numbers, look.earlier)) await store.writeNumbers(look.intent.numbers);
  if (!isSameData(look.known.now, look.known.earlier)) await store.writeKnown(look.known.now);

  const done: Step[] = [];
  const made: Observed[] = [];
  const failed: StepResult[] = [];
  try {
    for (let left: readonly Step[] = plan.steps; ;) {
      const now = await performAll(left, { done, made }, host, snapshot.links, trace);
      failed.push(...now.failed);
      if (now.failed.length === 0 || onFailure === "take-back") break;
      const refused = now.failed.map(({ step }) => step);
      plan = withhold({ ...plan, steps: [...refused, ...now.left] }, (step) => refused.includes(step));
      left = plan.steps;
    }
  } catch (error) {
    await takeBack(look, done, host, trace);
    throw error;
  }
  if (failed.length > 0 && onFailure === "take-back") {
    const notUndone = await takeBack(look, done, host, trace);
    if (notUndone.length === 0) await store.writeLedger(look.ledger);
    return { done: [], failed, notUndone };
  }
  try {
    await store.writeLedger(noteAfter(before, want, plan, made));
  } catch (error) {
    return { done, failed, notUndone: [], notRemembered: error instanceof Error ? error : new Error(String(error)) };
  }
  return { done, failed, notUndone: [] };
}

/**
 * Does batch after batch up to the first with a failure; what was done, and what came of it, is added as it is done.
 * Gives what failed, and the steps of later batches.
 */
async function performAll(
  steps: readonly Step[],
  account: { done: Step[]; made: Observed[] },
  host: Host,
  links: readonly LinkFact[],
  trace: Trace,
): Promise<{ failed: StepResult[]; left: readonly Step[] }> {
  let tried = 0;
  for (const batch of batches(steps)) {
    tried += batch.length;
    const kind = kindOf(batch[0] as Step);
    const results = await timed(
      trace,
      "steps performed",
      () => host.drivers[kind].perform(batch, links),
      (all) => ({ kind, count: all.length, failed: all.filter(({ error }) => error !== undefined).length }),
    );
    const failed = results.filter((result) => result.error !== undefined);
    for (const { step, error, made } of results) {
      if (error !== undefined) continue;
      account.done.push(step);
      if (made) account.made.push(made);
    }
    if (failed.length > 0) return { failed, left: steps.slice(tried) };
  }
  return { failed: [], left: [] };
}

/** Undoes steps, all of them though some fail, and names the objects that are not as they were before. */
async function takeBack(look: Look, done: readonly Step[], host: Host, trace: Trace): Promise<string[]> {
  const { links, observed } = look.snapshot;
  for (const batch of batches(undoSteps(done))) {
    await timed(trace, "steps undone", () => host.drivers[kindOf(batch[0] as Step)].perform(batch, links));
  }
  // What the drivers say of it is not asked: the kernel is, which knows what it really has.
  const sysctls = done.flatMap((step) => (objectOf(step).kind === "sysctl" ? [sysctlPath(step)] : []));
  const touched = new Map<Key, { kind: Kind; name: string }>();
  for (const route of withSource(look, done)) touched.set(route.key, { kind: route.kind, name: describeObject(route) });
  for (const step of done) touched.set(objectOf(step).key, { kind: kindOf(step), name: describeStep(step) });
  const now: Observed[] = [];
  // The links as they are now: they bring their addresses along.
  const present = await host.links();
  const scope = { sysctls, nftTables: true, cgroupPrograms: true, tcPrograms: true };
  for (const kind of new Set([...touched.values()].map((one) => one.kind))) {
    now.push(...(await host.drivers[kind].list(present, scope)));
  }
  const [earlier, later] = [textsByKey(observed, touched), textsByKey(now, touched)];
  return [...touched]
    .filter(([key]) => earlier.get(key)?.toSorted().join("\n") !== later.get(key)?.toSorted().join("\n"))
    .map(([, { name }]) => name);
}

/**
 * Routes of heddle's that may have lost their `src` with an address that went, though no step was about them: one that
 * was not there before the apply, of which a route still spoke, cannot go again without it (rt6_remove_prefsrc).
 */
function withSource({ snapshot, ledger }: Look, done: readonly Step[]): Observed[] {
  if (!done.some((step) => kindOf(step) === "address")) return [];
  return snapshot.observed.filter(
    (one) => one.kind === "route" && one.spec.source !== undefined && isOurs(one, ledger),
  );
}

/** What stands under each of the keys, in no order. */
function textsByKey(all: readonly Observed[], keys: ReadonlyMap<Key, unknown>): Map<Key, string[]> {
  const texts = new Map<Key, string[]>();
  for (const one of all) {
    if (!keys.has(one.key)) continue;
    const group = texts.get(one.key);
    if (group) group.push(textOf(one));
    else texts.set(one.key, [textOf(one)]);
  }
  return texts;
}

function objectOf(step: Step): Pick<Observed, "kind" | "key"> {
  return step.action === "delete" ? step.before : step.after;
}

function sysctlPath(step: Step): string {
  const object = step.action === "delete" ? step.before : step.after;
  return object.kind === "sysctl" ? object.spec.path : "";
}

/**
 * Neighbouring steps of one kind go to the kernel together, but for groups of nexthops: they follow their members, so that
 * what becomes of these is known.
 */
function batches(steps: readonly Step[]): Step[][] {
  const all: Step[][] = [];
  for (const step of steps) {
    const last = all.at(-1);
    if (last?.[0] && kindOf(last[0]) === kindOf(step) && isGroup(last[0]) === isGroup(step)) last.push(step);
    else all.push([step]);
  }
  return all;
}

function kindOf(step: Step): Kind {
  return objectOf(step).kind;
}

function isGroup(step: Step): boolean {
  const object = step.action === "delete" ? step.before : step.after;
  return object.kind === "nexthop" && object.spec.members !== undefined;
}
