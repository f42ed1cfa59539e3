// Owns the measurements of the agent: how soon it repairs, what a storm of others' changes costs, what it costs to be
// idle (with programs that mark sockets: idle.ts). Run it with `make bench-agent`; QUICK=1 for a glance.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { timerLatenessMs } from "../measure.ts";
import { summarize } from "../statistics.ts";
import { cpuMs, idleness } from "./process.ts";
import { repairMs, Stage, SUBJECTS } from "./stage.ts";
import type { Mender } from "./stage.ts";

const quick = process.argv.includes("--quick");
const ROUNDS = quick ? 3 : 30;
const STORM = quick ? 10_000 : 100_000;
const IDLE_S = quick ? 10 : 60;
const MENDERS = ["heddle agent", "dispatcher script"] as const satisfies readonly Mender[];
const DAMAGES = ["route", "rule", "flap"] as const;
const say = (text: string): void => void process.stderr.write(text);
const lines: string[] = [];

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] as number;
}

const ms = (value: number): string => value.toFixed(1);

/** Rounds in which each mender repairs each damage a few times, in random order. */
async function latency(): Promise<void> {
  const found: Record<string, number[]> = {};
  const lateness: number[] = [];
  const stages = new Map<Mender, Stage>();
  for (const mender of MENDERS) {
    const stage = new Stage();
    stages.set(mender, stage);
    await stage.start(mender);
    for (const damage of DAMAGES) await repairMs(stage, damage, 0);
  }
  // What was taken away to warm up shall not count as the first of three.
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  for (let round = 0; round < ROUNDS; round++) {
    say(`\rRepairs: round ${round + 1} of ${ROUNDS} `);
    lateness.push(await timerLatenessMs());
    const turns = MENDERS.flatMap((mender) => DAMAGES.map((damage) => ({ mender, damage })));
    for (const { mender, damage } of turns.sort(() => Math.random() - 0.5)) {
      const stage = stages.get(mender) as Stage;
      // What goes three times within ten seconds is fought over: each round takes the other half.
      for (let i = round % 2; i < SUBJECTS; i += 2) {
        const took = await repairMs(stage, damage, i);
        if (took === undefined) say(`\n${mender} did not repair ${damage} ${i}\n`);
        (found[`${damage}, ${mender}`] ??= []).push(took ?? 10_000);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  for (const stage of stages.values()) await stage[Symbol.asyncDispose]();
  say("\n");
  const late = summarize(lateness);
  lines.push(`Timers were ${ms(late.median)} ms late in the median round (the worst of ten).`, "");
  lines.push("| repair after | n | p50 ms (95 %) | p99 ms | longest ms |", "|---|--:|--:|--:|--:|");
  for (const [row, values] of Object.entries(found).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const { median, low, high, count } = summarize(values);
    lines.push(
      `| ${row} | ${count} | ${ms(median)} (${ms(low)}–${ms(high)}) | ${ms(percentile(values, 0.99))} | ${ms(Math.max(...values))} |`,
    );
  }
  lines.push("");
}

/** Others add and take away routes; meanwhile a rule of ours is taken away twice a second. */
async function storm(): Promise<void> {
  lines.push(
    `| a storm of ${STORM.toLocaleString("en")} changes of others' routes | s | CPU s of the mender | repairs p50 ms | longest ms |`,
  );
  lines.push("|---|--:|--:|--:|--:|");
  const batch = "/tmp/heddle-bench-storm.batch";
  const half = Array.from({ length: STORM / 2 }, (_, i) => `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`);
  const text = half.map((to) => `route add ${to} dev noise table 900\nroute del ${to} dev noise table 900\n`).join("");
  writeFileSync(batch, text);
  for (const mender of ["nobody", ...MENDERS] as const) {
    say(`Storm: ${mender}\n`);
    await using stage = new Stage();
    await stage.start(mender);
    const before = cpuMs(stage.pids);
    const began = performance.now();
    const child = spawn("nsenter", [...stage.inside, "ip", "-batch", batch], { stdio: "ignore" });
    const ended = once(child, "exit");
    const repairs: number[] = [];
    for (let i = 0; child.exitCode === null; i++) {
      if (mender === "nobody") break;
      const took = await repairMs(stage, "rule", i % SUBJECTS);
      repairs.push(took ?? 10_000);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await ended;
    const seconds = (performance.now() - began) / 1000;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const cpu = (cpuMs(stage.pids) - before) / 1000;
    const told = repairs.length > 0 ? [ms(summarize(repairs).median), ms(Math.max(...repairs))] : ["", ""];
    lines.push(
      `| ${mender} | ${seconds.toFixed(1)} | ${mender === "nobody" ? "" : cpu.toFixed(2)} | ${told.join(" | ")} |`,
    );
  }
  lines.push("");
}

/** Nothing happens. */
async function idle(): Promise<void> {
  say("Idle\n");
  await using stage = new Stage();
  await stage.start("heddle agent");
  lines.push(await idleness(stage.pid, IDLE_S));
}

lines.push(`${cpus()[0]?.model.trim()}, ${cpus().length} cores, kernel ${release()}, Node ${process.version}.`);
await latency();
await storm();
await idle();
const load = loadavg().map((value) => value.toFixed(1));
lines.push(
  "",
  `Load of the machine at the end, over 1, 5 and 15 minutes: ${load.join(", ")} on ${cpus().length} cores.`,
);
const table = lines.join("\n");
process.stdout.write(`${table}\n`);
if (!quick) {
  const page = readFileSync("docs/BENCHMARKS.md", "utf8");
  const [start, end] = ["<!-- agent -->", "<!-- end of agent -->"];
  const [before] = page.split(start);
  const after = page.split(end)[1] ?? "";
  writeFileSync("docs/BENCHMARKS.md", `${before}${start}\n\n${table}\n\n${end}${after}`);
}
