// Owns how the cost of egress looks: the table, and whether its goals are shown to be met.
import { renderCircumstances } from "../keep.ts";
import type { Circumstances } from "../keep.ts";
import type { Sample } from "../measure.ts";
import { interval } from "../report.ts";
import { summarize } from "../statistics.ts";
import type { Summary } from "../statistics.ts";
import { APPLIES } from "./apply.ts";
import { CONTESTANTS, KINDS } from "./stand.ts";
import type { Kind, Load, Sender } from "./stand.ts";

/** Loads by contestant and sender ("plain routing, chosen"), one for each round. */
export type Loads = Record<string, Record<Kind, Load>[]>;

/** A run, as it is kept. */
export interface CostResults extends Circumstances {
  goals: { goal: string; found: Summary; met: boolean }[];
  samples: Loads;
  /** Whole runs of `heddle apply`, by who is chosen. */
  applies: Record<string, Sample[]>;
}

/** Names a row. */
export function rowName(contestant: string, sender: Sender): string {
  return `${contestant}, ${sender}`;
}

const WORDS: Readonly<Record<Kind, string>> = {
  segment: "TCP segment",
  packet: "UDP packet, connected",
  routed: "UDP packet, not connected",
  udp: "UDP connection",
  tcp: "TCP connection",
};

/** The seed's rules choose TCP alone. */
const OF_THE_SEED = ["segment", "tcp"] as const;
/** What counts as near plain routing: so many times its CPU time. */
const NEAR = 1.1;

/** Judges the goals: ratios within a round, met when the 95 % bound of their median meets them. */
export function judgeCost(loads: Loads): CostResults["goals"] {
  const cpu = (kind: Kind) => (load: Record<Kind, Load>) => load[kind].cpuNs;
  const duration = (kind: Kind) => (load: Record<Kind, Load>) => 1e9 / load[kind].perSecond;
  const chosen = (name: string): Record<Kind, Load>[] => loads[rowName(name, "chosen")] ?? [];
  const judge = (goal: string, most: number, ratios: number[]): CostResults["goals"][number] => {
    const found = summarize(ratios);
    return { goal, found, met: found.high <= most };
  };
  const besideSeed = ["10 users", "10,000 users"].flatMap((users) => {
    const seed = [chosen(`iptables owner, ${users}`), chosen(`iptables-legacy owner, ${users}`)];
    const ratios = (of: (load: Record<Kind, Load>) => number): number[] =>
      chosen(`heddle, ${users}`).map(
        (load, round) => of(load) / Math.min(...seed.map((rounds) => of(rounds[round] as Record<Kind, Load>))),
      );
    return [
      ...OF_THE_SEED.map((kind) =>
        judge(`${WORDS[kind]}, ${users}: at most the CPU time of the seed's rules`, 1, ratios(cpu(kind))),
      ),
      judge(`TCP connections, ${users}: at least as many a second`, 1, ratios(duration("tcp"))),
    ];
  });
  const plain = chosen("plain routing");
  const nearPlain = KINDS.map((kind) =>
    judge(
      `${WORDS[kind]}, 10,000 users: at most ${NEAR} times the CPU time of plain routing`,
      NEAR,
      chosen("heddle, 10,000 users").map((load, round) => load[kind].cpuNs / (plain[round]?.[kind].cpuNs ?? NaN)),
    ),
  );
  return [...besideSeed, ...nearPlain];
}

/** The run in Markdown. */
export function renderCost(results: CostResults): string {
  const columns = KINDS.map((kind) => `${WORDS[kind]}, ns`);
  const row = (name: string, sender: Sender): string => {
    const loads = results.samples[rowName(name, sender)] ?? [];
    const cpu = KINDS.map((kind) => whole(summarize(loads.map((load) => load[kind].cpuNs))));
    const rates = (["udp", "tcp"] as const).map((kind) => summarize(loads.map((load) => load[kind].perSecond)).median);
    return `| ${name} | ${sender} | ${cpu.join(" | ")} | ${rates.map((rate) => rate.toFixed(0)).join(" | ")} |`;
  };
  return [
    ...renderCircumstances(results),
    "",
    `| | sender | ${columns.join(" | ")} | UDP connections/s | TCP connections/s |`,
    `|---|---|${"--:|".repeat(KINDS.length + 2)}`,
    ...CONTESTANTS.flatMap(({ name }) => [row(name, "chosen"), row(name, "other")]),
    "",
    "| `heddle apply` as a whole | n | wall ms, median (95 %) | CPU ms | peak MB |",
    "|---|--:|--:|--:|--:|",
    ...APPLIES.map((row) => applyRow(row, results.applies[row] ?? [])),
    "",
    "| goal | found, median (95 %) | |",
    "|---|--:|---|",
    ...results.goals.map(({ goal, found, met }) => `| ${goal} | ${ratio(found)} | ${met ? "met" : "not shown"} |`),
    "",
  ].join("\n");
}

function applyRow(row: string, samples: readonly Sample[]): string {
  const wall = summarize(samples.map(({ wallMs }) => wallMs));
  const cpu = summarize(samples.map(({ cpuMs }) => cpuMs)).median;
  const peak = summarize(samples.map(({ peakMb }) => peakMb)).median;
  return `| ${row} | ${wall.count} | ${whole(wall)} | ${cpu.toFixed(0)} | ${peak.toFixed(0)} |`;
}

function whole(found: Summary): string {
  const { median, low, high } = found;
  return median >= 100 ? `${median.toFixed(0)} (${low.toFixed(0)}–${high.toFixed(0)})` : interval(found);
}

function ratio({ median, low, high }: Summary): string {
  return `${median.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`;
}
