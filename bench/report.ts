// Owns how results look: the table in Markdown, and whether a goal is shown to be met.
import { renderCircumstances } from "./keep.ts";
import type { Circumstances } from "./keep.ts";
import type { Sample } from "./measure.ts";
import type { Goal } from "./rows.ts";
import { summarize } from "./statistics.ts";
import type { Summary } from "./statistics.ts";

/** A run of the bench, as it is kept. */
export interface Results extends Circumstances {
  goals: Judged[];
  samples: Record<string, Sample[]>;
}

/** A goal and what the run shows of it. */
export interface Judged {
  row: string;
  goal: string;
  /** Milliseconds, or how many times faster. */
  found: Summary;
  met: boolean;
}

/** A goal is met when the 95 % bound of the median meets it; otherwise it is not shown. */
export function judge(goal: Goal, samples: Readonly<Record<string, readonly Sample[]>>): Judged {
  const own = samples[goal.row] ?? [];
  const time = (sample: Sample): number => (goal.by === "ownMs" ? sample.ownMs : undefined) ?? sample.wallMs;
  if (goal.faster) {
    const { than, times } = goal.faster;
    const other = samples[than] ?? [];
    const found = summarize(own.map((sample, i) => time(other[i] as Sample) / time(sample)));
    return { row: goal.row, goal: `${times} times as fast as "${than}"`, found, met: found.low >= times };
  }
  const most = goal.atMostMs ?? 0;
  const found = summarize(own.map(time));
  return { row: goal.row, goal: `at most ${most} ms`, found, met: found.high <= most };
}

/** The run in Markdown. */
export function renderTable(results: Results): string {
  return [
    ...renderCircumstances(results),
    "",
    "| row | n | wall ms, median (95 %) | middle half | CPU ms | inside ms | peak MB |",
    "|---|--:|--:|--:|--:|--:|--:|",
    ...Object.entries(results.samples).map(([row, samples]) => renderRow(row, samples)),
    "",
    "| goal | found, median (95 %) | |",
    "|---|--:|---|",
    ...results.goals.map(
      ({ row, goal, found, met }) => `| ${row}: ${goal} | ${interval(found)} | ${met ? "met" : "not shown"} |`,
    ),
    "",
  ].join("\n");
}

function renderRow(row: string, samples: readonly Sample[]): string {
  const wall = summarize(samples.map(({ wallMs }) => wallMs));
  const cpu = summarize(samples.map(({ cpuMs }) => cpuMs));
  const peak = summarize(samples.map(({ peakMb }) => peakMb));
  const own = samples.flatMap(({ ownMs }) => ownMs ?? []);
  const inside = own.length > 0 ? show(summarize(own).median) : "";
  const half = wall.quartiles.map(show).join("–");
  return `| ${row} | ${wall.count} | ${interval(wall)} | ${half} | ${show(cpu.median)} | ${inside} | ${show(peak.median)} |`;
}

/** "1.0 (0.9–1.2)": a median with its interval. */
export function interval({ median, low, high }: Summary): string {
  return `${show(median)} (${show(low)}–${show(high)})`;
}

function show(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
