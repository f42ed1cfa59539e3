// Owns a bridge as a process of its own, for tests: the built program with a file and a state directory.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelPlace } from "../../port/model-port.ts";
import { until } from "../../fabric/until.ts";
import type { BridgeStatus } from "../status.ts";

const PROGRAM = join(import.meta.dirname, "../../../../bin/heddle");

export class BridgeProcess implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-bridging-"));
  readonly link: string;
  readonly #place: ModelPlace;
  #child: ChildProcess | undefined;
  readonly #keyFile: string | undefined;
  #said = "";

  constructor({ folder, node, port }: ModelPlace, link: string, passed: string, smKey?: string) {
    this.link = link;
    this.#place = { folder, node, port };
    this.#keyFile = smKey === undefined ? undefined : join(this.#folder, "sm.key");
    if (smKey !== undefined) this.setKey(smKey);
    this.write(passed);
  }

  /** Writes the administrator's key, which the process finds the next time that it looks. */
  setKey(smKey: string): void {
    writeFileSync(this.#keyFile as string, `${smKey}\n`, { mode: 0o600 });
  }

  /** Writes the file: what it says of the groups, a list, or other keys of the section. */
  write(passed: string): void {
    const { folder, node, port } = this.#place;
    const key = this.#keyFile === undefined ? "" : `, sm_key_file: ${this.#keyFile}`;
    const keys = passed.startsWith("[") ? `multicast: ${passed}` : passed;
    writeFileSync(
      join(this.#folder, "heddle.yaml"),
      `version: 1
bridge:
  fabrics:
    infiniband: { model: ${folder}, node: ${node}, port: ${port}${key} }
    ethernet: { link: ${this.link} }
    ${keys}
`,
    );
  }

  /** Words of a command line with this bridge's file and state. */
  words(...words: string[]): string[] {
    return [PROGRAM, "-f", join(this.#folder, "heddle.yaml"), "--state", join(this.#folder, "state"), ...words];
  }

  /** Starts it with no other right than the one that it needs (capabilities(7)), without waiting for anything. */
  start(...options: string[]): void {
    const [program, ...words] = this.words("bridge", "run", ...options) as [string, ...string[]];
    // It must not outlive a test run that is killed.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--bounding-set", "-all,+net_raw", program, ...words], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#said += text));
    this.#child = child;
  }

  /** How it is; undefined while it does not answer. */
  async status(): Promise<BridgeStatus | undefined> {
    const run = join(this.#folder, "state/run");
    const socket = readdirSync(run, { recursive: true, encoding: "utf8" }).find((name) => name.endsWith(".sock"));
    if (socket === undefined) return undefined;
    const client = connect(join(run, socket));
    try {
      let text = "";
      for await (const piece of client.setEncoding("utf8")) text += String(piece);
      return (JSON.parse(text) as BridgeStatus[])[0];
    } catch {
      return undefined;
    }
  }

  /** Waits until it passes messages on, and knows so many others that do. */
  async active(peers = 0): Promise<void> {
    await until(`${this.link} is active`, async () => {
      if (this.#child?.exitCode !== null) throw new Error(`it ended: ${this.#said}`);
      const status = await this.status().catch(() => undefined);
      return status?.state === "active" && status.peers.filter(({ active }) => active).length === peers;
    });
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Ends it by a signal; gives its exit code. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
    return child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGTERM");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
