// Owns hosts of tests that send messages to one another by IP address: they find each other by ARP and RDMA-CM's requests
// (SIDR), as programs do, and answer what comes to their queue pairs.
import { FrameArena, FrameQueue, FrameSocket } from "../../../host/frames.ts";
import { formatAddress } from "../../../model/ip.ts";
import {
  FLAG,
  makeAdvertisement,
  makeAnswer,
  makeClaim,
  makeQuestion,
  readNd,
  solicitedNodeOf,
} from "../../../probes/nd.ts";
import type { LinkLayer, LinkPacket } from "../../../probes/nd.ts";
import { nativeDatagram, roceDatagram } from "../../bridge/datagrams.ts";
import { GSI_QKEY } from "../../bridge/messages.ts";
import { makeMgid } from "../../bridge/mgid.ts";
import { EthernetTarget, InfinibandTarget } from "../../bridge/rewrite.ts";
import { socketFilter } from "../../bridge/socket-filter.ts";
import { sidrRep, sidrReq, toldBy } from "../../bridge/testing/message-stand.ts";
import { Arp, ARP, readArp, writeArp } from "../../codec/arp.ts";
import { u16, u24, u32, u8 } from "../../codec/bytes.ts";
import { CM_ATTRIBUTE } from "../../codec/cm.ts";
import { Ethernet, ETHERNET_BYTES, ETHERTYPE, writeEthernet } from "../../codec/ethernet.ts";
import { FAULT } from "../../codec/fault.ts";
import { icrcIsRight } from "../../codec/icrc.ts";
import {
  IPOIB_ARP_BYTES,
  IPOIB_BYTES,
  IpoibArp,
  ipoibType,
  readIpoibArp,
  writeIpoib,
  writeIpoibArp,
} from "../../codec/ipoib.ts";
import { locateEthernet, locateInfiniband } from "../../codec/locate.ts";
import { PacketParts } from "../../codec/packet-parts.ts";
import type { McMemberRecord } from "../../codec/sa-records.ts";
import { readPacket } from "../../codec/read-packet.ts";
import { findEthernetLink } from "../../port/ethernet-port.ts";
import type { EthernetLink } from "../../port/ethernet-port.ts";
import { ModelPort } from "../../port/model-port.ts";
import type { ModelPlace } from "../../port/model-port.ts";
import { until } from "../../fabric/until.ts";
import { SaClient } from "../../sa/sa-client.ts";
import { IPOIB_QKEY } from "../subnet.ts";
import { GROUP } from "../../hosts/hosts.ts";
import { groupPacket, withImmediate } from "../../hosts/messages.ts";
import { bytesOf } from "./stand.ts";

/** Who a message is for, or is from, in the words of its side. */
export interface Peer {
  /** On Ethernet. */
  mac?: Uint8Array;
  ip?: Uint8Array;
  /** On InfiniBand. */
  lid?: number;
  qpn: number;
  qKey: number;
}

/** A message that came. */
export interface Message {
  payload: Uint8Array;
  from: Peer;
  /** The queue pair that it came to. */
  qpn: number;
  immediate: number;
  icrc: boolean;
}

/** What an asked service says: its queue pair, or a status. */
export type Service = { qpn: number; qKey: number } | { status: number };

/** What both sorts of hosts can. */
export abstract class End {
  readonly address: string;
  readonly messages: Message[] = [];
  /** By port: what is answered to who asks. */
  readonly services = new Map<number, () => Service>();
  /** Told each message instead of keeping it. */
  onMessage: ((message: Message) => void) | undefined;
  /** Requests that came. */
  asked = 0;
  /** Others that say that they have its IPv6 address. */
  objections = 0;
  readonly #answers = new Map<number, ReturnType<typeof toldBy>>();
  #requestId = 0x1000;

  constructor(address: string) {
    this.address = address;
  }

  abstract sendMad(to: Peer, mad: Uint8Array): void;
  abstract send(to: Peer, qpn: number, payload: Uint8Array): void;
  /** Where packets to an address go; undefined when nobody says. */
  abstract resolve(address: string): Promise<Peer | undefined>;

