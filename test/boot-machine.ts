// Owns a machine that boots the real systemd, for tests that run as root.
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./contract-steps.ts";

const here = join(import.meta.dirname, "boot");

/** Where cgroup v2 is: alone, or beside the first version. */
const CGROUPS = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/** A machine in namespaces of its own. */
export class BootMachine implements AsyncDisposable {
  readonly #outer: ChildProcess;
  readonly #place: string;
  readonly #cgroup: string;
  readonly #first: number;

  private constructor(outer: ChildProcess, place: string, cgroup: string, first: number) {
    this.#outer = outer;
    this.#place = place;
    this.#cgroup = cgroup;
    this.#first = first;
  }

  /** Prepares a machine by a script of test/boot and boots it as far as multi-user.target. */
  static async boot(env: Readonly<Record<string, string>> = {}, prepare = "prepare.sh"): Promise<BootMachine> {
    const base = CGROUPS.find((path) => existsSync(join(path, "cgroup.procs")));
    if (base === undefined) throw new Error("there is no cgroup v2");
    const place = mkdtempSync(join(tmpdir(), "heddle-boot-"));
    const cgroup = join(base, place.slice(place.lastIndexOf("/") + 1));
    const words = [join(here, "outer.sh"), place, cgroup, join(here, prepare)];
    const outer = spawn("setpriv", ["--pdeathsig", "KILL", ...words], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const said: string[] = [];
    outer.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    let first = 0;
    await until(async () => {
      if (outer.exitCode !== null) throw new Error(`the machine could not be made: ${said.join("")}`);
      [first = 0] = childrenOf(outer.pid ?? 0);
      return first !== 0 && readFileSync(`/proc/${first}/comm`, "utf8") === "systemd\n";
    });
    const machine = new BootMachine(outer, place, cgroup, first);
    await until(async () => /^(running|degraded)$/m.test(machine.run("systemctl", "is-system-running").out));
    return machine;
  }

  /** Runs a program on the machine. */
  run(program: string, ...words: string[]): { code: number | null; out: string; err: string } {
    const inside = ["--target", String(this.#first), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"];
    const { status, stdout, stderr } = spawnSync("nsenter", [...inside, program, ...words], {
      encoding: "utf8",
      cwd: "/",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" },
    });
    return { code: status, out: stdout, err: stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#outer, "exit");
    // The first process of a PID namespace takes all of it along.
    process.kill(this.#first, "SIGKILL");
    if (this.#outer.exitCode === null && this.#outer.signalCode === null) await ended;
    await until(async () => !readFileSync(join(this.#cgroup, "cgroup.events"), "utf8").includes("populated 1"));
    removeCgroup(this.#cgroup);
    rmdirSync(this.#place);
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function removeCgroup(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  }
  rmdirSync(path);
}
