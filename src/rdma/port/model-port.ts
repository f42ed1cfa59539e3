// Owns a port on the model of a fabric: an adapter of the model between a bridge, or a test's host, and the switch.
import { setTimeout as sleep } from "node:timers/promises";
import { FrameSocket } from "../../host/frames.ts";
import type { FrameArena, FrameQueue } from "../../host/frames.ts";
import { Adapter } from "../fabric/adapter.ts";
import type { Attachment } from "../fabric/adapter.ts";
import { hostSockets } from "../fabric/model-switch.ts";
import { computeVcrc, setVcrc, VCRC_BYTES } from "../codec/vcrc.ts";
import { IbsimPort } from "../sa/ibsim-port.ts";
import { FabricError } from "../sa/management-port.ts";
import { deadClient, placeNote, removePlaceNote, writePlaceNote } from "./model-place-note.ts";
import type { InfinibandPort } from "./infiniband-port.ts";

/** How long the switch is waited for, and how often it is tried: it looks for hosts a hundred times a second. */
const MEET_MS = 1000;
const SOON_MS = 5;
/** Any number that no management has. */
const QPN = 0x4942;

/** Which host of which fabric a port is. */
export interface ModelPlace {
  folder: string;
  node: string;
  /** ibsim's UDP port. */
  port: number;
}

export class ModelPort implements InfinibandPort {
  readonly management: IbsimPort;
  readonly qpn = QPN;
  readonly #adapter = new Adapter();
  readonly #socket: FrameSocket;
  readonly wire: { socket: FrameSocket; checks: true; seals: true };
  readonly #peer: string;
  readonly #note: string | undefined;
  #connected = false;

  private constructor(management: IbsimPort, { host, wire }: { host: string; wire: string }, note: string | undefined) {
    this.management = management;
    this.#note = note;
    this.#socket = FrameSocket.atPath(host);
    this.wire = { socket: this.#socket, checks: true, seals: true };
    this.#peer = wire;
  }

  /** Takes the place of a host. Rejects with FabricError when there is no such fabric, or no such host in it. */
  static async open({ folder, node, port }: ModelPlace): Promise<ModelPort> {
    const note = placeNote(folder, node);
    const dead = deadClient(note);
    const management = await IbsimPort.open({ node, port, ...(dead === undefined ? {} : { dead }) });
    try {
      const opened = new ModelPort(management, hostSockets(folder, node), note);
      writePlaceNote(note, management.client);
      opened.lid = (await management.place()).lid;
      if (await opened.#meetsSwitch()) return opened;
      opened.#socket.close();
      throw new FabricError(`no switch of the model answers at ${opened.#peer}`);
    } catch (error) {
      await management.close();
      throw error;
    }
  }

  /** A switch that has known another at this place takes a moment to see this one. */
  async #meetsSwitch(): Promise<boolean> {
    const end = performance.now() + MEET_MS;
    while (!(this.#connected = this.#socket.connect(this.#peer)) && performance.now() < end) await sleep(SOON_MS);
    return this.#connected;
  }

  get gid(): Uint8Array {
    return this.management.gid;
  }

  get lid(): number {
    return this.#adapter.lid;
  }

  set lid(lid: number) {
    this.#adapter.lid = lid;
  }

  get drops(): Readonly<Record<string, number>> {
    return this.#adapter.drops;
  }

  set onReadable(readable: () => void) {
    this.#socket.onReadable = readable;
  }

  attach(attachment: Attachment): void {
    this.#adapter.attach(attachment);
  }

  detach(mgid: Uint8Array): void {
    this.#adapter.detach(mgid);
  }

  receive(arena: FrameArena): number {
    const count = this.#socket.receive(arena);
    for (let slot = 0; slot < count; slot++) {
      const at = arena.at(slot);
      const length = arena.lengths[slot] as number;
      if (length !== 0 && !this.#adapter.takes(arena.bytes, at, at + length)) arena.lengths[slot] = 0;
    }
    return count;
  }

  send(bytes: Uint8Array, queue: FrameQueue): number {
    for (let i = 0; i < queue.count; i++) {
      const at = queue.places[2 * i] as number;
      const end = at + (queue.places[2 * i + 1] as number);
      setVcrc(bytes, end, computeVcrc(bytes, at, end));
      queue.places[2 * i + 1] = end + VCRC_BYTES - at;
    }
    if (!this.#connected) this.#connected = this.#socket.connect(this.#peer);
    const sent = this.#socket.send(bytes, queue);
    // The switch has gone; another may take its place.
    if (sent < queue.count) this.#connected = false;
    return sent;
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.management.close();
    removePlaceNote(this.#note);
  }
}