  /** Asks for a service as RDMA-CM does. Undefined when nobody answers; `attempts` of 250 ms. */
  async ask(address: string, port: number, attempts = 20): Promise<(Peer & { status: number }) | undefined> {
    const peer = await this.resolve(address);
    if (peer === undefined) return undefined;
    const requestId = this.#requestId++;
    const mad = sidrReq({ address: this.address }, { address }, { requestId, port, tid: requestId });
    for (let attempt = 0; attempt < attempts; attempt++) {
      this.sendMad(peer, mad);
      for (let i = 0; i < 25 && !this.#answers.has(requestId); i++) await new Promise((next) => setTimeout(next, 10));
      const told = this.#answers.get(requestId);
      if (told !== undefined) return { ...peer, qpn: told.qpn, qKey: told.qKey, status: told.status };
    }
    return undefined;
  }

  /** Answers every message with what it was. */
  echo(): void {
    this.onMessage = ({ payload, from, qpn }) => this.send(from, qpn, payload);
  }

  /** Takes a datagram of queue pair 1. */
  protected takeMad(mad: Uint8Array, from: Peer): void {
    const attribute = u16(mad, 16);
    if (attribute === CM_ATTRIBUTE.sidrRep) return void this.#answers.set(u32(mad, 24), toldBy(mad));
    if (attribute !== CM_ATTRIBUTE.sidrReq) return;
    this.asked++;
    const service = this.services.get(u32(mad, 36) & 0xffff)?.();
    this.sendMad(from, sidrRep(mad, service ?? { status: 1 }));
  }

  protected take(message: Message): void {
    if (this.onMessage) this.onMessage(message);
    else this.messages.push(message);
  }
}

/** A host on Ethernet, with an address that the kernel does not know. */
export class RoceEnd extends End implements Disposable {
  /** Can be another: a card that was changed. */
  mac: Uint8Array;
  readonly #link: EthernetLink;
  readonly #socket: FrameSocket;
  readonly #arena = new FrameArena();
  readonly #parts = new PacketParts();
  readonly #known = new Map<string, Uint8Array>();

  private constructor(address: string, link: EthernetLink) {
    super(address);
    this.#link = link;
    this.mac = link.mac;
    this.#socket = FrameSocket.onLink(link.index, socketFilter(true));
    this.#socket.onReadable = () => this.#receive();
  }

  static async on(name: string, address: string): Promise<RoceEnd> {
    const link = await findEthernetLink(name);
    if (link === undefined) throw new Error(`no link ${name}`);
    return new RoceEnd(address, link);
  }

