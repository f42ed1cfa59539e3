// Owns the measuring of what spreading costs a packet, beside its peers, in one run: rounds in random order, every
// contestant with namespaces of its own that stand from the beginning. Run it with `make bench-spread`, as root.
import { readFileSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { timerLatenessMs } from "./measure.ts";
import { machine, shuffled } from "./report-spread.ts";
import { SPREAD_CONTESTANTS, SPREAD_GOALS } from "./spread-contestants.ts";
import { SpreadBenchStand } from "./spread-stand.ts";
import { summarize } from "./statistics.ts";
import type { Summary } from "./statistics.ts";

const quick = process.argv.includes("--quick");
// `--only WORDS`: those whose name holds the words, for a look at one thing; nothing is kept then.
const only = process.argv.includes("--only") ? process.argv.at(-1) : undefined;
const rounds = quick ? 4 : only === undefined ? 40 : 15;
const packets = quick ? 30_000 : 100_000;
const contestants = SPREAD_CONTESTANTS.filter(({ name }) => only === undefined || new RegExp(only).test(name));
const say = (text: string): void => void process.stderr.write(text);

say("Building the stand…\n");
const stands = new Map<string, SpreadBenchStand>();
using standing = new DisposableStack();
for (const contestant of contestants) {
  const stand = standing.use(new SpreadBenchStand(stands.size));
  stands.set(contestant.name, stand);
  await contestant.prepare(stand.router);
}
// Everything once, unmeasured; and whether what was sent came, by the links that were meant.
const shares: Record<string, string> = {};
for (const { name, links } of contestants) {
  const stand = stands.get(name) as SpreadBenchStand;
  stand.send(5000);
  const before = stand.received();
  const { packets: sent } = stand.send(packets);
  const came = stand.received().map((count, i) => count - (before[i] ?? 0));
  const total = came.reduce((sum, count) => sum + count, 0);
  shares[name] = came.map((count) => `${Math.round((100 * count) / Math.max(total, 1))} %`).join(" / ");
  // A few packets of the hosts' own come as well.
  const some = (count: number): boolean => count > 0.001 * sent;
  const right = links === 0 ? !some(total) : total > 0.999 * sent && came.filter(some).length === links;
  if (!right) throw new Error(`${name}: of ${sent} packets ${came.join(" and ")} came`);
}

const samples: Record<string, number[]> = {};
const lateness: number[] = [];
for (let round = 0; round < rounds; round++) {
  say(`\rRound ${round + 1} of ${rounds} `);
  lateness.push(await timerLatenessMs());
  for (const [name, stand] of shuffled([...stands])) {
    const { cpuNs, packets: sent } = stand.send(packets);
    (samples[name] ??= []).push(cpuNs / sent);
  }
}
say("\n");

const found = Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, summarize(values)]));
const late = summarize(lateness);
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
const date = new Date().toISOString().slice(0, 10);
const measured = SPREAD_GOALS.filter(({ row, than }) => samples[row] && samples[than]);
const goals = measured.map(({ row, than, atLeast }) => {
  // How many times as fast, within a round.
  const ratio = summarize((samples[row] ?? []).map((own, i) => (samples[than]?.[i] ?? NaN) / own));
  return { row, than, atLeast, ratio, met: ratio.low >= atLeast };
});
const base = samples["single route"] ?? [];
const table = [
  `${machine()}.`,
  `${rounds} rounds of ${packets} packets; the worst of ten timers was ${late.median.toFixed(1)} ms late in the median round.`,
  "",
  "| row | CPU ns a packet, median (95 %) | speed against a single route | by link |",
  "|---|--:|--:|--:|",
  ...Object.entries(found).map(([name, summary]) => {
    const speed = summarize((samples[name] ?? []).map((own, i) => (base[i] ?? NaN) / own));
    return `| ${name} | ${ns(summary)} | ${speed.median.toFixed(2)} | ${shares[name]} |`;
  }),
  "",
  "| goal | found, median (95 %) | |",
  "|---|--:|---|",
  ...goals.map(({ row, than, atLeast, ratio, met }) => {
    const times = `${ratio.median.toFixed(3)} (${ratio.low.toFixed(3)}–${ratio.high.toFixed(3)})`;
    return `| ${row}: at least ${atLeast} times the speed of "${than}" | ${times} | ${met ? "met" : "not shown"} |`;
  }),
  "",
].join("\n");
process.stdout.write(table);
if (!quick && only === undefined) {
  const name = `bench/results/spread-${date}-${commit}.json`;
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === "number" ? Math.round(value * 100) / 100 : value;
  writeFileSync(
    name,
    `${JSON.stringify({ machine: machine(), rounds, packets, lateness, goals, samples }, rounded)}\n`,
  );
  const [page, begin, end] = [readFileSync("docs/SPREAD.md", "utf8"), "<!-- cost -->", "<!-- end of cost -->"];
  const [before] = page.split(begin);
  writeFileSync("docs/SPREAD.md", `${before}${begin}\n\n${table}\n${end}${page.split(end)[1] ?? ""}`);
  say(`Kept in ${name} and docs/SPREAD.md.\n`);
}

function ns({ median, low, high }: Summary): string {
  return `${median.toFixed(0)} (${low.toFixed(0)}–${high.toFixed(0)})`;
}
