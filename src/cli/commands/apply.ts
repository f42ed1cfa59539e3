// Owns `heddle apply` and `heddle remove`: making the kernel as the file says, or as it was before heddle.
import { applyPlan } from "../../agent/apply.ts";
import { lookAndPlan } from "../../agent/look.ts";
import type { Look } from "../../agent/look.ts";
import type { Config } from "../../config/config.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { StepResult } from "../../host/host.ts";
import type { Key } from "../../model/kinds.ts";
import type { Step } from "../../model/plan.ts";
import { describeStep } from "../../plan/kinds/index.ts";
import { nameTables } from "../../plan/name-tables.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { planJson, renderPlan, summarize } from "../render/plan.ts";
import { isWaiting } from "../waiting.ts";
import { isStale, readPlan, stalePlan } from "../saved-plan.ts";
import type { SavedPlan } from "../saved-plan.ts";
import { openWriter } from "../session.ts";
import type { Session } from "../session.ts";

/** Makes the kernel as the file says, shows what it did, and looks again to be sure. */
export async function apply(context: Context, options: { plan?: string } = {}): Promise<ExitCode> {
  const saved = options.plan === undefined ? undefined : await readPlan(options.plan);
  if (saved && "code" in saved) return context.fail([saved], EXIT.failed, { applied: false });
  const { config, diagnostics } = await (saved
    ? context.takeText(saved.file, saved.text, saved.beside)
    : context.readConfig());
  if (!config) return context.fail(diagnostics, EXIT.failed, { applied: false });
  const agreed = saved && options.plan !== undefined ? { saved, path: options.plan } : undefined;
  return change(context, config, diagnostics, "Applied", agreed);
}

/** Takes away everything that heddle made and gives sysctls their earlier values. Needs no file. */
export async function remove(context: Context): Promise<ExitCode> {
  return change(context, { file: "", ranges: {}, sections: [] }, [], "Removed");
}

async function change(
  context: Context,
  config: Config,
  said: readonly Diagnostic[],
  verb: "Applied" | "Removed",
  agreed?: { saved: SavedPlan; path: string },
): Promise<ExitCode> {
  await using session = await openWriter(context);
  if (!session) return context.fail([...said, BUSY], EXIT.busy, { applied: false });
  const before = await lookAndPlan(config, session.host, session.memory, session.trace);
  const diagnostics = [...said, ...session.diagnostics, ...before.diagnostics];
  if (!before.look) return context.fail(diagnostics, EXIT.failed, { applied: false });

  context.report(diagnostics);
  const plan = before.look.plan;
  // Asked under the lock: from here on only others can change what the plan found, and then the kernel refuses.
  if (agreed && isStale(agreed.saved, plan)) {
    return context.fail([...diagnostics, stalePlan(agreed.path)], EXIT.stale, { applied: false });
  }
  if (!context.options.json) context.say(renderPlan(plan, context.paint));
  const applied = await applyPlan(before.look, session.host, session.store, session.trace);
  const failures = [...applied.failed.map(stepFailed), ...applied.notUndone.map(undoFailed)];
  const left = failures.length > 0 ? [] : await leftOver(config, session, plan);
  const findings = [...failures, ...left];
  if (applied.notRemembered) diagnostics.push(notRemembered(applied.notRemembered, context));
  if (failures.length === 0) await nameTablesOf(before.look, session, context, diagnostics);
  context.report(findings);

  const exit = findings.length > 0 ? EXIT.failed : isWaiting(before.look, diagnostics) ? EXIT.waiting : EXIT.ok;
  if (context.options.json) {
    context.sayJson({ applied: findings.length === 0, ...planJson(plan), diagnostics: [...diagnostics, ...findings] });
  } else if (findings.length === 0) {
    context.say(plan.steps.length > 0 ? `${verb}: ${summarizeDone(plan)}.` : `Nothing to do: ${summarize(plan)}.`);
  }
  return exit;
}

/** After an apply nothing may be left to do; what is, somebody else changed meanwhile or the kernel did not keep. */
async function leftOver(config: Config, session: Session, plan: Look["plan"]): Promise<Diagnostic[]> {
  const after = await lookAndPlan(config, session.host, await session.store.read(), session.trace);
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

function summarizeDone(plan: Look["plan"]): string {
  const count = (action: string): number => plan.steps.filter((step) => step.action === action).length;
  const waiting = plan.blocked.length > 0 ? `, ${plan.blocked.length} waiting` : "";
  const taken = count("adopt") > 0 ? `${count("adopt")} taken over, ` : "";
  return `${taken}${count("create")} made, ${count("replace")} changed, ${count("delete")} removed${waiting}`;
}

const BUSY: Diagnostic = {
  code: "busy",
  severity: "error",
  summary: "another heddle is changing this host",
  remedy: "Wait until it is done, then try again.",
};

function stepFailed({ step, error }: StepResult): Diagnostic {
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
async function nameTablesOf(look: Look, session: Session, context: Context, said: Diagnostic[]): Promise<void> {
  try {
    await session.store.writeTableNames(nameTables(look.intent, look.facts), look.intent.numbers);
  } catch (error) {
    const diagnostic: Diagnostic = {
      code: "names-not-written",
      severity: "note",
      summary: "the tables have no names in `ip rule`",
      detail: sentence(error instanceof Error ? error.message : String(error)),
    };
    said.push(diagnostic);
    context.report([diagnostic]);
  }
}

function notRemembered(error: Error, context: Context): Diagnostic {
  const diagnostic: Diagnostic = {
    code: "not-remembered",
    severity: "warning",
    summary: "all is done, but the state could not be written",
    detail: `${sentence(error.message)} Earlier values of sysctls are safe; what was applied is not noted.`,
    remedy: "Make room in the state directory, and apply again.",
  };
  context.report([diagnostic]);
  return diagnostic;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