  async resolve(address: string): Promise<Peer | undefined> {
    this.#known.delete(address);
    for (let i = 0; i < 100 && !this.#known.has(address); i++) {
      if (i % 20 === 0) {
        if (address.includes(":")) this.sendNd(makeQuestion(this.#layer, bytesOf(this.address), bytesOf(address)));
        else this.#sendArp(ARP.request, new Uint8Array(6).fill(0xff), bytesOf(address));
      }
      await new Promise((next) => setTimeout(next, 10));
    }
    const mac = this.#known.get(address);
    return mac && { mac, ip: bytesOf(address), qpn: 1, qKey: GSI_QKEY };
  }

  /** Claims its address, as before it is used. */
  claim(): void {
    this.sendNd(makeClaim(this.#layer, bytesOf(this.address)));
  }

  get #layer(): LinkLayer {
    return { hardware: 1, own: this.mac, broadcast: new Uint8Array(6).fill(0xff) };
  }

  sendNd(packet: LinkPacket | undefined): void {
    if (packet === undefined) return;
    const frame = new Uint8Array(ETHERNET_BYTES + packet.bytes.length);
    const ethernet = Object.assign(new Ethernet(), { type: ETHERTYPE.ipv6 });
    ethernet.destination.set(packet.to);
    ethernet.source.set(this.mac);
    writeEthernet(frame, 0, ethernet);
    frame.set(packet.bytes, ETHERNET_BYTES);
    this.sendFrame(frame);
  }

  /** Tells everybody that it is there. */
  announce(): void {
    this.#sendArp(ARP.request, new Uint8Array(6).fill(0xff), bytesOf(this.address));
  }

  sendMad(to: Peer, mad: Uint8Array): void {
    this.send({ ...to, qpn: 1, qKey: GSI_QKEY }, 1, mad);
  }

  send(to: Peer, qpn: number, payload: Uint8Array): void {
    this.sendFrame(this.frame(to, qpn, payload));
  }

  frame(to: Peer, qpn: number, payload: Uint8Array): Uint8Array {
    const target = new EthernetTarget();
    Object.assign(target, { source: bytesOf(this.address), destination: to.ip, mac: to.mac, sourceMac: this.mac });
    Object.assign(target, { hopLimit: 64, pKey: 0xffff, qKey: to.qKey, destQp: to.qpn, srcQp: qpn });
    return roceDatagram(target, payload);
  }

  sendFrame(frame: Uint8Array): void {
    const queue = new FrameQueue();
    queue.add(0, frame.length);
    this.#socket.send(frame, queue);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #sendArp(operation: number, mac: Uint8Array, targetIp: Uint8Array): void {
    const frame = new Uint8Array(60);
    const ethernet = Object.assign(new Ethernet(), { type: ETHERTYPE.arp });
    ethernet.destination.set(mac);
    ethernet.source.set(this.mac);
    writeEthernet(frame, 0, ethernet);
    const arp = Object.assign(new Arp(), { operation });
    arp.sender.set(this.mac);
    arp.senderIp.set(bytesOf(this.address));
    arp.targetIp.set(targetIp);
    writeArp(frame, ETHERNET_BYTES, arp);
    this.sendFrame(frame);
  }

  #receive(): void {
    const { bytes, lengths } = this.#arena;
    const count = this.#socket.receive(this.#arena);
    for (let slot = 0; slot < count; slot++) {
      const at = this.#arena.at(slot);
      const to = at + (lengths[slot] as number);
      if (u16(bytes, at + 12) === ETHERTYPE.arp) this.#takeArp(bytes, at + ETHERNET_BYTES, to);
      else if (u16(bytes, at + 12) === ETHERTYPE.ipv6 && u8(bytes, at + 20) === 58) {
        this.#takeNd(bytes.slice(at + ETHERNET_BYTES, to), bytes.slice(at + 6, at + 12));
      } else if (locateEthernet(this.#parts, bytes, at, to) === FAULT.none) this.#takePacket(bytes, at);
    }
  }

  #takeArp(bytes: Uint8Array, at: number, to: number): void {
    const arp = new Arp();
    if (!readArp(bytes, at, to, arp)) return;
    if (arp.operation === ARP.reply) this.#known.set([...arp.senderIp].join("."), arp.sender);
    else if ([...arp.targetIp].join(".") === this.address && [...arp.senderIp].join(".") !== this.address) {
      this.#sendArp(ARP.reply, arp.sender, arp.senderIp);
    }
  }

  #takeNd(packet: Uint8Array, mac: Uint8Array): void {
    const heard = readNd(packet);
    if (heard?.wanted === this.address) {
      this.sendNd(makeAnswer(this.#layer, bytesOf(this.address), { ip: bytesOf(heard.present ?? ""), hardware: mac }));
    } else if (heard?.claimed === this.address) {
      this.sendNd(makeAdvertisement(this.#layer, bytesOf(this.address), FLAG.override));
    } else if (heard?.present !== undefined && heard.wanted === undefined) {
      if (heard.present === this.address) this.objections++;
      this.#known.set(heard.present, heard.hardware ?? mac);
    }
  }

  #takePacket(bytes: Uint8Array, at: number): void {
    const { ethernet, ipv4, grh, bth, deth, immediate, payload } = readPacket(this.#parts, bytes, at);
    const [ip, to] = this.#parts.ipv4 >= 0 ? [ipv4.source, ipv4.destination] : [grh.sgid, grh.dgid];
    if (formatAddress(to) !== this.address) return;
    const from = { mac: ethernet.source, ip, qpn: deth.srcQp, qKey: deth.qKey };
    if (bth.destQp === 1) this.takeMad(payload, from);
    else this.take({ payload, from, qpn: bth.destQp, immediate, icrc: icrcIsRight(this.#parts, bytes) });
  }

  get link(): EthernetLink {
    return this.#link;
  }
}

const IPOIB_QPN = 0x99;
const BROADCAST = makeMgid({ format: "ipoib", group: new Uint8Array(4).fill(0xff), pKey: 0xffff, scope: 2 });

/** The group of IPoIB that stands for one of IPv6. */
function mgidOf(group: Uint8Array): Uint8Array {
  return makeMgid({ format: "ipoib", group, pKey: 0xffff, scope: 2 });
}

/** A host on the model of InfiniBand, with IPoIB's ARP. */
export class InfinibandEnd extends End implements AsyncDisposable {
  readonly port: ModelPort;
  readonly #sa: SaClient;
  readonly #arena = new FrameArena();
  readonly #parts = new PacketParts();
  readonly #known = new Map<string, Uint8Array>();
  #group: McMemberRecord | undefined;

  private constructor(address: string, port: ModelPort) {
    super(address);
    this.port = port;
    this.#sa = new SaClient(port.management);
    this.#sa.onOther = (mad, slid) => this.takeMad(mad, { lid: slid, qpn: 1, qKey: GSI_QKEY });
    port.onReadable = () => this.#receive();
  }

  static async at(place: ModelPlace, address: string): Promise<InfinibandEnd> {
    const end = new InfinibandEnd(address, await ModelPort.open(place));
    await end.rejoin();
    return end;
  }

  /** Joins the group by which hosts find each other, once more where the manager has forgotten it. */
  async rejoin(): Promise<void> {
    this.#group = await this.#sa.join(BROADCAST, 1, { ...GROUP, qKey: IPOIB_QKEY });
    this.port.attach({ mgid: BROADCAST, mlid: this.#group.mlid, qKey: this.#group.qKey });
    if (!this.address.includes(":")) return;
    const { qKey, mtu, rate } = this.#group;
    const like = { ...GROUP, qKey, mtuSelector: 2, mtu, rateSelector: 2, rate };
    for (const group of [solicitedNodeOf(bytesOf(this.address)), bytesOf("ff02::1")]) {
      const record = await this.#sa.join(mgidOf(group), 1, like);
      this.port.attach({ mgid: record.mgid, mlid: record.mlid, qKey: record.qKey });
    }
  }

  async resolve(address: string): Promise<Peer | undefined> {
    this.#known.delete(address);
    for (let i = 0; i < 100 && !this.#known.has(address); i++) {
      if (i % 20 === 0) {
        if (!address.includes(":")) this.#sendArp(ARP.request, undefined, bytesOf(address));
        else await this.#sendNd(makeQuestion(this.#layer, bytesOf(this.address), bytesOf(address)), bytesOf(address));
      }
      await new Promise((next) => setTimeout(next, 10));
    }
    const gid = this.#known.get(address);
    if (gid === undefined) return undefined;
    const { dlid } = await this.#sa.path(gid);
    return { lid: dlid, qpn: 1, qKey: GSI_QKEY };
  }

  sendMad(to: Peer, mad: Uint8Array): void {
    this.port.management.send(mad, to.lid as number);
  }

  send(to: Peer, qpn: number, payload: Uint8Array): void {
    this.sendPacket({ dlid: to.lid as number, destQp: to.qpn, qKey: to.qKey, srcQp: qpn }, payload);
  }

  sendPacket(fields: Partial<InfinibandTarget>, payload: Uint8Array): void {
    const target = Object.assign(new InfinibandTarget(), { slid: this.port.lid, pKey: 0xffff, ...fields });
    target.sgid = this.port.gid;
    const { bytes, length } = nativeDatagram(target, payload);
    const queue = new FrameQueue();
    queue.add(0, length);
    this.port.send(bytes, queue);
  }

  /** Sends with immediate data. */
  sendImmediate(to: Peer, qpn: number, payload: Uint8Array, immediate: number): void {
    const bytes = groupPacket("ib-local", payload, (fields) => {
      Object.assign(fields.lrh, { slid: this.port.lid, dlid: to.lid });
      fields.bth.destQp = to.qpn;
      Object.assign(fields.deth, { qKey: to.qKey, srcQp: qpn });
      withImmediate(fields, immediate);
    });
    const queue = new FrameQueue();
    queue.add(0, bytes.length - 2);
    this.port.send(bytes, queue);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.port.close();
  }

  /** Claims its address, as before it is used. */
  async claim(): Promise<void> {
    await this.#sendNd(makeClaim(this.#layer, bytesOf(this.address)), bytesOf(this.address));
  }

  get #layer(): LinkLayer {
    const own = new Uint8Array(20);
    own.set([IPOIB_QPN], 3);
    own.set(this.port.gid, 4);
    return { hardware: 32, own, broadcast: new Uint8Array(20) };
  }

  /** To a port, or to the group of an address; nowhere where that has no member. */
  async #sendNd(packet: LinkPacket | undefined, to: { lid: number; qpn: number } | Uint8Array): Promise<void> {
    const payload = new Uint8Array(IPOIB_BYTES + (packet?.bytes.length ?? 0));
    writeIpoib(payload, 0, ETHERTYPE.ipv6);
    payload.set(packet?.bytes ?? [], IPOIB_BYTES);
    const { qKey } = this.#group as McMemberRecord;
    if (!(to instanceof Uint8Array)) {
      return this.sendPacket({ dlid: to.lid, destQp: to.qpn, qKey, srcQp: IPOIB_QPN }, payload);
    }
    const mgid = mgidOf(to[0] === 0xff ? to : solicitedNodeOf(to));
    const record = await this.#sa.join(mgid, 4).catch(() => undefined);
    if (record) this.sendPacket({ dlid: record.mlid, destQp: 0xffffff, dgid: mgid, qKey, srcQp: IPOIB_QPN }, payload);
  }

  #takeNd(packet: Uint8Array, lid: number): void {
    const heard = readNd(packet);
    const { hardware = new Uint8Array(20) } = heard ?? {};
    const own = bytesOf(this.address);
    if (heard?.wanted === this.address) {
      const answer = makeAnswer(this.#layer, own, { ip: bytesOf(heard.present ?? ""), hardware });
      void this.#sendNd(answer, { lid, qpn: u24(hardware, 1) });
    } else if (heard?.claimed === this.address) {
      void this.#sendNd(makeAdvertisement(this.#layer, own, FLAG.override), bytesOf("ff02::1"));
    } else if (heard?.present !== undefined && heard.wanted === undefined) {
      if (heard.present === this.address) this.objections++;
      this.#known.set(heard.present, hardware.slice(4));
    }
  }

  #sendArp(operation: number, to: { lid: number; qpn: number } | undefined, targetIp: Uint8Array): void {
    const payload = new Uint8Array(IPOIB_BYTES + IPOIB_ARP_BYTES);
    writeIpoib(payload, 0, ETHERTYPE.arp);
    const arp = Object.assign(new IpoibArp(), { operation });
    arp.sender.qpn = IPOIB_QPN;
    arp.sender.gid.set(this.port.gid);
    arp.senderIp.set(bytesOf(this.address));
    arp.targetIp.set(targetIp);
    writeIpoibArp(payload, IPOIB_BYTES, arp);
    const { mlid, qKey } = this.#group as McMemberRecord;
    const where = to ? { dlid: to.lid, destQp: to.qpn } : { dlid: mlid, destQp: 0xffffff, dgid: BROADCAST };
    this.sendPacket({ ...where, qKey, srcQp: IPOIB_QPN }, payload);
  }

  #receive(): void {
    const { bytes, lengths } = this.#arena;
    const count = this.port.receive(this.#arena);
    for (let slot = 0; slot < count; slot++) {
      const at = this.#arena.at(slot);
      const length = lengths[slot] as number;
      if (length > 0 && locateInfiniband(this.#parts, bytes, at, at + length) === FAULT.none) this.#take(bytes);
    }
  }

  #take(bytes: Uint8Array): void {
    const { lrh, bth, deth, immediate, payload } = readPacket(this.#parts, bytes);
    if (bth.destQp === IPOIB_QPN || bth.destQp === 0xffffff) return this.#takeIpoib(payload, lrh.slid);
    const from = { lid: lrh.slid, qpn: deth.srcQp, qKey: deth.qKey };
    this.take({ payload, from, qpn: bth.destQp, immediate, icrc: icrcIsRight(this.#parts, bytes) });
  }

  #takeIpoib(payload: Uint8Array, lid: number): void {
    if (ipoibType(payload, 0) === ETHERTYPE.ipv6) return this.#takeNd(payload.subarray(IPOIB_BYTES), lid);
    const arp = new IpoibArp();
    if (u8(payload, 2) !== 0 || ipoibType(payload, 0) !== ETHERTYPE.arp) return;
    if (!readIpoibArp(payload, IPOIB_BYTES, payload.length, arp)) return;
    if (arp.operation === ARP.reply) this.#known.set([...arp.senderIp].join("."), arp.sender.gid);
    else if ([...arp.targetIp].join(".") === this.address) {
      this.#sendArp(ARP.reply, { lid, qpn: arp.sender.qpn }, arp.senderIp);
    }
  }
}

/** Sends until the answer comes: what a program with patience does. Gives the answer. */
export async function converse(from: End, to: Peer, qpn: number, payload: Uint8Array): Promise<Message> {
  let answer: Message | undefined;
  await until(`${from.address} is answered`, async () => {
    from.messages.length = 0;
    from.send(to, qpn, payload);
    for (let i = 0; i < 20 && from.messages.length === 0; i++) await new Promise((next) => setTimeout(next, 5));
    answer = from.messages[0];
    return answer !== undefined;
  });
  return answer as Message;
}
