// Owns the measuring of how even links become: the controller on a model of flows, with published distributions of flow
// sizes, by many seeds. `node bench/evenness.ts` writes the table of docs/SPREAD.md.
import { readFileSync, writeFileSync } from "node:fs";
import { leastUnevenness, simulate, unevenness } from "../src/spread/simulation.ts";
import { Random } from "../test/random.ts";

const SEEDS = 20;

/** Cumulative distributions, as size and part of the flows that are not larger; sizes in packets of 1,460 bytes. */
const WEB_SEARCH = [
  [1, 0],
  [6, 0.15],
  [13, 0.2],
  [19, 0.3],
  [33, 0.4],
  [53, 0.53],
  [133, 0.6],
  [667, 0.7],
  [1333, 0.8],
  [3333, 0.9],
  [6667, 0.97],
  [20_000, 1],
] as const;
const DATA_MINING = [
  [1, 0.5],
  [2, 0.6],
  [3, 0.7],
  [7, 0.8],
  [267, 0.9],
  [2107, 0.95],
  [66_667, 0.99],
  [666_667, 1],
] as const;

function drawFrom(table: readonly (readonly [size: number, part: number])[], chance: number): number {
  const after = Math.max(
    1,
    table.findIndex(([, part]) => part >= chance),
  );
  const [low, high] = [table[after - 1] ?? [1, 0], table[after] ?? [1, 1]];
  const part = (chance - low[1]) / Math.max(high[1] - low[1], 1e-9);
  return low[0] + Math.max(0, Math.min(1, part)) * (high[0] - low[0]);
}

const DISTRIBUTIONS: Record<string, (chance: number) => number> = {
  "Pareto 1.2": (chance) => (1 - chance) ** (-1 / 1.2),
  "web search": (chance) => drawFrom(WEB_SEARCH, chance),
  "data mining": (chance) => drawFrom(DATA_MINING, chance),
};

const rows: string[] = [];
for (const [name, draw] of Object.entries(DISTRIBUTIONS)) {
  for (const links of [2, 8]) {
    for (const flows of [16, 64, 512]) {
      const found = { load: [] as number[], hash: [] as number[] };
      const moves: number[] = [];
      const buckets: number[] = [];
      for (let seed = 1; seed <= SEEDS; seed++) {
        const random = new Random(1000 * seed + flows + links);
        const sizes = Array.from({ length: flows }, () => 1e5 * draw(random.next()));
        const members = Array.from({ length: links }, (_, i) => ({ number: i + 1, weight: 1 }));
        const all = sizes.map((rate) => ({ bucket: random.below(1024), rate, pauseEveryMs: 333 }));
        const least = leastUnevenness(sizes, links);
        const inBucket = Map.groupBy(all, ({ bucket }) => bucket);
        const together = [...inBucket.values()].map((own) => own.reduce((sum, { rate }) => sum + rate, 0));
        buckets.push(leastUnevenness(together, links) / least);
        for (const by of ["load", "hash"] as const) {
          const how = { flows: all, members, by, windowMs: 100, windows: 200, counted: 50 };
          const end = simulate({ ...how, chance: () => random.next() });
          found[by].push(unevenness(end.carried, members) / least);
          if (by === "load") moves.push(end.moves);
        }
      }
      const at = (values: readonly number[], part: number): string =>
        (values.toSorted((a, b) => a - b)[Math.round(part * (values.length - 1))] ?? NaN).toFixed(2);
      rows.push(
        `| ${name} | ${links} | ${flows} | ${at(found.load, 0.5)} | ${at(found.load, 1)} | ${at(buckets, 1)} | ${at(found.hash, 0.5)} | ${at(found.hash, 1)} | ${at(moves, 0.5).replace(/\..*/, "")} |`,
      );
      process.stderr.write(`${rows.at(-1)}\n`);
    }
  }
}
const table = [
  `${SEEDS} seeds, 20 s of which the last 5 count; 1.00 is the best that whole flows allow. Flows in one bucket stay together: what that allows in the seed where it allows least is told too.`,
  "",
  "| sizes | links | flows | by load, median | worst seed | that buckets allow | by hash, median | worst seed | moves, median |",
  "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
  ...rows,
  "",
].join("\n");
const [page, begin, end] = [readFileSync("docs/SPREAD.md", "utf8"), "<!-- evenness -->", "<!-- end of evenness -->"];
const [before] = page.split(begin);
writeFileSync("docs/SPREAD.md", `${before}${begin}\n\n${table}\n${end}${page.split(end)[1] ?? ""}`);
