// Owns a running agent for tests: the built program in a namespace of its own, with a state directory and a file.
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentEvent, AgentStatus } from "../src/agent/api/schema.ts";
import { namespaceCookie } from "../src/host/native.ts";
import { until } from "./contract-steps.ts";
import { TestNamespace } from "./namespace.ts";

const PROGRAM = join(import.meta.dirname, "../bin/heddle");

export interface Run {
  code: number | null;
  out: string;
  err: string;
}

/** A host with an agent on it, or without. */
export class AgentHost implements AsyncDisposable {
  readonly namespace = new TestNamespace();
  readonly place = mkdtempSync(join(tmpdir(), "heddle-agent-"));
  /** What the agents said, line by line. */
  readonly log: AgentEvent[] = [];
  /** Added to the environment of everything that is started. */
  readonly environment: Record<string, string> = {};
  #agent: ChildProcess | undefined;
  #stderr = "";
  #said = "";

  get file(): string {
    return join(this.place, "heddle.yaml");
  }

  get state(): string {
    return join(this.place, "state");
  }

  /** Writes the file. */
  write(text: string): void {
    writeFileSync(this.file, `version: 1\n${text}\n`);
  }

  words(...words: string[]): string[] {
    const inside = [`--net=/proc/${process.pid}/fd/${this.namespace.fd}`, "--", PROGRAM];
    return [...inside, "-f", this.file, "--state", this.state, ...words];
  }

  /** Runs a command of heddle's. */
  heddle(...words: string[]): Run {
    return this.heddleWith({}, ...words);
  }

  heddleWith(environment: Record<string, string>, ...words: string[]): Run {
    const env = { ...process.env, ...this.environment, SSH_CONNECTION: "", ...environment };
    const { status, stdout, stderr } = spawnSync("nsenter", this.words(...words), { encoding: "utf8", env });
    return { code: status, out: stdout, err: stderr };
  }

  /** Starts one that goes on by itself. */
  spawn(...words: string[]): ChildProcess {
    const env = { ...process.env, ...this.environment };
    return spawn("nsenter", this.words(...words), { stdio: ["ignore", "ignore", "pipe"], env });
  }

  /** Starts an agent, and waits until it has looked and serves. */
  async start(...words: string[]): Promise<void> {
    const child = this.spawn("agent", ...words);
    this.#agent = child;
    const before = this.log.length;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}: ${this.#said}`);
      return this.log.slice(before).some(({ event }) => event === "started");
    });
  }

  get pid(): number {
    return this.#agent?.pid ?? 0;
  }

  /** Sends the agent a signal, and waits until it has ended. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.#agent;
    this.#agent = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
    return child.exitCode;
  }

  /** Of the agent that runs. */
  status(): AgentStatus {
    const { out, err } = this.heddle("--json", "status");
    const { agent } = JSON.parse(out) as { agent?: AgentStatus };
    if (!agent) throw new Error(`no agent answered: ${out}${err}`);
    return agent;
  }

  /** Pieces of news by their name. */
  told(event: string): AgentEvent[] {
    return this.log.filter((one) => one.event === event);
  }

  /** Guards that wait, by their pid. */
  guards(): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => {
        const line = commandLine(pid);
        return line.includes(this.state) && line.includes("guard");
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
    for (const pid of this.guards()) process.kill(pid, "SIGKILL");
    // What an agent that was killed leaves: nobody else is ever in this namespace.
    const cookie = namespaceCookie(this.namespace.fd);
    for (const name of [`agent-${cookie}.sock`, `net-${cookie}.lock`]) rmSync(`/run/heddle/${name}`, { force: true });
    this.namespace[Symbol.dispose]();
    rmSync(this.place, { recursive: true, force: true });
  }

  #read(text: string): void {
    this.#stderr += text;
    this.#said = (this.#said + text).slice(-4000);
    const lines = this.#stderr.split("\n");
    this.#stderr = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("{")) continue;
      const { msg, ...rest } = JSON.parse(line) as { msg: string };
      this.log.push({ at: "", event: msg, ...rest });
    }
  }
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}
