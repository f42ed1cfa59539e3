// Owns one change of the host, from the file to the proof: look, plan, do, look again. The command line and the agent
// both come through here.
import type { Config } from "../config/config.ts";
import type { Host, StepResult } from "../host/host.ts";
import type { NamedTable } from "../plan/name-tables.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Key } from "../model/kinds.ts";
import type { Plan, Step } from "../model/plan.ts";
import type { Signal } from "../model/signals.ts";
import { describeStep } from "../plan/kinds/index.ts";
import { nameTables } from "../plan/name-tables.ts";
import type { Numbers } from "../plan/numbers.ts";
import { applyPlan } from "./apply.ts";
import type { Store } from "./apply.ts";
import { lookAndPlan } from "./look.ts";
import type { Look, Memory } from "./look.ts";
import type { Trace } from "./trace.ts";
import { isWaiting } from "./waiting.ts";

/** Memory that can be read again, and the names of tables. */
export interface Keeper extends Store {
  read(): Promise<Memory & { diagnostics: Diagnostic[] }>;
  readSignals(): Promise<Signal[]>;
  writeTableNames(tables: readonly NamedTable[], numbers: Numbers): Promise<void>;
}

/** What a change is done with. */
export interface Workplace {
  host: Host;
  store: Keeper;
  trace: Trace;
}

/**
 * How a change ended. "stale" and "refused": nothing was done, because an objection was raised. "failed": what was done
 * is undone, unless the findings say otherwise.
 */
export type Outcome = "done" | "waiting" | "failed" | "stale" | "refused";

/** What a change led to. */
export interface Changed {
  outcome: Outcome;
  /** Absent when the file and the host do not fit. */
  plan?: Plan;
  /** What is to be said beside it. */
  diagnostics: Diagnostic[];
  /** What went wrong. */
  findings: Diagnostic[];
  /** The look that the plan was made of. */
  look?: Look;
}

/** What speaks against a plan, once it is known. */
export interface Objection {
  outcome: "stale" | "refused";
  diagnostics: Diagnostic[];
}

/**
 * Makes the host as the file says, and looks again to be sure. `before` is called with the plan before anything is
 * done; an objection of its ends the change. Throws HostError where the state cannot be written beforehand.
 */
export async function change(
  config: Config,
  { host, store, trace }: Workplace,
  before: (look: Look) => Promise<Objection | undefined> = async () => undefined,
): Promise<Changed> {
  const { diagnostics: ofMemory, ...memory } = await store.read();
  const first = await lookAndPlan(config, host, memory, trace);
  const diagnostics = [...ofMemory, ...first.diagnostics];
  if (!first.look) return { outcome: "failed", diagnostics, findings: [] };
  const { plan } = first.look;
  // Asked under the lock: from here on only others can change what the plan found, and then the kernel refuses.
  const objection = await before(first.look);
  if (objection) {
    return { outcome: objection.outcome, plan, diagnostics, findings: objection.diagnostics, look: first.look };
  }
  const applied = await applyPlan(first.look, host, store, trace);
  const failures = [...applied.failed.map(stepFailed), ...applied.notUndone.map(undoFailed)];
  const left = failures.length > 0 ? [] : await leftOver(config, { host, store, trace }, plan);
  const findings = [...failures, ...left];
  if (applied.notRemembered) diagnostics.push(notRemembered(applied.notRemembered));
  if (failures.length === 0) diagnostics.push(...(await nameTablesOf(first.look, store)));
  const outcome = findings.length > 0 ? "failed" : isWaiting(first.look, diagnostics) ? "waiting" : "done";
  return { outcome, plan, diagnostics, findings, look: first.look };
}

/** After an apply nothing may be left to do; what is, somebody else changed meanwhile or the kernel did not keep. */
async function leftOver(config: Config, { host, store, trace }: Workplace, plan: Plan): Promise<Diagnostic[]> {
  const after = await lookAndPlan(config, host, await store.read(), trace);
  const objectOf = (step: Step): { key: Key } => (step.action === "delete" ? step.before : step.after);
  // What became possible only now (an address that is usable at last) is no failure of this apply.
  const tried = new Set(plan.steps.map((step) => objectOf(step).key));
  // What waited, and has become possible meanwhile, is for the next apply: the exit code says that something waits.
  const waited = new Set(plan.blocked.map(({ desired }) => desired.key));
  const steps = (after.look?.plan.steps ?? []).filter(
    (step) => tried.has(objectOf(step).key) && (step.action === "delete" || !waited.has(step.after.key)),
  );
  return steps.map((step) => ({
    code: "not-kept",
    severity: "error",
    summary: `the kernel does not have this as it was asked: ${describeStep(step)}`,
    detail: "It was set without an error a moment ago. Another program may be changing the same objects.",
    remedy: "Look at `heddle plan`, and apply again.",
  }));
}

/** What is said of a step that the kernel refused. */
export function stepFailed({ step, error }: StepResult): Diagnostic {
  const range = step.action === "delete" ? undefined : step.after.from[0];
  const words = error?.kernelMessage;
  return {
    code: "kernel-refused",
    severity: "error",
    summary: `the kernel refused ${describeStep(step)}`,
    detail: `${words === undefined ? "" : `${sentence(words)} `}Error ${error?.code ?? "unknown"}. What was done before it is undone.`,
    remedy: error?.code === "EPERM" ? "Run heddle as root." : "Correct what the kernel names, and apply again.",
    ...(range === undefined ? {} : { range }),
  };
}

function undoFailed(object: string): Diagnostic {
  return {
    code: "not-undone",
    severity: "error",
    summary: `this is not as it was before: ${object}`,
    detail:
      "Taking the step back did not bring the earlier state back. The host is between the old state and the new one.",
    remedy: "Look at `heddle plan`; `heddle remove` takes everything of heddle's away.",
  };
}

/** Names are for people: that they cannot be written does not make the routing any less right. */
async function nameTablesOf(look: Look, store: Keeper): Promise<Diagnostic[]> {
  try {
    await store.writeTableNames(nameTables(look.intent, look.facts), look.intent.numbers);
    return [];
  } catch (error) {
    return [
      {
        code: "names-not-written",
        severity: "note",
        summary: "the tables have no names in `ip rule`",
        detail: sentence(error instanceof Error ? error.message : String(error)),
      },
    ];
  }
}

function notRemembered(error: Error): Diagnostic {
  return {
    code: "not-remembered",
    severity: "warning",
    summary: "all is done, but the state could not be written",
    detail: `${sentence(error.message)} Earlier values of sysctls are safe; what was applied is not noted.`,
    remedy: "Make room in the state directory, and apply again.",
  };
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
