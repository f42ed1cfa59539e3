// Owns `heddle apply`, `remove`, `confirm` and `rollback`: asking for a change, and showing what came of it.
import type { ChangeRequest, Reply } from "../../agent/api/schema.ts";
import { summaryOf } from "../../agent/carry-out.ts";
import { ConfirmedFiles } from "../../host/ledger/confirmed.ts";
import { Deadline } from "../../host/ledger/deadline.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { startGuard } from "../guard.ts";
import { planJson, renderPlan, summarize } from "../render/plan.ts";
import { readPlan } from "../saved-plan.ts";
import { ask } from "../ask.ts";
import { openStore } from "../session.ts";

/** Options that changing commands share. */
export interface ChangeOptions {
  force?: true;
  /** Seconds. */
  confirm?: number;
}

/** Makes the kernel as the file says, shows what it did, and looks again to be sure. */
export async function apply(
  context: Context,
  options: ChangeOptions & { plan?: string; boot?: boolean } = {},
): Promise<ExitCode> {
  if (options.boot) return applyConfirmed(context);
  const saved = options.plan === undefined ? undefined : await readPlan(options.plan);
  if (saved && "code" in saved) return context.fail([saved], EXIT.failed, { applied: false });
  const { config, diagnostics } = await (saved ? context.takeTexts(saved) : context.readConfig());
  if (!config) return context.fail(diagnostics, EXIT.failed, { applied: false });
  const agreed = saved && options.plan !== undefined ? { agreed: { path: options.plan, steps: saved.steps } } : {};
  const texts = context.textsOf(saved?.file);
  return change(context, { do: "apply", ...texts, ...agreed, ...common(options) }, "Applied", options.confirm);
}

/**
 * What the boot unit and the hooks of network managers run: puts the last confirmed file in force again, or, where none
 * is, the file, which is confirmed by that. While something waits for its confirmation the host stays as that says.
 */
async function applyConfirmed(context: Context): Promise<ExitCode> {
  const store = await openStore(context);
  if (await new Deadline(store.runFolder, store.cookie, store.boot).read()) {
    context.say("Nothing to do: what is in force waits to be confirmed.");
    return EXIT.ok;
  }
  const { confirmed, diagnostics } = await new ConfirmedFiles(store.libFolder).current();
  context.report(diagnostics);
  if (!confirmed) return apply(context);
  // Whoever confirmed it knew which ways it cuts.
  if (confirmed.text === undefined) return remove(context, { force: true });
  const { file, text, beside } = confirmed;
  const taken = await context.takeTexts({ file, text, beside });
  if (!taken.config) return context.fail([...diagnostics, ...taken.diagnostics], EXIT.failed, { applied: false });
  return change(context, { do: "apply", file, text, beside, force: true }, "Applied");
}

/** Takes away everything that heddle made and gives sysctls their earlier values. Needs no file. */
export async function remove(context: Context, options: ChangeOptions = {}): Promise<ExitCode> {
  return change(context, { do: "remove", ...common(options) }, "Removed");
}

/** Puts what was applied with --confirm into force for good. */
export async function confirm(context: Context): Promise<ExitCode> {
  return change(context, { do: "confirm" }, "Confirmed");
}

/** Goes back to a file that was confirmed before. */
export async function rollback(
  context: Context,
  to: number | undefined,
  options: ChangeOptions = {},
): Promise<ExitCode> {
  const request = { do: "rollback", ...(to === undefined ? {} : { to }), ...common(options) } as const;
  return change(context, request, "Rolled back", options.confirm);
}

/** Who is connected by SSH must not be cut off (SSH_CONNECTION, ssh(1)). */
function common({ force }: ChangeOptions): { force?: true; ssh?: string } {
  const ssh = process.env["SSH_CONNECTION"];
  return { ...(force ? { force } : {}), ...(ssh ? { ssh: ssh.slice(0, 128) } : {}) };
}

async function change(
  context: Context,
  request: ChangeRequest,
  verb: string,
  confirmSeconds?: number,
): Promise<ExitCode> {
  const guard = confirmSeconds === undefined ? undefined : await startGuard(context, confirmSeconds);
  const reply = await ask(context, guard ? ({ ...request, confirm: guard.confirmation } as ChangeRequest) : request);
  const done = "outcome" in reply && (reply.outcome === "done" || reply.outcome === "waiting");
  // Nothing waits then, so there is nothing to guard.
  if (!done) guard?.dismiss();
  if ("busy" in reply) return context.fail([reply.busy], EXIT.busy, { applied: false });
  return show(context, reply, verb, confirmSeconds);
}

/** Shows a reply, as a person or a program wants it, and gives the exit code. */
function show(context: Context, reply: Reply, verb: string, confirmSeconds?: number): ExitCode {
  const { outcome, plan, diagnostics, findings, said } = reply;
  for (const [file, text] of Object.entries(reply.sources ?? {})) context.addSource(file, text);
  const done = outcome === "done" || outcome === "waiting";
  if (context.options.json) {
    const shown = plan ? planJson(plan) : {};
    context.sayJson({ applied: done, ...shown, diagnostics: [...diagnostics, ...findings] });
    return EXIT_OF[outcome];
  }
  context.report(diagnostics);
  if (plan && outcome !== "stale") context.say(renderPlan(plan, context.paint));
  context.report(findings);
  if (done && said !== undefined) context.say(said);
  if (done && plan) {
    context.say(plan.steps.length > 0 ? `${verb}: ${summaryOf(plan)}.` : `Nothing to do: ${summarize(plan)}.`);
  }
  if (done && confirmSeconds !== undefined) {
    context.say(`This is undone in ${confirmSeconds} s, unless you run: heddle confirm`);
  }
  return EXIT_OF[outcome];
}

const EXIT_OF = {
  done: EXIT.ok,
  waiting: EXIT.waiting,
  failed: EXIT.failed,
  refused: EXIT.failed,
  stale: EXIT.stale,
} as const satisfies Record<Reply["outcome"], ExitCode>;
