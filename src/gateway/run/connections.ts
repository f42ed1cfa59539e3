// Owns the daemon that synchronises connections: conntrackd, asked and heard through its own client.
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "../../host/program.ts";
import { readOverruns, readSyncCounts } from "../sync-counts.ts";
import type { SyncCounts } from "../sync-counts.ts";
import { Daemon } from "./child.ts";

/** How long an answer of conntrackd may take before it counts as hanging, ms. */
const ANSWER_MS = 3000;
/** How often counts are looked at while connections come in, ms. */
const LOOK_MS = 200;
/**
 * A whole update is over when so few changes came since the last look, or a tenth of what came at most: other gateways'
 * connections change all the time, but an update comes as fast as it can be sent.
 */
const FEW = 200;
/** The longest that connections are waited for, ms. */
const LONGEST_MS = 20_000;
/** The shortest: the others may need a moment to answer. */
const SHORTEST_MS = 1000;

/** Where it works. */
export interface ConnectionsPaths {
  file: string;
  lock: string;
  control: string;
}

/** A running conntrackd. */
export class Connections {
  readonly daemon: Daemon;
  readonly #program: string;
  readonly #file: string;

  private constructor(program: string, daemon: Daemon, file: string) {
    this.#program = program;
    this.daemon = daemon;
    this.#file = file;
  }

  /** Starts it, and resolves when it answers or has ended; what it says is passed on. Throws HostError. */
  static async start(paths: ConnectionsPaths, hear: (lines: readonly string[]) => void): Promise<Connections> {
    const program = findProgram("conntrackd", "conntrackd");
    // What a killed one left behind keeps the next one from starting.
    await rm(paths.lock, { force: true });
    await rm(paths.control, { force: true });
    const daemon = new Daemon([program, "-C", paths.file], hear);
    const running = new Connections(program, daemon, paths.file);
    const end = performance.now() + ANSWER_MS;
    while (!running.daemon.isOver && performance.now() < end) {
      if (await running.counts()) break;
      await sleep(20);
    }
    await running.#takePriority();
    return running;
  }

  /** What it counts; undefined when it does not answer in time. */
  async counts(): Promise<SyncCounts | undefined> {
    const text = await this.#ask("-s");
    return text === undefined ? undefined : readSyncCounts(text);
  }

  /** How often it missed changes of the kernel's table; undefined when it does not answer in time. */
  async overruns(): Promise<number | undefined> {
    const text = await this.#ask("-s", "runtime");
    return text === undefined ? undefined : readOverruns(text);
  }

  /** Asks the others for all that they have, and resolves when no more comes. */
  async askForAll(): Promise<void> {
    await this.#ask("-n");
    let last = 0;
    let most = 0;
    let quiet = 0;
    for (
      let waited = 0;
      waited < LONGEST_MS && (quiet < 2 || waited < SHORTEST_MS) && !this.daemon.isOver;
      waited += LOOK_MS
    ) {
      await sleep(LOOK_MS);
      const injected = (await this.counts())?.injected ?? 0;
      const came = injected - last;
      most = Math.max(most, came);
      quiet = came < Math.max(FEW, most / 10) ? quiet + 1 : 0;
      last = injected;
    }
  }

  /** Reads the kernel's table, so that others can be given what came from a gateway that is gone. */
  async gather(): Promise<void> {
    await this.#ask("-R");
  }

  /**
   * Empties what it would give to others who ask. What a gateway knew when it was active is old news, and whoever gets it
   * takes the connection out of its kernel and puts the old one there: where packets are passing, some find none.
   */
  async forget(): Promise<void> {
    await this.#ask("-f", "internal");
  }

  /**
   * conntrackd makes itself a real-time process of the highest priority, and no line of its file keeps it from that. An
   * update of all connections takes it a good part of a second, in which nothing else would run on that processor:
   * neither keepalived nor whoever renews the address.
   */
  async #takePriority(): Promise<void> {
    if (this.daemon.isOver) return;
    const words = ["--other", "--pid", "0", String(this.daemon.pid)];
    await new Promise<void>((resolve) => {
      execFile(findProgram("chrt", "util-linux"), words, { timeout: ANSWER_MS }, () => resolve());
    });
  }

  #ask(...words: readonly string[]): Promise<string | undefined> {
    return new Promise((resolve) => {
      const options = { timeout: ANSWER_MS, killSignal: "SIGKILL" as const, maxBuffer: 1 << 20 };
      execFile(this.#program, ["-C", this.#file, ...words], options, (error, stdout) => {
        resolve(error ? undefined : stdout);
      });
    });
  }
}
