// Owns probes by ICMP echo: one ping(8) for each target, which runs all the time and tells of each answer and each lack.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { findProgram } from "../program.ts";

/** What is probed, and from where. */
export interface PingOptions {
  target: string;
  /** Source address, or the name of a link. */
  from: string;
  /** Between two questions, ms; at least 10. */
  intervalMs: number;
}

/** How long it is waited before a ping that ended is started again, ms. */
const AGAIN_MS = 1000;
/**
 * A ping that got no answer for so long, ms, is started anew. It keeps the link that it began with, and says nothing when
 * that has gone: one whose link was made anew would never be answered again.
 */
const STALE_MS = 1000;

/** Longest line of ping's. */
const LONGEST = 4096;

/**
 * Probes until it is stopped. `tell` hears of each answer with its round trip time in ms, and of each question that was
 * not answered when the next one was due. A ping that cannot run (no link, no route, no right to) is a lack for each second.
 */
export function startPing(options: PingOptions, tell: (answered: boolean, rttMs?: number) => void): () => void {
  const { target, from, intervalMs } = options;
  const ping = findProgram("ping", "iputils-ping");
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let unansweredMs = 0;
  let isStale = false;
  const lack = (): void => {
    tell(false);
    unansweredMs += intervalMs;
    if (unansweredMs < STALE_MS || isStale) return;
    isStale = true;
    child?.kill("SIGKILL");
  };
  const over = (): void => {
    if (stopped) return;
    if (isStale) return begin();
    tell(false);
    timer = setTimeout(begin, AGAIN_MS);
  };
  const begin = (): void => {
    unansweredMs = 0;
    isStale = false;
    const words = ["-n", "-O", "-i", String(intervalMs / 1000), "-W", "1", "-I", from, target];
    try {
      child = spawn(ping, words, { stdio: ["ignore", "pipe", "ignore"], env: { LC_ALL: "C", PATH: "" } });
    } catch {
      // Most of what keeps a program from starting is told as an event; that it may not be started (EPERM) is thrown.
      return over();
    }
    let rest = "";
    child.stdout?.setEncoding("utf8").on("data", (piece: string) => {
      const lines = (rest + piece).split("\n");
      rest = (lines.pop() ?? "").slice(-LONGEST);
      for (const line of lines) {
        const answer = / icmp_seq=\d+ .*time=([\d.]+) ms/.exec(line);
        if (answer) {
          unansweredMs = 0;
          tell(true, Number(answer[1]));
        } else if (/^no answer yet for icmp_seq=\d+|^From .* icmp_seq=\d+ /.test(line)) lack();
      }
    });
    child.once("error", over);
    child.once("exit", over);
  };
  begin();
  return () => {
    stopped = true;
    clearTimeout(timer);
    child?.kill("SIGKILL");
  };
}
