// Owns the doing of a plan: memory first, then the kernel, and the way back when a step fails.
import type { Host, StepResult } from "../host/host.ts";
import type { LinkFact } from "../model/facts.ts";
import type { Key, Kind } from "../model/kinds.ts";
import type { Observed } from "../model/objects.ts";
import type { Ledger, Step } from "../model/plan.ts";
import { describeStep } from "../plan/kinds/index.ts";
import { isSameData } from "../plan/kinds/canonical.ts";
import { noteAfter, noteBefore } from "../plan/ledger.ts";
import type { Numbers } from "../plan/numbers.ts";
import { textOf } from "../plan/plan.ts";
import type { KnownOwners } from "../plan/recall-owners.ts";
import { undoSteps } from "../plan/undo.ts";
import type { Look } from "./look.ts";
import { noTrace, timed } from "./trace.ts";
import type { Trace } from "./trace.ts";

/** Where memory is kept: the files of the host, or a model of them. */
export interface Store {
  writeLedger(ledger: Ledger): Promise<void>;
  writeNumbers(numbers: Numbers): Promise<void>;
  writeKnown(known: KnownOwners): Promise<void>;
}

/** How an apply ended. `failed` is empty exactly when every step was done; otherwise what was done is undone. */
export interface Applied {
  done: Step[];
  failed: StepResult[];
  /** Objects that could not be brought back to what they were: the host is between two states here. */
  notUndone: string[];
  /** The state could not be written after all was done: what heddle remembers is older than what it did. */
  notRemembered?: Error;
}

/**
 * Does the steps of a plan in their order, those of one kind together. When one fails, those of later kinds are not
 * tried, and those that were done are undone: half of a routing set-up is worse than the one that was there before.
 * Throws, with the kernel as it was, when the state cannot be written beforehand; rethrows a bug after undoing.
 */
export async function applyPlan(look: Look, host: Host, store: Store, trace: Trace = noTrace): Promise<Applied> {
  const { plan, snapshot, want } = look;
  const before = noteBefore(look.ledger, plan.steps, snapshot.links);
  // Earlier values must be safe before anything changes. Where nothing new has to be remembered nothing is written, so
  // that `remove` works on a full disk.
  if (before !== look.ledger) await store.writeLedger(before);
  if (!isSameData(look.intent.numbers, look.earlier)) await store.writeNumbers(look.intent.numbers);
  if (!isSameData(look.known.now, look.known.earlier)) await store.writeKnown(look.known.now);

  const done: Step[] = [];
  const made: Observed[] = [];
  let failed: StepResult[];
  try {
    failed = await performAll(plan.steps, { done, made }, host, snapshot.links, trace);
  } catch (error) {
    await takeBack(look, done, host, trace);
    throw error;
  }
  if (failed.length > 0) {
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

/** Does batch after batch up to the first with a failure; what was done, and what came of it, is added as it is done. */
async function performAll(
  steps: readonly Step[],
  account: { done: Step[]; made: Observed[] },
  host: Host,
  links: readonly LinkFact[],
  trace: Trace,
): Promise<StepResult[]> {
  for (const batch of batches(steps)) {
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
    if (failed.length > 0) return failed;
  }
  return [];
}

/** Undoes steps, all of them though some fail, and names the objects that are not as they were before. */
async function takeBack(look: Look, done: readonly Step[], host: Host, trace: Trace): Promise<string[]> {
  const { links, observed } = look.snapshot;
  for (const batch of batches(undoSteps(done))) {
    await timed(trace, "steps undone", () => host.drivers[kindOf(batch[0] as Step)].perform(batch, links));
  }
  // What the drivers say of it is not asked: the kernel is, which knows what it really has.
  const sysctls = done.flatMap((step) => (objectOf(step).kind === "sysctl" ? [sysctlPath(step)] : []));
  const now = new Map<Kind, Observed[]>();
  // The links as they are now: they bring their addresses along.
  const present = await host.links();
  for (const kind of new Set(done.map(kindOf))) {
    now.set(
      kind,
      await host.drivers[kind].list(present, { sysctls, nftTables: true, cgroupPrograms: true, tcPrograms: true }),
    );
  }
  const touched = new Set(done.map((step) => objectOf(step).key));
  const [earlier, later] = [textsByKey(observed, touched), textsByKey([...now.values()].flat(), touched)];
  return done
    .filter((step) => {
      const { key } = objectOf(step);
      return earlier.get(key)?.toSorted().join("\n") !== later.get(key)?.toSorted().join("\n");
    })
    .map(describeStep);
}

/** What stands under each of the keys, in no order. */
function textsByKey(all: readonly Observed[], keys: ReadonlySet<Key>): Map<Key, string[]> {
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

/** Neighbouring steps of one kind go to the kernel together. */
function batches(steps: readonly Step[]): Step[][] {
  const all: Step[][] = [];
  for (const step of steps) {
    const last = all.at(-1);
    if (last && kindOf(last[0] as Step) === kindOf(step)) last.push(step);
    else all.push([step]);
  }
  return all;
}

function kindOf(step: Step): Kind {
  return objectOf(step).kind;
}
