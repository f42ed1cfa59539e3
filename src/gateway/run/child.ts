// Owns a daemon that heddle runs: started, heard, ended with heddle; and whether it is alive rather than merely there.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { findProgram } from "../../host/program.ts";

/** When something was said, and by whom, as keepalived and conntrackd write before it: heddle's own words are dated anyway. */
const STAMP = /^(?:[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}: |\[[^\]]{0,40}\] \(pid=\d+\) )/;
/** How long what it says waits before it is passed on, ms: what both do at such a moment matters more. */
const PATIENCE_MS = 250;
/** Most that is passed on at once, in characters; of more, the end. */
const MOST_WORDS = 4000;
/** How long a line is not passed on again, ms: some of them are said of every packet. */
const REPEAT_MS = 60_000;

/** A running program. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #hear: (line: string) => void;
  /** Of both of its outputs, what has not been passed on. */
  readonly #words = ["", ""];
  #passedOn = new Set<string>();
  #since = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Resolves when it has ended: "killed by SIGKILL", "exit code 1". */
  readonly ended: Promise<string>;
  isOver = false;

  /**
   * Starts it; each line that it says is passed on. When heddle's process dies, however that is, the kernel ends it with
   * SIGTERM. Throws HostError.
   */
  constructor(argv: readonly [string, ...string[]], hear: (line: string) => void) {
    this.#hear = hear;
    const words = ["--pdeathsig", "TERM", "--", ...argv];
    this.#child = spawn(findProgram("setpriv", "util-linux"), words, { stdio: ["ignore", "pipe", "pipe"] });
    for (const [i, stream] of [this.#child.stdout, this.#child.stderr].entries()) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#words[i] = `${this.#words[i]}${text}`.slice(-MOST_WORDS);
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
    if (performance.now() - this.#since > REPEAT_MS) {
      this.#since = performance.now();
      this.#passedOn.clear();
    }
    for (const line of lines.map((one) => one.replace(STAMP, "").trim())) {
      if (line === "" || this.#passedOn.has(line)) continue;
      this.#passedOn.add(line);
      this.#hear(line);
    }
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
