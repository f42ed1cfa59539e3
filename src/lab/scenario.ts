// Owns the run of scenarios: each in a fresh lab, its steps in order, up to the first that fails.
import { explainError, placeText } from "./lab-error.ts";
import { upLab, type Lab } from "./lab.ts";
import { performStep, type StepResult } from "./steps.ts";
import type { Scenario, Topology } from "./topology.ts";

/** A step's result with its time in milliseconds and its place in the file. */
export interface StepReport extends StepResult {
  place: string;
  ms: number;
}

export interface ScenarioReport {
  scenario: string;
  parameters: Record<string, string>;
  passed: boolean;
  /** Building of the lab, in milliseconds. */
  upMs: number;
  /** Everything, with the removal of the lab, in milliseconds. */
  ms: number;
  steps: StepReport[];
}

export interface ScenarioOptions {
  /** Instance name of the lab; the default is the topology's name. */
  name?: string;
  heddle: readonly string[];
  signal?: AbortSignal;
  /** See UpOptions. */
  transient?: boolean;
  /** Whether the lab of this run is left standing, asked when its steps are over. */
  keep?: (passed: boolean) => boolean;
  /** Told as soon as there is something to tell. */
  onStep?: (report: StepReport) => void;
}

/**
 * Runs a scenario in a lab of its own, which is removed afterwards. A step that cannot be performed fails like one whose
 * expectation is missed. LabError when the lab cannot be built; the signal's reason when it aborts.
 */
export async function runScenario(
  topology: Topology,
  scenario: Scenario,
  options: ScenarioOptions,
): Promise<ScenarioReport> {
  const began = performance.now();
  const { name, signal, transient = false } = options;
  const lab = await upLab(topology, { ...(name !== undefined && { name }), ...(signal && { signal }), transient });
  const upMs = performance.now() - began;
  let steps: StepReport[] = [];
  let passed = false;
  try {
    steps = await runSteps(lab, scenario, options);
    passed = steps.every(({ problems }) => problems.length === 0);
  } finally {
    if (signal?.aborted || !options.keep?.(passed)) await lab.down();
  }
  const ms = performance.now() - began;
  return { scenario: scenario.name, parameters: scenario.parameters, passed, upMs, ms, steps };
}

async function runSteps(lab: Lab, scenario: Scenario, options: ScenarioOptions): Promise<StepReport[]> {
  const { signal, heddle } = options;
  const reports: StepReport[] = [];
  for (const { step, range } of scenario.steps) {
    const began = performance.now();
    let result: StepResult;
    try {
      result = await performStep(step, { lab, heddle, ...(signal && { signal }) });
    } catch (error) {
      signal?.throwIfAborted();
      result = { text: `${Object.keys(step)[0]} step`, problems: explainError(error).split("\n"), lines: [] };
    }
    const report = { ...result, place: placeText(range), ms: performance.now() - began };
    reports.push(report);
    options.onStep?.(report);
    if (report.problems.length > 0) break;
  }
  return reports;
}

/** "before (rp_filter 1)" */
export function scenarioTitle({ name, parameters }: Pick<Scenario, "name" | "parameters">): string {
  const values = Object.entries(parameters).map(([key, value]) => `${key} ${value}`);
  return values.length > 0 ? `${name} (${values.join(", ")})` : name;
}

/** A step's report as lines: a mark, what it did, what is wrong, what there is to see. */
export function stepLines(report: StepReport): string[] {
  const bad = report.problems.length > 0;
  const head = `${bad ? "✗" : "✓"} ${report.text}`;
  const problems = report.problems.map((problem) => `    ${problem}`);
  return [head, ...problems, ...(bad ? [`    at ${report.place}`] : []), ...report.lines.map((line) => `    ${line}`)];
}
