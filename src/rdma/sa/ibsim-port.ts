// Owns a port of a simulated fabric: management datagrams to and from ibsim over UDP (ibsim 0.10, sim.h).
//
//     dlid:16 –:16 slid:16 –:16 dqp:32 sqp:32 status:32 –:32 length:64 MAD:256 bytes, as on the wire
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { GSI_QP, SMI_QP } from "../codec/bth.ts";
import { setU16, setU32, u16, u32, u8 } from "../codec/bytes.ts";
import { MAD_BYTES, MadHeader, MANAGEMENT_CLASS, METHOD, readMadHeader, writeMadHeader } from "../codec/mad.ts";
import { portMtu, portRate } from "../codec/rates.ts";
import { askAgain } from "./ask-again.ts";
import { IbsimControl } from "./ibsim-control.ts";
import type { IbsimPlace } from "./ibsim-control.ts";
import { FabricError } from "./management-port.ts";
import type { ManagementPort, PortPlace } from "./management-port.ts";

const PACKET_BYTES = 288;
const PACKET_MAD = 32;
/** Fields of PortInfo (IBA vol 1, 14.2.5.6). */
const PORT_INFO = { gidPrefix: 8, lid: 16, smLid: 18 } as const;
/** NodeInfo (IBA vol 1, 14.2.5.3), and where it has the GUID of the port that was asked. */
const NODE_INFO = { attribute: 0x0011, portGuid: 20 } as const;
/** Where a directed-route datagram (IBA vol 1, 14.2.1.2) has its LIDs and its data. */
const DIRECTED = { lids: 32, data: 64 } as const;
/** The LID that stands for the port itself. */
const PERMISSIVE_LID = 0xffff;

/** What a client of ibsim is. */
export interface IbsimOptions extends Partial<IbsimPlace> {
  /** The node of the fabric whose port this is: "H1". */
  node: string;
  /** Number of a client that had the place before, and was killed. */
  dead?: number;
}

/** A client of ibsim. It is open when `open` gives it. */
export class IbsimPort implements ManagementPort {
  onMad: (mad: Uint8Array, slid: number) => void = () => {};
  readonly gid = new Uint8Array(16);
  readonly #place: IbsimPlace;
  readonly #sockets: readonly Socket[];
  readonly #packets: Socket;
  readonly #control: IbsimControl;
  /** ibsim's port for this client's datagrams. */
  #door = 0;
  #lid = 0;
  /** Told what the port says of itself. */
  #onSelf: (mad: Uint8Array) => void = () => {};
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor({ host = "127.0.0.1", port = 7070, timeoutMs = 1000 }: IbsimOptions) {
    this.#place = { host, port, timeoutMs };
    const control = createSocket("udp4");
    this.#packets = createSocket("udp4");
    this.#sockets = [control, this.#packets];
    this.#control = new IbsimControl(control, this.#place);
    // Nobody listens yet, or any more: what is lost is asked for again.
    for (const socket of this.#sockets) socket.on("error", () => {});
    this.#packets.on("message", (message) => this.#receive(message));
  }

  /** Takes the place of a node's port. Rejects with FabricError when ibsim does not answer, or knows no such node. */
  static async open(options: IbsimOptions): Promise<IbsimPort> {
    const port = new IbsimPort(options);
    try {
      await port.#open(options.node, options.dead);
    } catch (error) {
      await port.close();
      throw error;
    }
    return port;
  }

  async place(): Promise<PortPlace> {
    const info = await this.#control.portInfo();
    this.#lid = u16(info, PORT_INFO.lid);
    const smLid = u16(info, PORT_INFO.smLid);
    const [rate, mtu] = [portRate(info), portMtu(info)];
    return {
      lid: this.#lid,
      smLid,
      ...(rate === undefined ? {} : { rate }),
      ...(mtu === undefined ? {} : { mtu }),
    };
  }

  send(mad: Uint8Array, dlid: number): void {
    this.#send(mad, dlid, GSI_QP);
  }

  /** May be called any number of times. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#control.disconnect();
    for (const socket of this.#sockets) socket.close();
  }

  /** The client's number at ibsim. */
  get client(): number {
    return this.#control.client;
  }

  async #open(node: string, dead: number | undefined): Promise<void> {
    for (const socket of this.#sockets) {
      socket.bind(0, this.#place.host);
      await once(socket, "listening");
    }
    if (dead !== undefined) await this.#control.bury(dead);
    const client = await this.#control.connect(node, this.#packets.address().port);
    this.#door = this.#place.port + 1 + client;
    const info = await this.#control.portInfo();
    this.gid.set(info.subarray(PORT_INFO.gidPrefix, PORT_INFO.gidPrefix + 8), 0);
    // ibsim's own message knows the node's GUID only; the port's comes from the port.
    const nodeInfo = await this.askSelf(NODE_INFO.attribute);
    this.gid.set(nodeInfo.subarray(NODE_INFO.portGuid, NODE_INFO.portGuid + 8), 8);
  }

  /**
   * What the node says of itself: an attribute of subnet management (IBA vol 1, 14.2.5), 64 bytes, by a route without
   * hops. Rejects with FabricError. Questions go one after the other: answers are told by their attribute only.
   */
  askSelf(attribute: number, modifier = 0): Promise<Uint8Array> {
    const turn = this.#turn.then(() => this.#askSelf(attribute, modifier));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #askSelf(attribute: number, modifier: number): Promise<Uint8Array> {
    const mad = new Uint8Array(MAD_BYTES);
    const header = new MadHeader();
    Object.assign(header, {
      managementClass: MANAGEMENT_CLASS.subnetDirected,
      classVersion: 1,
      method: METHOD.get,
      attribute,
      modifier,
    });
    writeMadHeader(mad, 0, header);
    setU32(mad, DIRECTED.lids, 0xffffffff);
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    this.#onSelf = (answer) => {
      readMadHeader(answer, 0, header);
      if (header.attribute === attribute && header.modifier === modifier) resolve(answer);
    };
    const { timeoutMs } = this.#place;
    const answer = await askAgain({ timeoutMs, attempts: 3 }, promise, () => this.#send(mad, PERMISSIVE_LID, SMI_QP));
    if (answer === undefined) throw new FabricError(`the port does not tell its attribute ${attribute}`);
    return answer.slice(DIRECTED.data, DIRECTED.data + 64);
  }

  #send(mad: Uint8Array, dlid: number, qp: number): void {
    if (mad.length !== MAD_BYTES) throw new RangeError(`a MAD has ${MAD_BYTES} bytes, not ${mad.length}`);
    const packet = new Uint8Array(PACKET_BYTES);
    setU16(packet, 0, dlid);
    // ibsim drops what comes from no LID.
    setU16(packet, 4, this.#lid === 0 ? PERMISSIVE_LID : this.#lid);
    setU32(packet, 8, qp);
    setU32(packet, 12, qp);
    setU32(packet, 28, MAD_BYTES);
    packet.set(mad, PACKET_MAD);
    this.#packets.send(packet, this.#door, this.#place.host);
  }

  #receive(packet: Uint8Array): void {
    // A status is that of what we sent: nobody answered. Whoever waits finds out by the time that it takes.
    if (packet.length !== PACKET_BYTES || u32(packet, 16) !== 0) return;
    const mad = new Uint8Array(packet.subarray(PACKET_MAD));
    if (u8(mad, 1) === MANAGEMENT_CLASS.subnetDirected) this.#onSelf(mad);
    else this.onMad(mad, u16(packet, 4));
  }
}
