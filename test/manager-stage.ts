// Owns a stage for other network managers in tests: their real programs, on a network namespace of a test's.
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestNamespace } from "./namespace.ts";

const root = join(import.meta.dirname, "..");

/** What a program said and how it ended. */
export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** A mount namespace in which /etc, /run and /usr are a manager's; programs in it see the network namespace of the test. */
export class ManagerStage implements AsyncDisposable {
  /** Where test and stage both see files. */
  readonly place: string;
  readonly #holder: ChildProcess;
  readonly #started: ChildProcess[] = [];

  private constructor(place: string, holder: ChildProcess) {
    this.place = place;
    this.#holder = holder;
  }

  /** Sets the stage, with files to lay over /etc and /usr by their absolute paths. */
  static async open(namespace: TestNamespace, files: Readonly<Record<string, string>> = {}): Promise<ManagerStage> {
    if (!existsSync(join(root, "build/managers/complete"))) throw new Error("run tools/managers.sh first");
    const place = mkdtempSync(join(tmpdir(), "heddle-stage-"));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(place, "tree", path)), { recursive: true });
      writeFileSync(join(place, "tree", path), text, { mode: path.endsWith(".nmconnection") ? 0o600 : 0o644 });
    }
    mkdirSync(join(place, "tree"), { recursive: true });
    const inside = [`--net=/proc/${process.pid}/fd/${namespace.fd}`, "--", "unshare", "--mount", "--"];
    const words = [...inside, join(root, "test/stage.sh"), join(place, "tree")];
    const holder = spawn("nsenter", words, { stdio: ["pipe", "pipe", "inherit"] });
    const [first] = (await Promise.race([once(holder.stdout, "data"), once(holder, "exit")])) as [Buffer | number];
    if (!String(first).startsWith("ready")) throw new Error("the stage could not be set");
    return new ManagerStage(place, holder);
  }

  #words(program: string, words: readonly string[]): string[] {
    return ["--target", String(this.#holder.pid), "--mount", "--net", "--", program, ...words];
  }

  /** Runs a program on the stage to its end. */
  run(program: string, ...words: string[]): Ended {
    const { status, stdout, stderr, error } = spawnSync("nsenter", this.#words(program, words), {
      encoding: "utf8",
      cwd: "/",
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    if (error) throw error;
    return { code: status, out: stdout, err: stderr };
  }

  /** Runs a program that has to succeed, and gives its output. */
  must(program: string, ...words: string[]): string {
    const { code, out, err } = this.run(program, ...words);
    if (code !== 0) throw new Error(`${program} ${words.join(" ")} ended with ${code}: ${err}${out}`);
    return out;
  }

  /** Starts a program that goes on until it is stopped, or the stage is taken down. What it says is kept. */
  start(program: string, words: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Running {
    // Nobody is left behind when the test itself is ended.
    const child = spawn("nsenter", this.#words("setpriv", ["--pdeathsig", "KILL", program, ...words]), {
      cwd: "/",
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#started.push(child);
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    return { said: () => said.join(""), stop: () => end(child) };
  }

  /** Lays the files below a directory over /etc of the stage, as people do at a site. */
  install(directory: string): void {
    this.must("cp", "-rp", `${directory}/etc/.`, "/etc/");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#started.toReversed()) await end(child);
    await end(this.#holder);
    rmSync(this.place, { recursive: true, force: true });
  }
}

/** A program that runs. */
export interface Running {
  said: () => string;
  stop: () => Promise<void>;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
  await ended;
  clearTimeout(timer);
}
