// Owns the commands about labs that stand: up, down, list.
import { readFile } from "node:fs/promises";
import { hasErrors, type Diagnostic } from "../model/diagnostic.ts";
import { LAB_EXIT } from "./lab-exit.ts";
import { LabError } from "./lab-error.ts";
import { upLab } from "./lab.ts";
import { scenarioTitle } from "./scenario.ts";
import { listState, readState } from "./state.ts";
import { takeDown } from "./take-down.ts";
import { readTopology, type Topology } from "./topology.ts";

/** What the commands speak with. */
export interface LabConsole {
  /** A line of results: to standard output. */
  say(text: string): void;
  /** A line of progress or complaint: to standard error. */
  remark(text: string): void;
  render(diagnostics: readonly Diagnostic[], source: { file: string; text: string }): string;
  /** Words that run heddle inside a host. */
  heddle: readonly string[];
  /** Aborts when the process was asked to end. */
  signal: AbortSignal;
}

/** Reads a topology file; complains and gives undefined when it is wrong. LabError when it cannot be read. */
export async function loadTopology(terminal: LabConsole, file: string): Promise<Topology | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new LabError(`cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const { value, diagnostics } = readTopology(text, file);
  if (diagnostics.length > 0) terminal.remark(terminal.render(diagnostics, { file, text }));
  return hasErrors(diagnostics) ? undefined : value;
}

/** `lab up FILE` */
export async function upCommand(
  terminal: LabConsole,
  file: string,
  options: { name?: string; json?: true },
): Promise<number> {
  const topology = await loadTopology(terminal, file);
  if (!topology) return LAB_EXIT.failed;
  if (process.geteuid?.() !== 0) {
    throw new LabError("a lab that stays takes root", {
      remedy: '"heddle lab run" needs no root: it makes a user namespace for itself, and the lab ends with it.',
    });
  }
  const began = performance.now();
  const lab = await upLab(topology, {
    ...(options.name !== undefined && { name: options.name }),
    signal: terminal.signal,
  });
  terminal.remark(`${lab.name} is up (${seconds(performance.now() - began)})`);
  const hosts = lab.hosts.map((host) => ({ host, netns: lab.netns(host) }));
  if (options.json) terminal.say(JSON.stringify({ name: lab.name, hosts, switch: lab.switchNetns }));
  else for (const { host, netns } of hosts) terminal.say(`${host}: nsenter --net=${netns}`);
  return LAB_EXIT.passed;
}

/** `lab down FILE` or `lab down --name NAME` */
export async function downCommand(
  terminal: LabConsole,
  file: string | undefined,
  options: { name?: string; json?: true },
): Promise<number> {
  const name = options.name ?? (file === undefined ? undefined : (await loadTopology(terminal, file))?.name);
  if (name === undefined) {
    terminal.remark("error: say which lab, by its file or with --name (heddle lab list tells what there is)");
    return file === undefined ? LAB_EXIT.usage : LAB_EXIT.failed;
  }
  const removed = await takeDown(name);
  if (options.json) terminal.say(JSON.stringify({ name, removed }));
  else terminal.remark(removed ? `${name} is down` : `there is no lab ${name}`);
  return LAB_EXIT.passed;
}

/** `lab list` and `lab list FILE` */
export async function listCommand(
  terminal: LabConsole,
  file: string | undefined,
  options: { json?: true },
): Promise<number> {
  if (file === undefined) {
    const records = (await Promise.all((await listState()).map(readState))).filter((record) => record !== undefined);
    const labs = records.map(({ name, topology, namespaces }) => ({ name, topology, namespaces }));
    if (options.json) terminal.say(JSON.stringify(labs));
    else
      for (const { name, topology, namespaces } of labs)
        terminal.say(`${name}  ${namespaces.length - 1} hosts  ${topology}`);
    return LAB_EXIT.passed;
  }
  const topology = await loadTopology(terminal, file);
  if (!topology) return LAB_EXIT.failed;
  const scenarios = topology.scenarios.map(({ name, about, parameters, steps }) => ({
    name,
    about,
    parameters,
    steps: steps.length,
  }));
  if (options.json) terminal.say(JSON.stringify(scenarios));
  else for (const scenario of scenarios) terminal.say(`${scenarioTitle(scenario)}  ${scenario.about ?? ""}`.trimEnd());
  return LAB_EXIT.passed;
}

/** "0.12 s" of milliseconds. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
