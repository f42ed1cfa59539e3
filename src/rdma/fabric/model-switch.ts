// Owns the model of a fabric's wire: one switch that passes native packets, LRH to VCRC, between sockets in a folder, one
// for each host, as its forwarding tables say. It checks what a switch checks, and drops what is wrong.
import { join } from "node:path";
import { FrameArena, FrameQueue, FrameSocket } from "../../host/frames.ts";
import { u16, u8 } from "../codec/bytes.ts";
import { FIRST_MLID, LRH_BYTES, lrhWords } from "../codec/lrh.ts";
import { computeVcrc, VCRC_BYTES } from "../codec/vcrc.ts";
import { IbsimPort } from "../sa/ibsim-port.ts";
import { MOST_PORTS, SwitchTables } from "./switch-tables.ts";

/** How often the tables are read. */
const READ_MS = 100;
/** How often hosts are looked for: one that takes another's place is not heard before. */
const LOOK_MS = 10;

/**
 * The sockets of a host of a fabric: the host's own, and the switch's for it. A fabric whose folder begins with "@" is
 * none of the file system's, and its network namespace's own.
 */
export function hostSockets(folder: string, node: string): { host: string; wire: string } {
  return { host: join(folder, `${node}.host`), wire: join(folder, `${node}.wire`) };
}

/** What a switch is made of. */
export interface SwitchOptions {
  folder: string;
  /** The switch's name in the simulated fabric. */
  node: string;
  /** ibsim's UDP port. */
  port: number;
  /** The hosts by their port on the switch, from 1. */
  hosts: Readonly<Record<number, string>>;
}

interface SwitchPort {
  number: number;
  socket: FrameSocket;
  /** The host's socket. */
  path: string;
  queue: FrameQueue;
  connected: boolean;
}

/** What a wire does to a packet that it would pass on: nothing, or less or more. `bytes` may be changed. */
export type Mischief = (bytes: Uint8Array, at: number, to: number, port: number) => "pass" | "lose" | "echo";

/** A running switch. */
export class ModelSwitch implements AsyncDisposable {
  /** What became of packets. */
  readonly counts = { passed: 0, broken: 0, vcrc: 0, source: 0, unknown: 0, unsent: 0, lost: 0 };
  /** Is asked for each packet that came in whole. */
  mischief: Mischief | undefined;
  readonly #node: IbsimPort;
  readonly #tables: SwitchTables;
  readonly #ports: SwitchPort[] = [];
  readonly #arena = new FrameArena();
  #timer: NodeJS.Timeout | undefined;
  readonly #looking: NodeJS.Timeout;
  #reading: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(node: IbsimPort) {
    this.#node = node;
    this.#tables = new SwitchTables(node);
    // A host may have gone, and another may have taken its place.
    this.#looking = setInterval(() => {
      for (const port of this.#ports) port.connected = port.socket.connect(port.path);
    }, LOOK_MS);
  }

  /** Starts one, whose tables are read. Rejects with FabricError, or HostError for a folder that cannot be used. */
  static async start({ folder, node, port, hosts }: SwitchOptions): Promise<ModelSwitch> {
    const started = new ModelSwitch(await IbsimPort.open({ node, port }));
    try {
      await started.#tables.read();
      for (const [number, host] of Object.entries(hosts)) started.#addPort(Number(number), hostSockets(folder, host));
      started.#readLater();
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
    return started;
  }

  /** The ports that a group's packets go to, a bit for each. */
  portsOf(mlid: number): number {
    return this.#tables.portsOf(mlid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#looking);
    await this.#reading;
    for (const { socket } of this.#ports) socket.close();
    await this.#node.close();
  }

  #addPort(number: number, { host, wire }: { host: string; wire: string }): void {
    if (number < 1 || number > MOST_PORTS) throw new RangeError(`a switch has no port ${number}`);
    const port = { number, socket: FrameSocket.atPath(wire), path: host, queue: new FrameQueue(), connected: false };
    port.socket.onReadable = () => this.#receive(port);
    this.#ports.push(port);
  }

  #readLater(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      // A manager that is away, or a fabric: what was read last holds on.
      this.#reading = this.#tables.read().catch(() => {});
      void this.#reading.then(() => this.#readLater());
    }, READ_MS);
  }

  #receive(from: SwitchPort): void {
    // Before a socket is connected to its peer, little waits in it, and the peer's packets are not taken.
    if (!from.connected) from.connected = from.socket.connect(from.path);
    const { bytes, lengths } = this.#arena;
    const count = from.socket.receive(this.#arena);
    for (let slot = 0; slot < count; slot++) {
      const at = this.#arena.at(slot);
      this.#take(from, at, at + (lengths[slot] as number));
    }
    for (const port of this.#ports) this.#flush(port, bytes);
  }

  #take(from: SwitchPort, at: number, to: number): void {
    const { bytes } = this.#arena;
    const end = at + LRH_BYTES > to ? 0 : at + lrhWords(bytes, at) * 4;
    if (end === 0 || end < at + LRH_BYTES || end + VCRC_BYTES !== to) return void this.counts.broken++;
    if (computeVcrc(bytes, at, end) !== (u8(bytes, end) | (u8(bytes, end + 1) << 8))) return void this.counts.vcrc++;
    if (this.#tables.portOf(u16(bytes, at + 6)) !== from.number) return void this.counts.source++;
    const doing = this.mischief?.(bytes, at, to, from.number) ?? "pass";
    if (doing === "lose") return void this.counts.lost++;
    const ports = this.#leadingTo(u16(bytes, at + 2)) & ~(1 << from.number);
    if (ports === 0) return void this.counts.unknown++;
    for (const port of this.#ports) {
      if ((ports & (1 << port.number)) !== 0 || (doing === "echo" && port === from)) port.queue.add(at, to - at);
    }
    this.counts.passed++;
  }

  #leadingTo(dlid: number): number {
    if (dlid >= FIRST_MLID) return this.#tables.portsOf(dlid);
    const port = this.#tables.portOf(dlid);
    return port === undefined ? 0 : 1 << port;
  }

  #flush(port: SwitchPort, bytes: Uint8Array): void {
    const { count } = port.queue;
    if (count === 0) return;
    if (!port.connected) port.connected = port.socket.connect(port.path);
    const sent = port.connected ? port.socket.send(bytes, port.queue) : 0;
    port.queue.count = 0;
    if (sent === count) return;
    this.counts.unsent += count - sent;
    port.connected = false;
  }
}
