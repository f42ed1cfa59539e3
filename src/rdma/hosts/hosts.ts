// Owns hosts on both fabrics that try groups: they send to them, and keep what they hear.
import { FrameArena, FrameQueue, FrameSocket, GroupMemberships } from "../../host/frames.ts";
import { groupMac } from "../bridge/mgid.ts";
import { socketFilter } from "../bridge/socket-filter.ts";
import { FAULT } from "../codec/fault.ts";
import { icrcIsRight } from "../codec/icrc.ts";
import { locateEthernet, locateInfiniband } from "../codec/locate.ts";
import { PacketParts } from "../codec/packet-parts.ts";
import type { McMemberRecord } from "../codec/sa-records.ts";
import type { PacketFields } from "../codec/build-packet.ts";
import { readPacket } from "../codec/read-packet.ts";
import { findEthernetLink } from "../port/ethernet-port.ts";
import type { EthernetLink } from "../port/ethernet-port.ts";
import { ModelPort } from "../port/model-port.ts";
import type { ModelPlace } from "../port/model-port.ts";
import { SaClient } from "../sa/sa-client.ts";
import { groupPacket } from "./messages.ts";

/** A packet that a host has heard. */
export interface Heard {
  fields: PacketFields;
  icrc: boolean;
}

/** Changes to a message. */
export type Change = (fields: PacketFields) => void;

/** A host on Ethernet. */
export class RoceHost implements Disposable {
  readonly heard: Heard[] = [];
  readonly link: EthernetLink;
  /** Told each packet instead of keeping it. */
  onHeard: ((bytes: Uint8Array, parts: PacketParts) => void) | undefined;
  readonly #socket: FrameSocket;
  readonly #memberships: GroupMemberships;
  readonly #arena = new FrameArena();
  readonly #parts = new PacketParts();

  private constructor(link: EthernetLink) {
    this.link = link;
    this.#socket = FrameSocket.onLink(link.index, socketFilter());
    this.#memberships = new GroupMemberships(link.index);
    this.#socket.onReadable = () => this.#receive();
  }

  /** A host with the addresses of a link; undefined when there is none of that name. Rejects with HostError. */
  static async on(name: string): Promise<RoceHost | undefined> {
    const link = await findEthernetLink(name);
    return link && new RoceHost(link);
  }

  join(group: Uint8Array): void {
    this.#memberships.join(group);
  }

  /** The frame of a message. */
  frame(group: Uint8Array, payload: Uint8Array, change: Change = () => {}): Uint8Array {
    return groupPacket(group.length === 4 ? "roce-ipv4" : "roce-ipv6", payload, (fields) => {
      fields.ethernet.source.set(this.link.mac);
      fields.ethernet.destination.set(groupMac(group));
      fields.ipv4.source.set(this.link.ipv4 ?? new Uint8Array(4));
      if (group.length === 4) fields.ipv4.destination.set(group);
      else {
        fields.grh.sgid.set(this.link.ipv6 ?? new Uint8Array(16));
        fields.grh.dgid.set(group);
        fields.grh.hopLimit = 64;
      }
      change(fields);
    });
  }

  send(group: Uint8Array, payload: Uint8Array, change?: Change): void {
    this.sendFrames([this.frame(group, payload, change)]);
  }

  sendFrames(frames: readonly Uint8Array[]): number {
    return sendAll(this.#socket, frames);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
    this.#memberships[Symbol.dispose]();
  }

  #receive(): void {
    const { bytes, lengths } = this.#arena;
    const count = this.#socket.receive(this.#arena);
    for (let slot = 0; slot < count; slot++) {
      const at = this.#arena.at(slot);
      if (locateEthernet(this.#parts, bytes, at, at + (lengths[slot] as number)) !== FAULT.none) continue;
      if (this.onHeard) this.onHeard(bytes, this.#parts);
      else this.heard.push({ fields: readPacket(this.#parts, bytes, at), icrc: icrcIsRight(this.#parts, bytes) });
    }
  }
}

/** What a group on InfiniBand is made with by such a host: as RDMA-CM's are. */
export const GROUP = { qKey: 0x01234567, pKey: 0xffff, sl: 0, flowLabel: 0, trafficClass: 0 };

/** A host on the model of InfiniBand. */
export class InfinibandHost implements AsyncDisposable {
  readonly heard: Heard[] = [];
  readonly port: ModelPort;
  readonly sa: SaClient;
  onHeard: ((bytes: Uint8Array, parts: PacketParts) => void) | undefined;
  readonly #records = new Map<string, McMemberRecord>();
  readonly #arena = new FrameArena();
  readonly #parts = new PacketParts();

  private constructor(port: ModelPort) {
    this.port = port;
    this.sa = new SaClient(port.management);
    port.onReadable = () => this.#receive();
  }

  static async at(place: ModelPlace): Promise<InfinibandHost> {
    return new InfinibandHost(await ModelPort.open(place));
  }

  async join(mgid: Uint8Array, joinState = 1, more: Partial<McMemberRecord> = GROUP): Promise<McMemberRecord> {
    const record = await this.sa.join(mgid, joinState, more);
    this.#records.set(mgid.join(), record);
    this.port.attach({ mgid, mlid: record.mlid, qKey: record.qKey });
    return record;
  }

  /** Gives up a full membership. */
  async leave(mgid: Uint8Array): Promise<void> {
    this.#records.delete(mgid.join());
    this.port.detach(mgid);
    await this.sa.leave(mgid, 1);
  }

  /** The packet of a message without its VCRC, with what the group's record says. */
  packet(mgid: Uint8Array, payload: Uint8Array, change: Change = () => {}): Uint8Array {
    const record = this.#records.get(mgid.join());
    if (record === undefined) throw new Error("the host is not in the group");
    const bytes = groupPacket("ib-global", payload, (fields) => {
      Object.assign(fields.lrh, { slid: this.port.lid, dlid: record.mlid, sl: record.sl });
      Object.assign(fields.grh, { hopLimit: record.hopLimit, flowLabel: record.flowLabel });
      fields.grh.sgid.set(this.port.gid);
      fields.grh.dgid.set(mgid);
      fields.bth.migrated = true;
      fields.deth.qKey = record.qKey;
      change(fields);
    });
    return bytes.subarray(0, bytes.length - 2);
  }

  send(mgid: Uint8Array, payload: Uint8Array, change?: Change): void {
    this.sendPackets([this.packet(mgid, payload, change)]);
  }

  sendPackets(packets: readonly Uint8Array[]): number {
    return sendAll(this.port, packets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.port.close();
  }

  #receive(): void {
    const { bytes, lengths } = this.#arena;
    const count = this.port.receive(this.#arena);
    for (let slot = 0; slot < count; slot++) {
      const at = this.#arena.at(slot);
      const length = lengths[slot] as number;
      if (length <= 0 || locateInfiniband(this.#parts, bytes, at, at + length) !== FAULT.none) continue;
      if (this.onHeard) this.onHeard(bytes, this.#parts);
      else this.heard.push({ fields: readPacket(this.#parts, bytes, at), icrc: icrcIsRight(this.#parts, bytes) });
    }
  }
}

/** Sends at most a batch, with room for a VCRC behind each. */
function sendAll(port: Pick<FrameSocket, "send">, frames: readonly Uint8Array[]): number {
  const queue = new FrameQueue();
  const bytes = new Uint8Array(frames.reduce((sum, { length }) => sum + length + 2, 0));
  let at = 0;
  for (const frame of frames) {
    bytes.set(frame, at);
    queue.add(at, frame.length);
    at += frame.length + 2;
  }
  return port.send(bytes, queue);
}
