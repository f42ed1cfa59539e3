// Owns the bench: rounds in random order, the table, the file of results. Run it with `make bench`.
import { circumstances, keepRun } from "./keep.ts";
import { timerLatenessMs } from "./measure.ts";
import type { Sample } from "./measure.ts";
import { judge } from "./report.ts";
import type { Results } from "./report.ts";
import { renderTable } from "./report.ts";
import { contestants, GOALS } from "./rows.ts";
import { shuffled } from "./statistics.ts";
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
  ...circumstances(rounds, lateness),
  goals: GOALS.map((goal) => judge(goal, samples)),
  samples,
};
const table = renderTable(results);
process.stdout.write(table);
if (!quick) say(`Kept in ${keepRun("table", results, table)} and docs/BENCHMARKS.md.\n`);
