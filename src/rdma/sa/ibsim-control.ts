// Owns the control messages between ibsim and its clients, over UDP (ibsim 0.10, sim.h).
//
//     magic:32 client:32 type:32 length:32 data:64 bytes, least significant byte first
import type { Socket } from "node:dgram";
import { askAgain } from "./ask-again.ts";
import { FabricError } from "./management-port.ts";

const MAGIC = 0xdeadbeef;
const MESSAGE_BYTES = 80;
const DATA = 16;
const DATA_BYTES = 64;
const TYPE = { error: 0, connect: 1, disconnect: 2, portInfo: 8 } as const;
/** How often ibsim is asked before it is taken for absent. */
const ATTEMPTS = 3;
/** The longest name of a node. */
const NAME_BYTES = 31;

/** Where ibsim is. */
export interface IbsimPlace {
  host: string;
  port: number;
  /** How long an answer of ibsim's may take; each of three attempts has as long. */
  timeoutMs: number;
}

/** The control connection of one client. */
export class IbsimControl {
  readonly #socket: Socket;
  readonly #place: IbsimPlace;
  #client = 0;
  /** Requests go one after the other: answers have no number. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(socket: Socket, place: IbsimPlace) {
    this.#socket = socket;
    this.#place = place;
  }

  /**
   * Takes the place of a node; its datagrams come to the UDP port. Gives the client's number. Rejects with FabricError
   * when ibsim does not answer, or knows no such node.
   */
  async connect(node: string, udpPort: number): Promise<number> {
    const name = new TextEncoder().encode(node);
    if (name.length === 0 || name.length > NAME_BYTES) throw new RangeError(`no name of a node: ${node}`);
    const request = new Uint8Array(DATA_BYTES);
    const view = new DataView(request.buffer);
    view.setUint32(0, udpPort, true);
    // The queue pair; and without the third word no requests of others come in, a subnet manager's reports, say.
    view.setUint32(4, 1, true);
    view.setUint32(8, 1, true);
    request.set(name, 12);
    const answer = await this.#ask(TYPE.connect, request);
    this.#client = new DataView(answer.buffer, answer.byteOffset).getUint32(0, true);
    return this.#client;
  }

  /**
   * Gives back the place of a client that was killed, by its number: ibsim would keep it for ever. Whoever calls this
   * knows that it is gone.
   */
  async bury(client: number): Promise<void> {
    this.#client = client;
    await this.disconnect();
    this.#client = 0;
  }

  /** The client's number; 0 while it is none. */
  get client(): number {
    return this.#client;
  }

  /** The PortInfo of the node's port (IBA vol 1, 14.2.5.6), 64 bytes. Rejects with FabricError. */
  portInfo(): Promise<Uint8Array> {
    return this.#ask(TYPE.portInfo, new Uint8Array(DATA_BYTES));
  }

  /** Gives the place back, if there is still somebody to give it to. */
  async disconnect(): Promise<void> {
    if (this.#client === 0) return;
    await this.#ask(TYPE.disconnect, new Uint8Array(DATA_BYTES)).catch((error: unknown) => {
      if (!(error instanceof FabricError)) throw error;
    });
  }

  #ask(type: number, data: Uint8Array): Promise<Uint8Array> {
    const turn = this.#turn.then(() => this.#exchange(type, data));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #exchange(type: number, data: Uint8Array): Promise<Uint8Array> {
    const { host, port, timeoutMs } = this.#place;
    const message = new Uint8Array(MESSAGE_BYTES);
    const view = new DataView(message.buffer);
    for (const [i, word] of [MAGIC, this.#client, type, DATA_BYTES].entries()) view.setUint32(i * 4, word, true);
    message.set(data, DATA);
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const hear = (bytes: Uint8Array): void => {
      if (isAnswer(bytes, type)) resolve(bytes);
    };
    this.#socket.on("message", hear);
    const answer = await askAgain({ timeoutMs, attempts: ATTEMPTS }, promise, () =>
      this.#socket.send(message, port, host),
    );
    this.#socket.off("message", hear);
    if (answer === undefined) throw new FabricError(`ibsim does not answer at ${host}, port ${port}`);
    if (typeOf(answer) === TYPE.error) throw new FabricError("ibsim refuses: it knows no such node, or is full");
    return answer.subarray(DATA);
  }
}

function typeOf(answer: Uint8Array): number {
  return new DataView(answer.buffer, answer.byteOffset).getUint32(8, true);
}

function isAnswer(bytes: Uint8Array, type: number): boolean {
  if (bytes.length !== MESSAGE_BYTES) return false;
  const magic = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return magic === MAGIC && (typeOf(bytes) === type || typeOf(bytes) === TYPE.error);
}
