// Owns an agent on the worker of a lab that has users, control groups and a BPF file system of its own: what it says, and
// the program that tells which mark a socket gets there.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { openPinned } from "../src/host/bpf/call.ts";
import { detach } from "../src/host/bpf/link.ts";
import type { AgentEvent, AgentStatus } from "../src/agent/api/schema.ts";
import type { Lab } from "../src/lab/lab.ts";
import type { Served } from "../src/lab/served.ts";
import { heddle } from "./egress-lab.ts";

const PROGRAM = join(import.meta.dirname, "../bin/heddle");
const SOCKETS = join(import.meta.dirname, "../src/host/bpf/testing/sockets.c");

/** An agent, and sockets made beside it. */
export class WorkerAgent implements AsyncDisposable {
  readonly lab: Lab;
  readonly #sockets: string;
  readonly #before: readonly string[];
  #served: Served | undefined;

  /** `before`: words that its command line begins with, such as those that take rights away. */
  constructor(lab: Lab, before: readonly string[] = []) {
    this.lab = lab;
    this.#before = before;
    this.#sockets = join(lab.folder, "sockets");
    execFileSync("cc", ["-O1", "-o", this.#sockets, SOCKETS]);
  }

  /** Starts it, and waits until it has looked and serves. */
  async start(...words: string[]): Promise<void> {
    const argv = [...this.#before, PROGRAM, "-f", this.lab.configOf("worker"), "agent", ...words];
    this.#served = await this.lab.spawn("worker", argv, { says: /"started"/ });
  }

  /** Ends it with a signal, and waits until it has ended. */
  async end(): Promise<void> {
    await this.#served?.stop();
    this.#served = undefined;
  }

  get pid(): number {
    return this.#served?.pid ?? 0;
  }

  /** Everything that it wrote since it was started. */
  get said(): string {
    return this.#served?.stderr ?? "";
  }

  /** News of one name. */
  told(event: string): AgentEvent[] {
    // The last piece has no end yet: more of it may still come.
    const lines = this.said
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith("{"));
    return lines
      .map((line) => {
        const { msg, ...rest } = JSON.parse(line) as { msg: string };
        return { at: "", event: msg, ...rest };
      })
      .filter((one) => one.event === event);
  }

  async status(): Promise<AgentStatus> {
    const { out, err } = await heddle(this.lab, "--json", "status");
    const { agent } = JSON.parse(out) as { agent?: AgentStatus };
    if (!agent) throw new Error(`no agent answered: ${out}${err}`);
    return agent;
  }

  /** The mark of a UDP socket that somebody makes now. */
  async markOf(as: string, cgroup?: string): Promise<number> {
    const said = await this.lab.exec("worker", [this.#sockets, "udp4"], {
      as,
      ...(cgroup === undefined ? {} : { cgroup }),
    });
    const [, mark] = /^udp4 ([0-9a-f]+)$/m.exec(said.stdout) ?? [];
    if (mark === undefined) throw new Error(`${said.stdout}${said.stderr}`);
    return Number.parseInt(mark, 16);
  }

  /** Paths of heddle's pins, as this process sees them. */
  pins(): string[] {
    const top = join(this.lab.folder, "pins", "worker", "heddle");
    if (!existsSync(top)) return [];
    return readdirSync(top, { recursive: true, encoding: "utf8", withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  }

  /** Ends the attachment behind a pin, as `bpftool link detach` does. */
  detach(pin: string): void {
    using link = openPinned(pin);
    if (!link) throw new Error(`nothing is pinned at ${pin}`);
    detach(link);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}
