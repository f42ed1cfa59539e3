// Owns the measurements of the agent: how soon it repairs, what a storm of others' changes costs, what it costs to be
// idle. Run it with `make bench-agent`; QUICK=1 for a glance.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { timerLatenessMs } from "../measure.ts";
import { summarize } from "../statistics.ts";
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

/** CPU time of processes and their dead children, milliseconds (utime, stime, cutime, cstime of proc_pid_stat(5)). */
function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return sum + [11, 12, 13, 14].reduce((ticks, field) => ticks + Number(fields[field]), 0) * 10;
    } catch {
      return sum;
    }
  }, 0);
}

/** Times that the threads of a process gave up the processor to wait, and so were woken (proc_pid_status(5)). */
function wakeups(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const text = readFileSync(`/proc/${pid}/task/${task}/status`, "utf8");
    return sum + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1]);
  }, 0);
}

function memoryMb(pid: number): Record<"rss" | "anonymous" | "pss", number> {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const smaps = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kb = (text: string, name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]);
  return { rss: kb(status, "VmRSS") / 1024, anonymous: kb(status, "RssAnon") / 1024, pss: kb(smaps, "Pss") / 1024 };
}

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
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  const [woken, cpu] = [wakeups(stage.pid), cpuMs([stage.pid])];
  await new Promise((resolve) => setTimeout(resolve, IDLE_S * 1000));
  const memory = memoryMb(stage.pid);
  lines.push(
    `Idle for ${IDLE_S} s: ${wakeups(stage.pid) - woken} wake-ups of all threads, ${cpuMs([stage.pid]) - cpu} ms of CPU time. ` +
      `Memory: ${memory.rss.toFixed(0)} MB resident, of which ${memory.anonymous.toFixed(0)} MB are its own (the rest is Node's program text, ` +
      `which all processes of Node share); its proportional share is ${memory.pss.toFixed(0)} MB.`,
  );
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
