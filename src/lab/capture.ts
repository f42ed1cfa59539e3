// Owns the recording of frames at ports of the lab's switch.
//
// socat's INTERFACE address reads a packet socket and its hex dump (-x) frames the packets. tcpdump would be the usual
// choice, but Debian's insists on changing its user, which a user namespace that knows root alone forbids. What is
// recorded at a port includes both ways; a frame that the host sent carries the host's hardware address as its source.
import type { ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { PlacedLink } from "./batches.ts";
import { killGroup, must, start, waitFor } from "./child.ts";
import { enterNamespace } from "./environment.ts";
import { decodeFrame, type Frame } from "./frame.ts";
import { HexDump } from "./hex-dump.ts";
import { LabError } from "./lab-error.ts";
import { packetDrops, packetQueue, socketInodes } from "./packet-socket.ts";

/** Enough for every header that is decoded: Ethernet, IPv6, a neighbour's target or TCP's flags. */
const SNAP_BYTES = 80;
/** Room for a burst, in bytes; the kernel gives what net.core.rmem_max allows. */
const ROOM_BYTES = 4 * 1024 * 1024;

export interface CaptureOptions {
  /** Frames to keep; all without it. */
  keep?: (frame: CapturedFrame) => boolean;
}

/** A frame with the link at whose port it was seen. */
export type CapturedFrame = Frame & { host: string; link: string; sentByHost: boolean };

/** A recording that runs. Frames of one port are in order; those of different ports are not ordered among each other. */
export class Capture implements AsyncDisposable {
  readonly #recorders: readonly Recorder[];
  /** Tells the sockets of the switch's namespace with their losses. */
  readonly #sockets: () => Promise<string>;

  private constructor(recorders: readonly Recorder[], sockets: () => Promise<string>) {
    this.#recorders = recorders;
    this.#sockets = sockets;
  }

  /** Starts one recorder for each port; returns when each of them sees every frame. */
  static async start(
    netns: string,
    links: readonly PlacedLink[],
    env: NodeJS.ProcessEnv,
    options: CaptureOptions,
    track: (child: ChildProcess) => void,
  ): Promise<Capture> {
    const recorders = await Promise.all(
      links.map(async (link) => {
        const source = `INTERFACE:${link.port},so-rcvbuf=${ROOM_BYTES}`;
        // Without stdbuf, socat makes a system call for each byte of the dump.
        const socat = ["stdbuf", "-eL", "socat", "-u", "-x", "-b", String(SNAP_BYTES), source, "OPEN:/dev/null"];
        const child = await start([...enterNamespace(netns), ...socat], "ignore", env);
        track(child);
        return new Recorder(child, link, options);
      }),
    );
    const capture = new Capture(recorders, () => must([...enterNamespace(netns), "ss", "-0Hnme"], { env }));
    try {
      await Promise.all(recorders.map((recorder) => recorder.ready()));
      return capture;
    } catch (error) {
      await capture[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Waits until everything that has passed the ports so far is recorded; gives it, and forgets it. LabError when frames
   * were lost because they came too fast: what was not seen would prove nothing.
   */
  async take(): Promise<CapturedFrame[]> {
    await Promise.all(this.#recorders.map((recorder) => recorder.drained()));
    const drops = packetDrops(await this.#sockets());
    await Promise.all(this.#recorders.map((recorder) => recorder.assertWhole(drops)));
    return this.#recorders.flatMap((recorder) => recorder.frames.splice(0));
  }

  /** Like take, and ends the recording. */
  async stop(): Promise<CapturedFrame[]> {
    try {
      return await this.take();
    } finally {
      await this[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#recorders.map((recorder) => recorder.end()));
  }
}

class Recorder {
  readonly frames: CapturedFrame[] = [];
  readonly #child: ChildProcess;
  readonly #link: PlacedLink;
  #bytes = 0;

  constructor(child: ChildProcess, link: PlacedLink, options: CaptureOptions) {
    this.#child = child;
    this.#link = link;
    const dump = new HexDump();
    child.stdout?.resume();
    child.stderr?.setEncoding("latin1").on("data", (chunk: string) => {
      this.#bytes += chunk.length;
      for (const bytes of dump.push(chunk)) {
        const frame = decodeFrame(bytes);
        if (!frame) continue;
        const captured = { ...frame, host: link.host, link: link.name, sentByHost: frame.sourceMac === link.mac };
        if (options.keep?.(captured) ?? true) this.frames.push(captured);
      }
    });
  }

  /** Waits until the packet socket is bound. */
  async ready(): Promise<void> {
    await waitFor(`the recorder at ${this.#link.port}`, async () =>
      (await this.#queued()) === undefined ? undefined : true,
    );
  }

  /**
   * Waits until nothing is on its way: no packet in the socket, socat asleep, and no text in the pipe. socat sleeps
   * in a full pipe as well, but then there is text to read, and the next round sees it.
   */
  async drained(): Promise<void> {
    await waitFor(`the recorder at ${this.#link.port} to be done`, async () => {
      const before = this.#bytes;
      const queued = await this.#queued();
      const stat = await readFile(`/proc/${this.#child.pid}/stat`, "latin1");
      // A turn of the event loop reads what is in the pipe.
      await new Promise((resolve) => setTimeout(resolve, 1));
      const asleep = stat.slice(stat.lastIndexOf(")") + 2).startsWith("S");
      return queued === 0 && asleep && this.#bytes === before ? true : undefined;
    });
  }

  /** LabError when this recorder's socket is among those that lost frames. */
  async assertWhole(drops: ReadonlyMap<number, number>): Promise<void> {
    for (const inode of await socketInodes(this.#child.pid as number)) {
      const lost = drops.get(inode) ?? 0;
      if (lost > 0)
        throw new LabError(`${lost} frames were lost at ${this.#link.port}: they came too fast to be recorded`);
    }
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    killGroup(this.#child.pid as number);
    await ended;
  }

  /** Bytes that wait in the packet socket; undefined until it is bound. */
  async #queued(): Promise<number | undefined> {
    if (this.#child.exitCode !== null) throw new LabError(`the recorder at ${this.#link.port} has ended`);
    const program = await readFile(`/proc/${this.#child.pid}/comm`, "latin1");
    // Until nsenter has become socat, /proc shows the namespace of this process.
    if (program.trim() !== "socat") return undefined;
    const table = await readFile(`/proc/${this.#child.pid}/net/packet`, "latin1");
    return packetQueue(table, await socketInodes(this.#child.pid as number));
  }
}
