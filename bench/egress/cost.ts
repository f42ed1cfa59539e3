// Owns the bench of what egress costs: rounds in random order, the table, the file of results. Run it with `make bench`.
import { keepRun, circumstances } from "../keep.ts";
import { timerLatenessMs } from "../measure.ts";
import { shuffled } from "../statistics.ts";
import type { Sample } from "../measure.ts";
import { APPLIES, apply } from "./apply.ts";
import { judgeCost, renderCost, rowName } from "./report.ts";
import type { CostResults, Loads } from "./report.ts";
import { CONTESTANTS, load, upStand } from "./stand.ts";
import type { Sender } from "./stand.ts";

const quick = process.argv.includes("--quick");
const rounds = quick ? 3 : 30;
/** How long each kind of load lasts. */
const LOAD_MS = quick ? 30 : 80;
const say = (text: string): void => void process.stderr.write(text);

say("Building the stand of egress…\n");
await using lab = await upStand();
const all = CONTESTANTS.flatMap(({ name }, index) =>
  (["chosen", "other"] as const).map((sender: Sender) => ({ index, sender, row: rowName(name, sender) })),
);
const samples: Loads = {};
const applies: Record<string, Sample[]> = {};
/** Whole processes are asked in every third round. */
const EVERY = 3;
const lateness: number[] = [];
for (let round = 0; round < rounds; round++) {
  say(`\rRound ${round + 1} of ${rounds} `);
  lateness.push(await timerLatenessMs());
  for (const { index, sender, row } of shuffled(all)) {
    (samples[row] ??= []).push(await load(lab, index, sender, LOAD_MS));
  }
  if (round % EVERY > 0) continue;
  for (const row of shuffled(APPLIES)) (applies[row] ??= []).push(await apply(lab, row));
}
say("\n");

const results: CostResults = { ...circumstances(rounds, lateness), goals: judgeCost(samples), samples, applies };
const table = renderCost(results);
process.stdout.write(table);
if (!quick) say(`Kept in ${keepRun("egress", results, table)} and docs/BENCHMARKS.md.\n`);
