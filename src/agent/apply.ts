// Owns the doing of a plan: memory first, then the kernel, and the way back when a step fails.
import type { Host, StepResult } from "../host/host.ts";
import type { Ledger } from "../model/plan.ts";
import type { Numbers } from "../plan/numbers.ts";
import type { LinkFact } from "../model/facts.ts";
import type { Kind } from "../model/kinds.ts";
import type { Observed } from "../model/objects.ts";
import type { Step } from "../model/plan.ts";
import { noteAfter, noteBefore } from "../plan/ledger.ts";
import { undoSteps } from "../plan/undo.ts";
import type { Look } from "./look.ts";

/** Where memory is kept: the files of the host, or a model of them. */
export interface Store {
  writeLedger(ledger: Ledger): Promise<void>;
  writeNumbers(numbers: Numbers): Promise<void>;
}

/** How an apply ended. `failed` is empty exactly when every step was done; otherwise what was done is undone. */
export interface Applied {
  done: Step[];
  failed: StepResult[];
  /** Steps back that failed too: the host is between two states, and these say where. */
  notUndone: StepResult[];
}

/**
 * Does the steps of a plan in their order. When one fails, those behind it are not tried, and those before it are
 * undone: half of a routing set-up is worse than the one that was there before.
 */
export async function applyPlan(look: Look, host: Host, store: Store, signal?: AbortSignal): Promise<Applied> {
  const { plan, snapshot, want } = look;
  if (plan.steps.length > 0) await store.writeLedger(noteBefore(look.ledger, plan.steps, snapshot.links));
  await store.writeNumbers(look.intent.numbers);

  const outcome = await performAll(plan.steps, host, snapshot.links, signal);
  if (outcome.failed.length === 0) {
    const before = noteBefore(look.ledger, plan.steps, snapshot.links);
    await store.writeLedger(noteAfter(before, want, plan, outcome.made));
    return { done: outcome.done, failed: [], notUndone: [] };
  }
  const back = await performAll(undoSteps(outcome.done), host, snapshot.links);
  if (back.failed.length === 0) await store.writeLedger(look.ledger);
  return { done: [], failed: outcome.failed, notUndone: back.failed };
}

async function performAll(
  steps: readonly Step[],
  host: Host,
  links: readonly LinkFact[],
  signal?: AbortSignal,
): Promise<{ done: Step[]; failed: StepResult[]; made: Observed[] }> {
  const done: Step[] = [];
  const made: Observed[] = [];
  for (const batch of batches(steps)) {
    const kind = kindOf(batch[0] as Step);
    const results = await host.drivers[kind].perform(batch, links, signal);
    const failed = results.filter((result) => result.error !== undefined);
    done.push(...results.filter((result) => result.error === undefined).map((result) => result.step));
    made.push(...results.flatMap((result) => result.made ?? []));
    if (failed.length > 0) return { done, failed, made };
  }
  return { done, failed: [], made };
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
  return step.action === "delete" ? step.before.kind : step.after.kind;
}
