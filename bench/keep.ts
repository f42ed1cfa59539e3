// Owns what is kept of a run: what it ran on, every single measurement in a file, and its table in docs/BENCHMARKS.md.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { summarize } from "./statistics.ts";

/** What a run ran on, and when. */
export interface Circumstances {
  machine: { cpu: string; cores: number; kernel: string };
  node: string;
  commit: string;
  date: string;
  rounds: number;
  /** Of each round, how late timers were, in milliseconds. */
  latenessMs: number[];
}

/** Those of this run. */
export function circumstances(rounds: number, latenessMs: number[]): Circumstances {
  return {
    machine: { cpu: cpus()[0]?.model.trim() ?? "unknown", cores: cpus().length, kernel: release() },
    node: process.version,
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
    date: new Date().toISOString().slice(0, 10),
    rounds,
    latenessMs,
  };
}

/** The same in two lines of Markdown. */
export function renderCircumstances(run: Circumstances): string[] {
  const { machine, latenessMs, rounds } = run;
  const late = summarize(latenessMs).median.toFixed(1);
  const busy = latenessMs.filter((ms) => ms > 5).length;
  return [
    `${machine.cpu}, ${machine.cores} cores, kernel ${machine.kernel}, Node ${run.node}, commit ${run.commit}, ${run.date}.`,
    `${rounds} rounds; the worst of ten timers was ${late} ms late in the median round, and more than 5 ms in ${busy} of them.`,
  ];
}

/** Keeps a run below bench/results, and its table between the page's two comments of the name. Returns the file's path. */
export function keepRun(name: string, run: Circumstances, table: string): string {
  const prefix = name === "table" ? "" : `${name}-`;
  const path = `bench/results/${prefix}${run.date}-${run.commit}.json`;
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === "number" ? Math.round(value * 100) / 100 : value;
  writeFileSync(path, `${JSON.stringify(run, rounded)}\n`);
  const page = readFileSync("docs/BENCHMARKS.md", "utf8");
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [before, rest = ""] = page.split(begin);
  writeFileSync("docs/BENCHMARKS.md", `${before}${begin}\n\n${table}\n${end}${rest.split(end)[1] ?? ""}`);
  return path;
}
