// Owns a daemon that heddle runs: started, heard, ended with heddle; and whether it is alive rather than merely there.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { findProgram } from "../../host/program.ts";

/** When something was said, and by whom, as keepalived and conntrackd write before it: heddle's own words are dated anyway. */
const STAMP = /^(?:[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}: |\[[^\]]{0,40}\] \(pid=\d+\) )/;
/** How long what it says waits before it is passed on, ms: what both do at such a moment matters more. */
const PATIENCE_MS = 250;
/** Most that waits of each of its outputs, in characters; of more, the last whole lines. */
const MOST_WORDS = 4000;
/** How many lines are passed on within a minute or so: some are said for every packet. */
const MOST_LINES = 100;
const MINUTE_MS = 60_000;

/** A running program. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #hear: (lines: readonly string[]) => void;
  /** Of both of its outputs, what has not been passed on. */
  readonly #words = ["", ""];
  /** Lines of this minute, and when it began. */
  #lines = 0;
  #since = performance.now();
  #timer: NodeJS.Timeout | undefined;
  /** Resolves when it has ended: "killed by SIGKILL", "exit code 1". */
  readonly ended: Promise<string>;
  isOver = false;

  /**
   * Starts it; what it says is passed on, some lines at a time. When heddle's process dies, however that is, the kernel
   * ends it with SIGTERM. Throws HostError.
   */
  constructor(argv: readonly [string, ...string[]], hear: (lines: readonly string[]) => void) {
    this.#hear = hear;
    const words = ["--pdeathsig", "TERM", "--", ...argv];
    this.#child = spawn(findProgram("setpriv", "util-linux"), words, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, LC_ALL: "C" },
    });
    for (const [i, stream] of [this.#child.stdout, this.#child.stderr].entries()) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#words[i] = lastOf(`${this.#words[i]}${text}`);
        this.#timer ??= setTimeout(() => this.#passOn(), PATIENCE_MS);
      });
    }
    this.ended = new Promise((resolve) => {
      const over = (how: string): void => {
        this.isOver = true;
        this.#passOn();
        resolve(how);
      };
      this.#child.once("error", (error) => over(error.message));
      // Not "close": a child of its own may hold the pipes for longer.
      this.#child.once("exit", (code, signal) => over(signal ? `killed by ${signal}` : `exit code ${code}`));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whole lines; what it has not ended yet waits, unless it is over. */
  #passOn(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#words.flatMap((words, i) => {
      const split = words.split("\n");
      this.#words[i] = this.isOver ? "" : (split.pop() ?? "");
      return split;
    });
    const said = lines.map((line) => line.replace(STAMP, "").trim()).filter((line) => line !== "");
    if (performance.now() - this.#since > MINUTE_MS || this.isOver) said.unshift(...this.#beginMinute());
    const room = Math.max(0, MOST_LINES - this.#lines);
    this.#lines += said.length;
    if (said.length > 0 && room > 0) this.#hear(said.slice(0, room));
  }

  /** How many lines of the minute before were too many, if any. */
  #beginMinute(): string[] {
    const more = this.#lines - MOST_LINES;
    this.#since = performance.now();
    this.#lines = 0;
    return more > 0 ? [`${more} lines more, which are left out`] : [];
  }

  /** Sends a signal to it and to its children. */
  kill(signal: NodeJS.Signals): void {
    if (this.isOver) return;
    for (const pid of [...childrenOf(this.pid), this.pid]) {
      try {
        process.kill(pid, signal);
      } catch {
        // It ended meanwhile.
      }
    }
  }

  /**
   * How often it and its children have waited for something and gone on. A process that is stopped, or hangs, no longer
   * counts; one that has something to do every few milliseconds counts all the time.
   */
  heartbeat(): number {
    return [this.pid, ...childrenOf(this.pid)].reduce((sum, pid) => sum + switchesOf(pid), 0);
  }
}

/** The last whole lines of much, or the end of one that is too long. */
function lastOf(text: string): string {
  if (text.length <= MOST_WORDS) return text;
  const end = text.slice(-MOST_WORDS);
  return end.slice(end.indexOf("\n") + 1);
}

/** Process ids of the children (proc_pid_children(5)); none where it has ended. */
function childrenOf(pid: number): number[] {
  return readText(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

function switchesOf(pid: number): number {
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
