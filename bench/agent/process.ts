// Owns what a process costs while nothing happens: how often it is woken, its CPU time, its memory.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Begins to count when what the start left behind has been done and collected, milliseconds. */
const SETTLED_MS = 30_000;

/** CPU time of processes and their dead children, milliseconds (utime, stime, cutime, cstime of proc_pid_stat(5)). */
export function cpuMs(pids: readonly number[]): number {
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

/** What a process costs while nothing happens for some seconds, as a sentence. */
export async function idleness(pid: number, seconds: number): Promise<string> {
  await sleep(SETTLED_MS);
  const [woken, cpu] = [wakeups(pid), cpuMs([pid])];
  await sleep(seconds * 1000);
  const memory = memoryMb(pid);
  return (
    `Idle for ${seconds} s: ${wakeups(pid) - woken} wake-ups of all threads, ${cpuMs([pid]) - cpu} ms of CPU time. ` +
    `Memory: ${memory.rss.toFixed(0)} MB resident, of which ${memory.anonymous.toFixed(0)} MB are its own (the rest is Node's program text, ` +
    `which all processes of Node share); its proportional share is ${memory.pss.toFixed(0)} MB.`
  );
}
