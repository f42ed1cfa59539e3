// Owns a daemon that heddle runs: started, heard, ended with heddle; and whether it is alive rather than merely there.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { findProgram } from "../../host/program.ts";

/** Most that is kept of what it says, in characters. */
const MOST_WORDS = 4000;

/** A running program. */
export class Daemon {
  readonly #child: ChildProcess;
  #said = "";
  /** Resolves when it has ended: "killed by SIGKILL", "exit code 1". */
  readonly ended: Promise<string>;
  isOver = false;

  /** Starts it. When heddle's process dies, however that is, the kernel ends it with SIGTERM. Throws HostError. */
  constructor(argv: readonly [string, ...string[]]) {
    const words = ["--pdeathsig", "TERM", "--", ...argv];
    this.#child = spawn(findProgram("setpriv", "util-linux"), words, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.#said = (this.#said + text).slice(-MOST_WORDS)));
    }
    this.ended = new Promise((resolve) => {
      const over = (how: string): void => {
        this.isOver = true;
        resolve(how);
      };
      this.#child.once("error", (error) => over(error.message));
      this.#child.once("exit", (code, signal) => over(signal ? `killed by ${signal}` : `exit code ${code}`));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The end of what it has said. */
  get said(): string {
    return this.#said.trim();
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
