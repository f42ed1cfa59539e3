// Owns the measuring of what passing frames on costs, beside a single route and the way through packets, when frames come
// as network cards bring them. Rounds in random order; run it with `make bench-spread`, as root.
import { readFileSync, writeFileSync } from "node:fs";
import { FramesStand } from "./frames-stand.ts";
import { machine, shuffled } from "./report-spread.ts";
import { timerLatenessMs } from "./measure.ts";
import { summarize } from "./statistics.ts";
import type { BenchRouter } from "./router.ts";

const quick = process.argv.includes("--quick");
const rounds = quick ? 4 : 40;
const frames = quick ? 40_000 : 200_000;
const say = (text: string): void => void process.stderr.write(text);

const SINGLE = "single route";
const FRAMES = "heddle, fast by hash, frames";
const CONTESTANTS: readonly { name: string; links: number; prepare(router: BenchRouter): void }[] = [
  { name: SINGLE, links: 1, prepare: () => {} },
  {
    name: "ECMP, policy 1",
    links: 2,
    prepare: (router) => router.ip("route replace 10.0.2.0/24 nexthop dev ib1 nexthop dev ib2"),
  },
  {
    name: "heddle, fast by hash, packets",
    links: 2,
    prepare(router) {
      // No frames are passed on from a link of large ones.
      router.ip("link set ib0 mtu 9000");
      router.heddle("mechanism: fast", "by: hash");
    },
  },
  { name: FRAMES, links: 2, prepare: (router) => router.heddle("mechanism: fast", "by: hash") },
];
const GOAL = 1.3;

await using standing = new AsyncDisposableStack();
const stands = new Map<string, FramesStand>();
const shares: Record<string, string> = {};
for (const contestant of CONTESTANTS) {
  const { name, links } = contestant;
  const stand = standing.use(await FramesStand.make(stands.size));
  stands.set(name, stand);
  contestant.prepare(stand.router);
  // Links keep as many packets as their queues are long, so few are sent at a time to see whether all come.
  stand.send(400);
  await stand.received();
  const came = [0, 0];
  for (let i = 0; i < 10; i++) {
    stand.send(400);
    (await stand.received()).forEach((count, link) => (came[link] = (came[link] ?? 0) + count));
  }
  const total = came.reduce((sum, count) => sum + count, 0);
  const right = total >= 3990 && came.filter((count) => count > 100).length === links;
  if (!right) throw new Error(`${name}: of 4000 packets ${came.join(" and ")} came`);
  shares[name] = came.map((count) => `${Math.round((100 * count) / total)} %`).join(" / ");
}

const samples: Record<string, number[]> = {};
const lateness: number[] = [];
for (let round = 0; round < rounds; round++) {
  say(`\rRound ${round + 1} of ${rounds} `);
  lateness.push(await timerLatenessMs());
  for (const [name, stand] of shuffled([...stands])) (samples[name] ??= []).push(stand.send(frames));
}
say("\n");

const speedOf = (name: string) => summarize((samples[name] ?? []).map((own, i) => (samples[SINGLE]?.[i] ?? NaN) / own));
const ns = (value: number): string => value.toFixed(0);
const goal = speedOf(FRAMES);
const table = [
  `${machine()}.`,
  `${rounds} rounds of ${frames} frames; the worst of ten timers was ${summarize(lateness).median.toFixed(1)} ms late in the median round.`,
  "",
  "| row | CPU ns a frame, median (95 %) | speed against a single route (95 %) | by link |",
  "|---|--:|--:|--:|",
  ...Object.entries(samples).map(([name, values]) => {
    const [own, speed] = [summarize(values), speedOf(name)];
    return `| ${name} | ${ns(own.median)} (${ns(own.low)}–${ns(own.high)}) | ${speed.median.toFixed(2)} (${speed.low.toFixed(2)}–${speed.high.toFixed(2)}) | ${shares[name]} |`;
  }),
  "",
  `Goal: frames at least ${GOAL} times as fast as a single route: ${goal.median.toFixed(2)} (${goal.low.toFixed(2)}–${goal.high.toFixed(2)}), ${goal.low >= GOAL ? "met" : "not shown"}.`,
  "",
].join("\n");
process.stdout.write(table);
if (!quick) {
  const [page, begin, end] = [readFileSync("docs/SPREAD.md", "utf8"), "<!-- frames -->", "<!-- end of frames -->"];
  writeFileSync("docs/SPREAD.md", `${page.split(begin)[0]}${begin}\n\n${table}\n${end}${page.split(end)[1] ?? ""}`);
}
