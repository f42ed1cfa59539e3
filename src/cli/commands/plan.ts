// Owns `heddle plan`: what would change, without changing anything.
import { lookAndPlan } from "../../agent/look.ts";
import { isWaiting } from "../../agent/waiting.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { planJson, renderPlan, summarize } from "../render/plan.ts";
import { savePlan } from "../saved-plan.ts";
import { openSession } from "../session.ts";

/** Looks at this host and shows the steps from what it has to what the file says. */
export async function plan(
  context: Context,
  { out, facts }: { out?: string; facts?: string[] } = {},
): Promise<ExitCode> {
  if (facts) return (await import("./plan-facts.ts")).planFacts(context, facts);
  const { config, diagnostics } = await context.readConfig();
  if (!config) return context.fail(diagnostics);
  await using session = await openSession(context);
  const outcome = await lookAndPlan(config, session.host, session.memory, session.trace);
  const said = [...diagnostics, ...session.diagnostics, ...outcome.diagnostics];
  if (!outcome.look) return context.fail(said);

  const found = outcome.look.plan;
  if (out !== undefined) await savePlan(out, context.textsOf(), found);
  if (context.options.json) context.sayJson({ ...planJson(found), diagnostics: said });
  context.report(said);
  if (!context.options.json) {
    context.say(renderPlan(found, context.paint));
    context.say(
      found.steps.length > 0
        ? `Plan: ${summarize(found)}.`
        : `Nothing to do: ${found.settled.length} objects are in place${found.blocked.length > 0 ? `, ${found.blocked.length} waiting` : ""}.`,
    );
  }
  if (found.steps.length > 0) return EXIT.changes;
  return isWaiting(outcome.look, said) ? EXIT.waiting : EXIT.ok;
}
