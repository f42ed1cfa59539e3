// Owns the path of one contestant when packets come as network cards bring them: frames without a socket's buffer round
// them go into a router, and leave by two links that drop what they get.
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { closeSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import { constants } from "node:os";
import { HostError } from "../src/host/error.ts";
import { Attributes, COMMAND, tryCall } from "../src/host/bpf/call.ts";
import { parseObject } from "../src/host/bpf/elf.ts";
import { openPrograms } from "../src/host/bpf/load.ts";
import type { LoadedObject } from "../src/host/bpf/load.ts";
import { number64 } from "../src/host/bpf/spread-frames.ts";
import { numberKey } from "../src/host/bpf/spread-maps.ts";
import { openNamespace } from "../src/host/native.ts";
import { BenchRouter, FAR_LINKS, ROUTER_MAC, run } from "./router.ts";

/** Bytes of a frame. */
const FRAME = 60;
/** BPF_F_TEST_XDP_LIVE_FRAMES: what the program sends is really sent. */
const LIVE = 2;
/** Frames between two looks of the kernel at whether a signal waits; more at once are cut off by one. */
const BATCH = 4000;

/** What the kernel's threads for softirqs, one for each CPU, have used. */
const SOFTIRQ_THREADS = readdirSync("/proc")
  .filter((name) => /^[0-9]+$/.test(name) && existsSync(`/proc/${name}/comm`))
  .filter((name) => readFileSync(`/proc/${name}/comm`, "utf8").startsWith("ksoftirqd/"))
  .map((name) => `/proc/${name}/schedstat`);

/** Two namespaces below the bench's own, until they are disposed of. */
export class FramesStand implements AsyncDisposable {
  readonly router: BenchRouter;
  readonly #sender: string;
  readonly #sink: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  #generator: { loaded: LoadedObject; namespace: number } | undefined;

  private constructor(number: number) {
    this.#sender = `f${number}-sender`;
    this.router = new BenchRouter(`f${number}-router`);
    run("ip", "netns", "add", this.#sender);
    this.router.ip(`link add ib0 type veth peer name out netns ${this.#sender}`);
    run("ip", "-n", this.#sender, "link", "set", "out", "up");
    const words = [`--net=/run/netns/${this.router.name}`, "build/bench-sink", ...FAR_LINKS];
    this.#sink = spawn("nsenter", words, { stdio: "pipe" });
    this.#lines = createInterface(this.#sink.stdout);
  }

  static async make(number: number): Promise<FramesStand> {
    const stand = new FramesStand(number);
    await stand.#line();
    stand.router.setUp();
    // A veth link hands out frames once it polls for them.
    run("nsenter", `--net=/run/netns/${stand.router.name}`, "ethtool", "-K", "ib0", "gro", "on");
    const namespace = openNamespace(`/run/netns/${stand.#sender}`);
    const out = JSON.parse(run("ip", "-n", stand.#sender, "-j", "link", "show", "out")) as { ifindex: number }[];
    const to = ROUTER_MAC.split(":").reduceRight((all, byte) => (all << 8n) | BigInt(`0x${byte}`), 0n);
    const constants = { out: numberKey(out[0]?.ifindex ?? 0), to: number64(to) };
    const loaded = openPrograms(parseObject(readFileSync("build/bench/frames.o")), { constants });
    stand.#generator = { loaded, namespace };
    return stand;
  }

  /**
   * Sends, and gives the CPU time that it took, ns: of this process, in whose softirqs the way to the links runs, and of
   * the kernel's own threads, to which it goes when there is too much of it. Throws when frames were lost on the way in.
   */
  send(frames: number): number {
    const program = this.#generator?.loaded.programs.get("xdp");
    if (!this.#generator || !program) throw new Error("there is nothing to send by");
    const { namespace } = this.#generator;
    const input = new Uint8Array(FRAME);
    // struct xdp_md: data_end, and the link that the frames seem to come in by.
    const context = new Uint8Array(24);
    new DataView(context.buffer).setUint32(4, FRAME, true);
    new DataView(context.buffer).setUint32(12, 1, true);
    const [before, atOthers, { user, system }] = [this.#cameIn(), softirqThreadsNs(), process.cpuUsage()];
    let sent = 0;
    while (sent < frames) {
      const attributes = new Attributes(80).u32(0, program.fd).u32(8, FRAME).pointer(16, input);
      attributes.u32(32, BATCH).u32(40, context.length).pointer(48, context).u32(64, LIVE);
      const answer = tryCall(COMMAND.testRun, attributes, namespace);
      // A signal ends a batch: it counts as not sent, whatever went.
      if (answer >= 0) sent += BATCH;
      else if (answer !== -constants.errno.EINTR) throw new HostError({ errno: answer, object: "frames to send" });
    }
    const after = process.cpuUsage();
    const took = (after.user + after.system - user - system) * 1000 + softirqThreadsNs() - atOthers;
    const came = this.#cameIn() - before;
    if (came < sent) throw new Error(`of ${sent} frames ${came} came to the router`);
    return took / came;
  }

  /** How many frames the router has had. */
  #cameIn(): number {
    const words = ["-n", this.router.name, "-s", "-j", "link", "show", "ib0"];
    const [link] = JSON.parse(run("ip", ...words)) as { stats64: { rx: { packets: number } } }[];
    return link?.stats64.rx.packets ?? 0;
  }

  /** How many packets have come to each link since the last time, of those for which there was room. */
  async received(): Promise<number[]> {
    this.#sink.stdin.write("count\n");
    return (await this.#line()).split(" ").map(Number);
  }

  async #line(): Promise<string> {
    const [line] = (await once(this.#lines, "line")) as [string];
    return line;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sink.stdin.end();
    await new Promise((resolve) => this.#sink.once("exit", resolve));
    this.#generator?.loaded[Symbol.dispose]();
    if (this.#generator) closeSync(this.#generator.namespace);
    run("ip", "netns", "del", this.#sender);
    this.router[Symbol.dispose]();
  }
}

/** CPU time of the kernel's threads for softirqs so far, ns (schedstat, proc(5)). */
function softirqThreadsNs(): number {
  return SOFTIRQ_THREADS.reduce((sum, path) => sum + Number(readFileSync(path, "utf8").split(" ")[0]), 0);
}
