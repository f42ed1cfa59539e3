// Owns the bench: rounds in random order, the table, the file of results. Run it with `make bench`.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { timerLatenessMs } from "./measure.ts";
import type { Sample } from "./measure.ts";
import { judge } from "./report.ts";
import type { Results } from "./report.ts";
import { renderTable } from "./report.ts";
import { contestants, GOALS } from "./rows.ts";
import { Stand } from "./stand.ts";

const quick = process.argv.includes("--quick");
const rounds = quick ? 3 : 30;
const say = (text: string): void => void process.stderr.write(text);

say("Building the stand…\n");
using stand = new Stand();
await stand.build();
const all = contestants(stand);
// Everything once, unmeasured: files and code are in the machine's memory for all alike.
for (const one of all) one.run();

const samples: Record<string, Sample[]> = {};
const lateness: number[] = [];
for (let round = 0; round < rounds; round++) {
  say(`\rRound ${round + 1} of ${rounds} `);
  lateness.push(await timerLatenessMs());
  for (const one of shuffled(all)) {
    if (round % one.every !== 0) continue;
    for (const [row, sample] of Object.entries(one.run())) (samples[row] ??= []).push(sample);
  }
}
say("\n");

const results: Results = {
  machine: { cpu: cpus()[0]?.model.trim() ?? "unknown", cores: cpus().length, kernel: release() },
  node: process.version,
  commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
  date: new Date().toISOString().slice(0, 10),
  rounds,
  latenessMs: lateness,
  goals: GOALS.map((goal) => judge(goal, samples)),
  samples,
};
const table = renderTable(results);
process.stdout.write(table);
if (!quick) {
  const name = `bench/results/${results.date}-${results.commit}.json`;
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === "number" ? Math.round(value * 100) / 100 : value;
  writeFileSync(name, `${JSON.stringify(results, rounded)}\n`);
  const page = readFileSync("docs/BENCHMARKS.md", "utf8");
  const [before] = page.split("<!-- table -->");
  const after = page.split("<!-- end of table -->")[1] ?? "";
  writeFileSync("docs/BENCHMARKS.md", `${before}<!-- table -->\n\n${table}\n<!-- end of table -->${after}`);
  say(`Kept in ${name} and docs/BENCHMARKS.md.\n`);
}

function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0] as T);
}
