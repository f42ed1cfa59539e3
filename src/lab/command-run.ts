// Owns `heddle lab run`: scenarios of a file, each in a fresh lab, with their reports.
import { nearest } from "../model/nearest.ts";
import { LAB_EXIT } from "./lab-exit.ts";
import { loadTopology, seconds, type LabConsole } from "./command-stand.ts";
import { runScenario, scenarioTitle, stepLines, type ScenarioReport } from "./scenario.ts";
import type { Scenario, Topology } from "./topology.ts";
import { runInUserNamespace } from "./user-namespace.ts";

/** `lab run FILE` */
export async function runCommand(
  terminal: LabConsole,
  file: string,
  options: { name?: string; scenario?: string[]; keep?: true; json?: true },
): Promise<number> {
  const topology = await loadTopology(terminal, file);
  if (!topology) return LAB_EXIT.failed;
  const scenarios = chooseScenarios(terminal, topology, options.scenario);
  if (!scenarios) return LAB_EXIT.usage;
  if (process.geteuid?.() !== 0) {
    if (!options.keep) return runInUserNamespace([process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
    terminal.remark("error: --keep takes root: without it the lab lives in a user namespace that ends with the run");
    return LAB_EXIT.usage;
  }
  const reports: ScenarioReport[] = [];
  for (const [index, scenario] of scenarios.entries()) {
    const last = index === scenarios.length - 1;
    const show = (line: string): void => (options.json ? terminal.remark(line) : terminal.say(line));
    show(scenarioTitle(scenario));
    const report = await runScenario(topology, scenario, {
      ...(options.name !== undefined && { name: options.name }),
      heddle: terminal.heddle,
      signal: terminal.signal,
      transient: options.keep !== true,
      keep: (passed) => options.keep === true && (last || !passed),
      onStep: (step) => stepLines(step).forEach((line) => show(`  ${line}`)),
    });
    reports.push(report);
    show(`${report.passed ? "passed" : "FAILED"} in ${seconds(report.ms)} (lab up in ${seconds(report.upMs)})`);
    if (options.keep && (last || !report.passed)) {
      const name = options.name ?? topology.name;
      terminal.remark(`${name} stands; remove it with: heddle lab down --name ${name}`);
      break;
    }
  }
  const passed = reports.every((report) => report.passed);
  if (options.json) terminal.say(JSON.stringify({ lab: topology.name, passed, scenarios: reports }));
  else if (scenarios.length > 1) terminal.say(summary(reports));
  return passed ? LAB_EXIT.passed : LAB_EXIT.failed;
}

function chooseScenarios(
  terminal: LabConsole,
  topology: Topology,
  names: string[] | undefined,
): Scenario[] | undefined {
  const known = [...new Set(topology.scenarios.map(({ name }) => name))];
  if (known.length === 0) {
    terminal.remark(`error: ${topology.file} has no scenarios`);
    return undefined;
  }
  for (const name of names ?? []) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    const hint = meant === undefined ? `There is: ${known.join(", ")}.` : `Did you mean ${meant}?`;
    terminal.remark(`error: there is no scenario ${name}. ${hint}`);
    return undefined;
  }
  return topology.scenarios.filter(({ name }) => names === undefined || names.includes(name));
}

function summary(reports: readonly ScenarioReport[]): string {
  const failed = reports.filter((report) => !report.passed);
  const names = failed.map(({ scenario, parameters }) => scenarioTitle({ name: scenario, parameters }));
  const count = `${reports.length - failed.length} of ${reports.length} scenarios passed`;
  return names.length > 0 ? `${count}; failed: ${names.join(", ")}` : count;
}
