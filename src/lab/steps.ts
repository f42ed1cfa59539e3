// Owns what each kind of step does to a standing lab.
import { waitFor, type Ended } from "./child.ts";
import { missed, quoteOutput } from "./expect.ts";
import type { Verdict } from "./judge.ts";
import type { Lab } from "./lab.ts";
import { tryPairs } from "./matrix.ts";
import { countPairs, missedPairs, pairTable } from "./pair-table.ts";
import { isStep, splitWords, type Step, type StepOf } from "./step-schema.ts";
import { sysctlArgument } from "./batches.ts";
import { tryWays } from "./try-ways.ts";
import { missedWays, wayTable } from "./ways.ts";

/** What came of a step. It has passed when `problems` is empty. */
export interface StepResult {
  /** One line that says what the step did. */
  text: string;
  problems: string[];
  /** Lines to show with it: output of a failed program, the table of pairs. */
  lines: string[];
  pairs?: Verdict[];
}

export interface StepContext {
  lab: Lab;
  /** The words that run heddle, to which a `heddle` step adds its own. */
  heddle: readonly string[];
  signal?: AbortSignal;
}

/** Performs a step. What an expectation misses is in the result; LabError when a step could not be performed. */
export async function performStep(step: Step, context: StepContext): Promise<StepResult> {
  const { lab, signal } = context;
  if (isStep(step, "say")) return { text: step.say, problems: [], lines: [] };
  if (isStep(step, "run")) return performRun(step, context);
  if (isStep(step, "heddle")) return performHeddle(step, context);
  if (isStep(step, "wait")) return performWait(step, context);
  if (isStep(step, "pairs")) return performPairs(step, context);
  if (isStep(step, "ways")) return performWays(step, context);
  if (isStep(step, "link")) {
    const { host, name, state } = step.link;
    await lab.setLink(host, name, state);
    return done(`${name} of ${host}: ${state}`);
  }
  if (isStep(step, "flush")) {
    await lab.flushNeighbours(step.on === "all" ? undefined : step.on);
    return done(`neighbour tables of ${step.on} emptied`);
  }
  if (isStep(step, "sysctls")) {
    const settings = Object.entries(step.sysctls).map(([key, value]) => sysctlArgument(key, value));
    const text = `sysctls of ${step.on}: ${settings.join(" ")}`;
    return everywhere(lab, step.on, text, async (host) =>
      judgeEnd(await lab.exec(host, ["sysctl", "-q", "-w", ...settings], signal ? { signal } : {}), undefined),
    );
  }
  const { on, as, cgroup, listens, says } = step.serve;
  const { argv, name } = programOf(step.serve, context);
  await lab.spawn(on, argv, {
    ...(as !== undefined && { as }),
    ...(cgroup !== undefined && { cgroup }),
    ...(listens !== undefined && { listens }),
    ...(says !== undefined && { says: new RegExp(says, "m") }),
    ...(signal && { signal }),
  });
  return done(`${on}: ${name} serves`);
}

async function performRun(step: StepOf<"run">, { lab, signal }: StepContext): Promise<StepResult> {
  const argv = splitWords(step.run);
  const place = step.cgroup === undefined ? step.on : `${step.on} (${step.cgroup})`;
  const who = step.as === undefined ? place : `${step.as} on ${place}`;
  return everywhere(lab, step.on, `${who}: ${argv.join(" ")}`, async (host) => {
    const ended = await lab.exec(host, argv, {
      ...(step.as !== undefined && { as: step.as }),
      ...(step.cgroup !== undefined && { cgroup: step.cgroup }),
      ...(step.input !== undefined && { input: step.input }),
      ...(step.withinMs !== undefined && { timeoutMs: step.withinMs }),
      ...(signal && { signal }),
    });
    return judgeEnd(ended, step.expect, step.show);
  });
}

