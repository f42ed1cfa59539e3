// Owns `heddle plan --facts` and `heddle check --facts`: plans for hosts that are not here, many at once.
import { planForFacts } from "../../agent/plan-facts.ts";
import type { Look } from "../../agent/look.ts";
import type { Config } from "../../config/config.ts";
import { findLostWays } from "../../explain/lost-ways.ts";
import { afterSteps } from "../../explain/planned.ts";
import { hasErrors } from "../../model/diagnostic.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { HostFacts } from "../../model/host-facts.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { readFacts } from "../facts-files.ts";
import { planJson, renderPlan, summarize } from "../render/plan.ts";
import { isWaiting } from "../../agent/waiting.ts";

/** What came of one host; no more of it is kept, as there may be many. */
interface HostPlan {
  file: string;
  host: string;
  text: string;
  json: object;
  exit: ExitCode;
  diagnostics: Diagnostic[];
}

/** Names of hosts that are told one by one. */
const MOST_NAMES = 8;

/** Shows the plan for each host; hosts with the same plan are told together. */
export async function planFacts(context: Context, files: readonly string[]): Promise<ExitCode> {
  const { config, diagnostics } = await context.readConfig();
  if (!config) return context.fail(diagnostics);
  const plans: HostPlan[] = [];
  for (const file of files) plans.push(tell(context, file, await planOne(context, config, file)));
  if (context.options.json) {
    const hosts = plans.map(({ file, host, json, diagnostics: own }) => ({ file, host, ...json, diagnostics: own }));
    context.sayJson({ hosts, diagnostics });
  } else {
    context.report([...diagnostics, ...mergeDiagnostics(plans)]);
    for (const [text, same] of Map.groupBy(plans, (plan) => plan.text)) {
      if (plans.length > 1) context.say(`${sayHosts(same.map(({ host }) => host))}:`);
      context.say(text);
    }
  }
  return gravest(plans.map(({ exit }) => exit));
}

function tell(context: Context, file: string, { host, look, diagnostics }: Planned): HostPlan {
  if (!look) {
    const why = diagnostics.find(({ severity }) => severity === "error")?.summary ?? "the file does not fit";
    return { file, host, text: `No plan: ${why}.`, json: {}, exit: EXIT.failed, diagnostics };
  }
  const { plan } = look;
  const waiting = plan.blocked.length > 0 ? `, ${plan.blocked.length} waiting` : "";
  const [end, exit] =
    plan.steps.length > 0
      ? ([`Plan: ${summarize(plan)}.`, EXIT.changes] as const)
      : ([
          `Nothing to do: ${plan.settled.length} objects are in place${waiting}.`,
          isWaiting(look, diagnostics) ? EXIT.waiting : EXIT.ok,
        ] as const);
  return { file, host, text: `${renderPlan(plan, context.paint)}${end}`, json: planJson(plan), exit, diagnostics };
}

/** What is said of several hosts is said once, with their names. */
function mergeDiagnostics(plans: readonly HostPlan[]): Diagnostic[] {
  const said = plans.flatMap(({ host, diagnostics }) => diagnostics.map((diagnostic) => ({ host, diagnostic })));
  return [...Map.groupBy(said, ({ diagnostic }) => JSON.stringify(diagnostic)).values()].map((same): Diagnostic => {
    const { diagnostic } = same[0] as (typeof said)[number];
    return plans.length > 1 ? named(sayHosts(same.map(({ host }) => host)), diagnostic) : diagnostic;
  });
}

/** Stops at the first host that the file would break. */
export async function checkFacts(context: Context, config: Config, files: readonly string[]): Promise<ExitCode> {
  for (const file of files) {
    const { host, facts, look, diagnostics } = await planOne(context, config, file);
    const found = [...diagnostics, ...(look && facts ? whatBreaks(look, facts) : [])];
    if (!hasErrors(found)) continue;
    const said = found.map((one) => named(host, one));
    return context.fail(said, EXIT.failed, { valid: false, host, file });
  }
  if (context.options.json) context.sayJson({ valid: true, hosts: files.length, diagnostics: [] });
  else context.say(`${context.options.file} fits ${files.length === 1 ? "the host" : `all ${files.length} hosts`}.`);
  return EXIT.ok;
}

/** A host and its plan; `look` is absent where there is none. */
interface Planned {
  host: string;
  facts?: HostFacts;
  look?: Look;
  diagnostics: Diagnostic[];
}

async function planOne(context: Context, config: Config, file: string): Promise<Planned> {
  const { value: facts, diagnostics } = await readFacts(context, file);
  if (!facts) return { host: file, diagnostics };
  const outcome = await planForFacts(config, facts);
  return { host: facts.host, facts, ...(outcome.look ? { look: outcome.look } : {}), diagnostics: outcome.diagnostics };
}

/** What would not work on the host though the file is right. */
function whatBreaks({ plan, facts: { links } }: Look, { picture }: HostFacts): Diagnostic[] {
  const inTheWay = plan.blocked.filter(({ why }) => why === "foreign");
  const lost = findLostWays(picture, afterSteps(picture, plan.steps));
  return [
    ...inTheWay.map(({ desired, waitsFor, hint }): Diagnostic => ({
      code: "in-the-way",
      severity: "error",
      summary: `${waitsFor} is in the way, and not heddle's`,
      ...(hint === undefined ? {} : { detail: `${hint}.` }),
      ...(desired.from[0] ? { range: desired.from[0] } : {}),
    })),
    ...lost.map(({ to, before, after }): Diagnostic => ({
      code: "way-lost",
      severity: "error",
      summary: `what goes to ${to} ${before} now, and ${after} then`,
      detail: "The plan takes a default route's way away.",
      remedy: "Leave main its default route, or let the rules of the file ask for less.",
    })),
    ...(links.length === 0 ? [{ code: "no-links", severity: "error", summary: "the host has no links" } as const] : []),
  ];
}

/** The diagnostic with the name of its host, which may be in it already. */
function named(host: string, diagnostic: Diagnostic): Diagnostic {
  const { summary } = diagnostic;
  return summary.startsWith(host) ? diagnostic : { ...diagnostic, summary: `${host}: ${summary}` };
}

function sayHosts(names: readonly string[]): string {
  if (names.length <= MOST_NAMES) return names.join(", ");
  return `${names.slice(0, MOST_NAMES - 1).join(", ")} and ${names.length - MOST_NAMES + 1} more`;
}

/** The exit code of all: failed before changes before waiting. */
function gravest(codes: readonly ExitCode[]): ExitCode {
  return [EXIT.failed, EXIT.changes, EXIT.waiting].find((code) => codes.includes(code)) ?? EXIT.ok;
}
