// Owns a server in a host of a lab: started, found ready, ended.
import type { ChildProcess } from "node:child_process";
import { killGroup, must, start, waitFor } from "./child.ts";
import { LabError } from "./lab-error.ts";
import { literal } from "./trial.ts";

export interface ServeOptions {
  as?: string;
  cgroup?: string;
  env?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
  /** Ready once a TCP socket in its host listens on this port (at this very address). */
  listens?: number | { address: string; port: number };
  /** Ready once a UDP socket in its host is bound to this very address. */
  bound?: { address: string; port: number };
  /** Ready once its output, stdout and stderr together, matches. */
  says?: RegExp;
  /** Ceiling for getting ready, in milliseconds; the default is 30 s. */
  withinMs?: number;
}

/** A program that runs until it is stopped. */
export class Served implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  #stdout = "";
  #stderr = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid as number;
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (this.#stdout += chunk));
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (this.#stderr += chunk));
  }

  /** Starts `words` and waits until it is ready; LabError when it ends instead or is not ready in time. */
  static async start(
    netns: string,
    argv: readonly string[],
    words: readonly string[],
    env: NodeJS.ProcessEnv,
    options: ServeOptions,
    signal: AbortSignal | undefined,
    track: (child: ChildProcess) => void,
  ): Promise<Served> {
    const child = await start(words, "ignore", env);
    track(child);
    const served = new Served(child);
    try {
      const { withinMs } = options;
      await waitFor(
        `${argv.join(" ")} to be ready`,
        async () => {
          if (served.ended) throw new LabError(`${argv.join(" ")} ended before it was ready: ${served.output.trim()}`);
          return (await served.#isReady(netns, env, options)) ? true : undefined;
        },
        { signal, ...(withinMs !== undefined && { withinMs }) },
      );
      return served;
    } catch (error) {
      await served.stop();
      throw error;
    }
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** stdout, then stderr. */
  get output(): string {
    return this.#stdout + this.#stderr;
  }

  /** Whether it has ended by itself or by `stop`. */
  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Sends a signal to the server alone, not to its children. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it with its children, and waits until it has ended. */
  async stop(): Promise<void> {
    if (!this.ended) {
      const ended = new Promise((resolve) => this.#child.once("exit", resolve));
      killGroup(this.pid);
      await ended;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #isReady(netns: string, env: NodeJS.ProcessEnv, { listens, bound, says }: ServeOptions): Promise<boolean> {
    if (says && !says.test(this.output)) return false;
    const place = listens ?? bound;
    if (place === undefined) return true;
    const filter = typeof place === "number" ? `sport = :${place}` : `src ${literal(place.address)}:${place.port}`;
    const which = listens === undefined ? "-Hlun" : "-Hltn";
    const sockets = await must(["nsenter", `--net=${netns}`, "--", "ss", which, filter], { env });
    return sockets.trim() !== "";
  }
}
