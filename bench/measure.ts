// Owns single measurements: one whole process, and how late the machine's timers are.
import { spawnSync } from "node:child_process";

/** What one process took. */
export interface Sample {
  wallMs: number;
  /** User and system time. */
  cpuMs: number;
  peakMb: number;
  /** What the program measured of itself, where it says so in a last line `{"ms":…}`. */
  ownMs?: number;
}

/** Runs a program in a network namespace, its output read through a pipe. Throws unless it exits with one of `exits`. */
export function measure(namespace: string, words: readonly string[], exits: readonly number[] = [0]): Sample {
  const run = spawnSync("build/bench-run", ["-n", `/run/netns/${namespace}`, ...words], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    maxBuffer: 512 * 1024 * 1024,
    encoding: "utf8",
  });
  const { exit, sample } = parseRun(String(run.output[3]));
  if (!exits.includes(exit)) throw new Error(`${words.join(" ")}: exit ${exit}\n${run.stderr}`);
  const own = /\{"ms":([0-9.]+)\}\s*$/.exec(run.stdout.slice(-80))?.[1];
  return { ...sample, ...(own === undefined ? {} : { ownMs: Number(own) }) };
}

/** Reads what run.c says of a process. */
export function parseRun(text: string): { exit: number; sample: Sample } {
  const [exit = NaN, wall = NaN, user = NaN, system = NaN, peak = NaN] = text.split(" ").map(Number);
  return { exit, sample: { wallMs: wall / 1000, cpuMs: (user + system) / 1000, peakMb: peak / 1024 } };
}

/** How much later than asked the worst of ten timers of 5 ms came: what a round on a busy machine is known by. */
export async function timerLatenessMs(): Promise<number> {
  let worst = 0;
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
    worst = Math.max(worst, performance.now() - start - 5);
  }
  return worst;
}
