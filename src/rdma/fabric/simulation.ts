// Owns a simulated fabric: ibsim with a switch and hosts, and the real OpenSM. ibsim listens on every address, so that
// who cares for that gives it a network namespace of its own.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { IBSIM_PORT } from "../bridge/model-fabric.ts";
import { FabricError } from "../sa/management-port.ts";
import { CEILING_MS, until } from "./until.ts";

/** By what OpenSM sends tables of several datagrams. Seen from src/rdma/fabric/simulation.ts, or from the bundle. */
const TABLES = import.meta.url.endsWith(".ts") ? "../../../build/umad-rmpp.so" : "../build/umad-rmpp.so";
/** What setpriv ends with when there is no such program. */
const NOT_FOUND = 127;

/** A fabric of hosts H1, H2, … at one switch, S1; the subnet manager is at H1. */
export class Fabric implements AsyncDisposable {
  readonly #place = mkdtempSync(join(tmpdir(), "heddle-fabric-"));
  readonly #children: ChildProcess[] = [];
  readonly port: number;
  #manager: ChildProcess | undefined;
  #failure: FabricError | undefined;
  /** OpenSM's log of the run before is kept: a new one has a new number. */
  #runs = 0;

  private constructor(port: number) {
    this.port = port;
  }

  /**
   * Starts ibsim and OpenSM, and waits for the subnet; hosts that are `slow` have a cable of one lane instead of four.
   * Rejects with FabricError when they cannot be had.
   */
  static async start(hosts: number, port = IBSIM_PORT, slow: readonly number[] = []): Promise<Fabric> {
    if (isTaken(port)) throw new FabricError(`UDP port ${port} is taken: another fabric has it`);
    const fabric = new Fabric(port);
    try {
      writeFileSync(join(fabric.#place, "net"), topology(hosts, slow));
      fabric.#start("ibsim", ["-r", "-l", String(port), "-s", "-n", "net"]);
      await fabric.#until("ibsim listens", () => isTaken(port));
      await fabric.startManager();
    } catch (error) {
      await fabric[Symbol.asyncDispose]();
      throw error;
    }
    return fabric;
  }

  /** Starts the subnet manager, and waits for the subnet. */
  async startManager(): Promise<void> {
    const log = join(this.#place, `osm-${this.#runs++}.log`);
    const config = ["guid 0x200002", "force_log_flush TRUE", `log_file ${log}`, `dump_files_dir ${this.#place}`];
    writeFileSync(join(this.#place, "osm.conf"), `${config.join("\n")}\n`);
    const [library] = globSync("/usr/lib/*/umad2sim/libumad2sim.so");
    if (library === undefined) throw new FabricError("libumad2sim.so is missing: install ibsim-utils");
    const tables = fileURLToPath(new URL(TABLES, import.meta.url));
    if (!existsSync(tables)) throw new FabricError("build/umad-rmpp.so is missing: run `make build`");
    this.#manager = this.#start("opensm", ["-e", "-F", "osm.conf"], {
      IBSIM_SERVER_NAME: "127.0.0.1",
      IBSIM_SERVER_PORT: String(this.port),
      SIM_HOST: "H1",
      OSM_CACHE_DIR: this.#place,
      OSM_TMP_DIR: this.#place,
      LD_PRELOAD: `${tables}:${library}`,
    });
    await this.#until("the subnet is up", () => existsSync(log) && readFileSync(log, "utf8").includes("SUBNET UP"));
  }

  /** Ends the subnet manager; what it knows of groups is lost. */
  async stopManager(): Promise<void> {
    if (this.#manager) await end(this.#manager);
    this.#manager = undefined;
  }

  /** Takes the files away, which ibsim and OpenSM have read: who is killed leaves none. The manager is not to be started again. */
  removeFiles(): void {
    rmSync(this.#place, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.toReversed()) await end(child);
    this.removeFiles();
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    await until(what, () => {
      if (this.#failure) throw this.#failure;
      return holds();
    });
  }

  #start(program: string, words: string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
    const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin`, ...environment };
    // It must not outlive this process, however that ends.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...words], {
      cwd: this.#place,
      env,
      stdio: "ignore",
    });
    child.on("exit", (code) => {
      if (code === NOT_FOUND) this.#failure = new FabricError(`${program} is missing: install ibsim-utils and opensm`);
    });
    this.#children.push(child);
    return child;
  }
}

/** Ends a child that takes its leave of ibsim, without which the next at its place would not be heard. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  const stuck = setTimeout(() => child.kill("SIGKILL"), CEILING_MS / 3);
  child.kill("SIGTERM");
  await gone;
  clearTimeout(stuck);
}

/** Whether somebody listens on the UDP port. Trying to take it would take it away from whom it is for. */
function isTaken(port: number): boolean {
  return readFileSync("/proc/net/udp", "utf8").includes(`:${port.toString(16).toUpperCase().padStart(4, "0")} `);
}

/** Hosts with one port each at a switch; the port's GUID is the host's and one. */
function topology(hosts: number, slow: readonly number[]): string {
  const numbers = Array.from({ length: hosts }, (_, i) => i + 1);
  const lanes = (number: number): string => (slow.includes(number) ? " w=1" : "");
  const plugs = numbers.map((number) => `[${number}] "H${number}"[1]${lanes(number)}`);
  const host = (number: number): string =>
    `caguid=0x${(0x200001 + (number - 1) * 0x100).toString(16)}\nCa 1 "H${number}"\n[1] "S1"[${number}]${lanes(number)}\n`;
  return `switchguid=0x100000\nSwitch 8 "S1"\n${plugs.join("\n")}\n\n${numbers.map(host).join("\n")}`;
}