async function performHeddle(step: StepOf<"heddle">, { lab, heddle, signal }: StepContext): Promise<StepResult> {
  const words = splitWords(step.heddle);
  return everywhere(lab, step.on, `${step.on}: heddle ${words.join(" ")}`, async (host) => {
    const argv = [...heddle, ...words, "-f", lab.configOf(host)];
    const timeout = step.withinMs === undefined ? {} : { timeoutMs: step.withinMs };
    return judgeEnd(await lab.exec(host, argv, { ...timeout, ...(signal && { signal }) }), step.expect, step.show);
  });
}

/** The program of a step that has one or heddle, and what it is called. */
function programOf(
  { run, heddle = [], on }: StepOf<"wait">["wait"] | StepOf<"serve">["serve"],
  context: StepContext,
): { argv: string[]; name: string } {
  if (run !== undefined) {
    const argv = splitWords(run);
    return { argv, name: argv.join(" ") };
  }
  const words = splitWords(heddle);
  return { argv: [...context.heddle, ...words, "-f", context.lab.configOf(on)], name: `heddle ${words.join(" ")}` };
}

async function performWait({ wait }: StepOf<"wait">, context: StepContext): Promise<StepResult> {
  const { lab, signal } = context;
  const { argv, name } = programOf(wait, context);
  const text = `${wait.on}: wait for ${name}`;
  const options = { ...(wait.as !== undefined && { as: wait.as }), ...(signal && { signal }) };
  let last: Ended | undefined;
  try {
    await waitFor(
      text,
      async () => {
        last = await lab.exec(wait.on, argv, options);
        return missed(wait.until, last).length === 0 ? true : undefined;
      },
      { signal, ...(wait.withinMs !== undefined && { withinMs: wait.withinMs }) },
    );
    return done(text);
  } catch (error) {
    if (signal?.aborted || !last) throw error;
    const clauses = missed(wait.until, last);
    const problem = `not within ${(wait.withinMs ?? 30_000) / 1000} s: ${clauses.join("; ")}`;
    return { text, problems: [problem], lines: quoteOutput(last) };
  }
}

async function performPairs(step: StepOf<"pairs">, { lab, signal }: StepContext): Promise<StepResult> {
  const verdicts = await tryPairs(lab, step.pairs, signal);
  const { pairs, right, answered } = countPairs(verdicts);
  const names = Object.entries(step.pairs.between).map(([host, links]) => `${host} (${links.join(", ")})`);
  const text = `pairs of ${names.join(" and ")}: ${answered} of ${pairs} answered, ${right} right`;
  return { text, problems: missedPairs(verdicts, step.expect), lines: pairTable(verdicts), pairs: verdicts };
}

async function performWays(step: StepOf<"ways">, { lab, signal }: StepContext): Promise<StepResult> {
  const seen = await tryWays(lab, step, signal);
  const text = `ways of ${step.ways.as.join(", ")} on ${step.ways.from} to ${[step.ways.to].flat().join(", ")}`;
  return { text, problems: missedWays(seen, step.expect), lines: wayTable(seen) };
}

/** Does something on one host or on all of them at once; the problems of each are told with its name. */
async function everywhere(
  lab: Lab,
  on: string,
  text: string,
  effect: (host: string) => Promise<Pick<StepResult, "problems" | "lines">>,
): Promise<StepResult> {
  if (on !== "all") return { text, ...(await effect(on)) };
  const results = await Promise.all(lab.hosts.map(async (host) => ({ host, ...(await effect(host)) })));
  return {
    text,
    problems: results.flatMap(({ host, problems }) => problems.map((problem) => `${host}: ${problem}`)),
    lines: results.flatMap(({ host, lines }) => lines.map((line) => `${host}: ${line}`)),
  };
}

function judgeEnd(
  ended: Ended,
  expectation: StepOf<"run">["expect"],
  show = false,
): Pick<StepResult, "problems" | "lines"> {
  const problems = missed(expectation, ended);
  if (problems.length > 0) return { problems, lines: quoteOutput(ended) };
  return { problems, lines: show ? ended.stdout.trimEnd().split("\n") : [] };
}

function done(text: string): StepResult {
  return { text, problems: [], lines: [] };
}
