// Owns what becomes of a message from one host to another: passed on with the other fabric's headers, taken for what the
// bridge itself deals with, or dropped for a reason. On the way of a message nothing is made, and nothing throws.
import { Bth, BTH_BYTES, Deth, GSI_QP, readBth, readDeth, SMI_QP } from "../codec/bth.ts";
import { u16, u32, u8 } from "../codec/bytes.ts";
import { CM_ATTRIBUTE } from "../codec/cm.ts";
import { ETHERNET_BYTES } from "../codec/ethernet.ts";
import { FAULT } from "../codec/fault.ts";
import type { Fault } from "../codec/fault.ts";
import { GRH_DGID, GRH_SGID } from "../codec/grh.ts";
import { icrcIsRight } from "../codec/icrc.ts";
import { IPV4_DESTINATION, IPV4_SOURCE } from "../codec/ipv4.ts";
import { MAD_BYTES } from "../codec/mad.ts";
import { isUd } from "../codec/opcodes.ts";
import type { PacketParts } from "../codec/packet-parts.ts";
import { UDP_BYTES } from "../codec/udp.ts";
import { DROP, PASSED } from "./drops.ts";
import type { Endpoint } from "./endpoint.ts";
import { pKeysMatch } from "./group.ts";
import type { Host, Hosts } from "./hosts.ts";
import {
  EthernetTarget,
  InfinibandTarget,
  ipBytes,
  rewriteToEthernet,
  rewriteToInfiniband,
  trafficClassOf,
} from "./rewrite.ts";
import type { Passage } from "./passage.ts";
import type { Session, Sessions } from "./sessions.ts";
import { Sidr } from "./sidr.ts";
import type { EthernetSelf, InfinibandSelf } from "./translate.ts";

/** The packet was for the bridge itself, which has dealt with it. */
export const TAKEN = -2;

/** Key of queue pair 1 (IBA vol 1, 9.6.1.4.2). */
export const GSI_QKEY = 0x80010000;
/** Packets of RoCE are all of the default partition. */
export const ROCE_PKEY = 0xffff;
/** What Linux gives packets of RDMA-CM on RoCEv2. */
export const HOP_LIMIT = 64;

/** More than any packet has behind its network headers, bytes. */
export const MOST_TRANSPORT = 0xffff;
/** More than any adapter on InfiniBand takes in, bytes (IBA vol 1, 7.7.8 and 14.2.5.6). */
export const MOST_NATIVE_PAYLOAD = 4096;

/** What holds for all messages of a bridge. */
export interface MessageRules {
  /** Partition on InfiniBand. */
  pKey: number;
  /** Immediate data that repeats the sender's queue pair number (udaddy) gets the alias instead. */
  immediateQpn: boolean;
}

/** Passes messages between hosts, in their place. */
export class Messages {
  at = 0;
  length = 0;
  payloadBytes = 0;
  /** Of the message before. */
  session: Session | undefined;
  readonly hosts: Hosts;
  readonly sessions: Sessions;
  readonly sidr: Sidr;
  readonly rules: MessageRules;
  /** Of the batch that is dealt with, in milliseconds. */
  nowMs = 0;
  readonly #bth = new Bth();
  readonly #deth = new Deth();
  readonly #onInfiniband = new InfinibandTarget();
  readonly #onEthernet = new EthernetTarget();

  constructor(hosts: Hosts, sessions: Sessions, sidr: Sidr, rules: MessageRules) {
    this.hosts = hosts;
    this.sessions = sessions;
    this.sidr = sidr;
    this.rules = rules;
    this.#onInfiniband.pKey = rules.pKey;
    this.#onInfiniband.hopLimit = HOP_LIMIT;
    this.#onEthernet.pKey = ROCE_PKEY;
    this.#onEthernet.hopLimit = HOP_LIMIT;
  }

  /** Takes a RoCEv2 packet for one host, the frame of which begins at `at`. PASSED, TAKEN, or why not. */
  fromEthernet(
    bytes: Uint8Array,
    at: number,
    parts: PacketParts,
    fault: Fault,
    self: EthernetSelf,
    far: InfinibandSelf,
    passage: Passage,
  ): number {
    this.session = undefined;
    if (fault !== FAULT.none) return DROP.broken;
    if (!isUd(u8(bytes, parts.bth))) return DROP["not-ud"];
    const length = parts.ipv4 >= 0 ? 4 : 16;
    const from = parts.ipv4 >= 0 ? parts.ipv4 + IPV4_SOURCE : parts.ipv6 + GRH_SGID;
    const to = parts.ipv4 >= 0 ? parts.ipv4 + IPV4_DESTINATION : parts.ipv6 + GRH_DGID;
    const own = length === 4 ? self.ipv4 : self.ipv6;
    if (own !== undefined && isSame(own, bytes, from)) return DROP.spoofed;
    readBth(bytes, parts.bth, this.#bth);
    readDeth(bytes, parts.bth + BTH_BYTES, this.#deth);
    if (!pKeysMatch(this.#bth.pKey, ROCE_PKEY)) return DROP["p-key"];
    const source = this.hosts.find(bytes, from, length);
    if (this.#bth.destQp <= GSI_QP || this.#deth.srcQp <= GSI_QP) {
      return this.#management(bytes, at, parts, from, to, length);
    }
    const destination = this.hosts.find(bytes, to, length);
    if (source === undefined || destination === undefined) return DROP["no-host"];
    if (!this.#isFrom(source, bytes, at)) return this.#misplaced(source);
    if (!this.#isReady(destination, "infiniband")) return DROP["no-host"];
    if (far.lid === 0) return DROP["not-joined"];
    const reason = this.#admit(source, destination, destination.endpoints.get(this.#bth.destQp), passage);
    if (reason !== PASSED) return reason;
    this.payloadBytes = parts.payloadEnd - parts.payload;
    if (this.payloadBytes > destination.mtu) return DROP["too-big"];
    const sender = source.endpoints.get(this.#deth.srcQp) as Endpoint;
    const target = this.#onInfiniband;
    target.dlid = destination.lid;
    target.slid = far.lid;
    target.sl = destination.sl;
    target.sgid = far.gid;
    target.dgid = destination.gid;
    target.qKey = this.#deth.qKey;
    target.destQp = this.#bth.destQp;
    target.srcQp = sender.alias;
    passage.mostPayload = destination.mtu;
    passage.mostTransport = MOST_TRANSPORT;
    // What becomes of immediate data is each message's own.
    passage.alike = !(this.rules.immediateQpn && parts.imm >= 0);
    target.immediate =
      this.rules.immediateQpn && parts.imm >= 0 && u32(bytes, parts.imm) === sender.qpn ? sender.alias : -1;
    this.at = rewriteToInfiniband(bytes, parts, target);
    this.length = parts.end - this.at;
    return PASSED;
  }

  /** Takes a native packet for the bridge's LID. PASSED, or why not. */
  fromInfiniband(
    bytes: Uint8Array,
    parts: PacketParts,
    fault: Fault,
    self: InfinibandSelf,
    far: EthernetSelf,
    passage: Passage,
  ): number {
    this.session = undefined;
    if (fault !== FAULT.none) return DROP.broken;
    if (!isUd(u8(bytes, parts.bth))) return DROP["not-ud"];
    readBth(bytes, parts.bth, this.#bth);
    readDeth(bytes, parts.bth + BTH_BYTES, this.#deth);
    // Management comes by the port's own queue pair 1, never among messages.
    if (this.#bth.destQp <= GSI_QP || this.#deth.srcQp <= GSI_QP) return DROP["wrong-qp"];
    if (!pKeysMatch(this.#bth.pKey, this.rules.pKey)) return DROP["p-key"];
    const slid = u16(bytes, parts.lrh + 6);
    if (slid === self.lid) return DROP.spoofed;
    const endpoint = this.sessions.endpoints.find(this.#bth.destQp);
    if (endpoint === undefined) return DROP["wrong-qp"];
    const destination = endpoint.host;
    const sources = this.hosts.atLid(slid);
    if (sources === undefined) return DROP["no-host"];
    if (!this.#isReady(destination, "ethernet")) return DROP["no-host"];
    let reason: number = DROP["no-session"];
    let source: Host | undefined;
    // A LID may have several IP addresses, of which one has the session.
    for (const one of sources) {
      if (parts.grh >= 0 && !isSame(one.gid, bytes, parts.grh + GRH_SGID)) return DROP.spoofed;
      if (one.address.length !== destination.address.length) continue;
      source = one;
      reason = this.#admit(one, destination, endpoint, passage);
      if (reason === PASSED) break;
    }
    if (reason !== PASSED || source === undefined) return reason;
    this.payloadBytes = parts.payloadEnd - parts.payload;
    const most = far.mtu - UDP_BYTES - ipBytes(destination.address);
    if (parts.end - parts.bth > most) return DROP["too-big"];
    passage.mostPayload = MOST_NATIVE_PAYLOAD;
    passage.mostTransport = most;
    passage.alike = true;
    const target = this.#onEthernet;
    target.sourceMac = far.mac;
    target.mac = destination.mac;
    target.source = source.address;
    target.destination = destination.address;
    target.tos = parts.grh >= 0 ? trafficClassOf(bytes, parts.grh) : 0;
    target.qKey = this.#deth.qKey;
    target.destQp = endpoint.qpn;
    target.srcQp = this.#deth.srcQp;
    this.at = rewriteToEthernet(bytes, parts, target);
    this.length = parts.end - this.at;
    return PASSED;
  }

  /** Takes a datagram of management that came to queue pair 1 on InfiniBand. TAKEN, or why nothing comes of it. */
  managementFromInfiniband(mad: Uint8Array, slid: number, self: InfinibandSelf): number {
    const attribute = Sidr.attributeOf(mad);
    if (attribute < 0) return DROP["wrong-qp"];
    if (slid === self.lid) return DROP.spoofed;
    if (attribute === CM_ATTRIBUTE.sidrRep) {
      const hosts = this.hosts.atLid(slid);
      if (hosts === undefined) return DROP["no-host"];
      let reason: number = DROP.late;
      for (const host of hosts) {
        reason = this.sidr.answer(host, undefined, mad, this.nowMs);
        if (reason !== DROP.spoofed) break;
      }
      return reason === PASSED ? TAKEN : reason;
    }
    const names = Sidr.namesOf(mad);
    if (names === undefined) return DROP.service;
    const client = this.hosts.take(names.source, "infiniband", this.nowMs);
    const server = this.hosts.take(names.destination, "ethernet", this.nowMs);
    if (client === undefined || server === undefined) return DROP.full;
    // Who is not found yet is sought, and the request waits for that; its sender is known then.
    if (client.ready && (client.side !== "infiniband" || client.lid !== slid)) return this.#misplaced(client);
    const reason = this.sidr.request(client, server, mad, this.nowMs);
    return reason === PASSED ? TAKEN : reason;
  }

  #management(bytes: Uint8Array, at: number, parts: PacketParts, from: number, to: number, length: number): number {
    const { destQp } = this.#bth;
    if (destQp === SMI_QP || destQp !== GSI_QP || this.#deth.srcQp !== GSI_QP) return DROP["wrong-qp"];
    if (this.#deth.qKey !== GSI_QKEY) return DROP["q-key"];
    if (parts.payloadEnd - parts.payload !== MAD_BYTES) return DROP.broken;
    if (!icrcIsRight(parts, bytes)) return DROP.icrc;
    const mad = bytes.subarray(parts.payload, parts.payloadEnd);
    const attribute = Sidr.attributeOf(mad);
    if (attribute < 0) return DROP["wrong-qp"];
    const source = this.hosts.take(bytes.subarray(from, from + length), "ethernet", this.nowMs);
    if (source === undefined) return DROP.full;
    if (source.ready && !this.#isFrom(source, bytes, at)) return this.#misplaced(source);
    const far = bytes.subarray(to, to + length);
    let reason: number;
    if (attribute === CM_ATTRIBUTE.sidrRep) {
      const client = this.hosts.find(bytes, to, length);
      reason = client === undefined ? DROP.late : this.sidr.answer(source, client, mad, this.nowMs);
    } else {
      const names = Sidr.namesOf(mad);
      if (names === undefined) return DROP.service;
      const honest = isSame(names.source, bytes, from) && isSame(names.destination, bytes, to);
      if (!honest || names.source.length !== length) return DROP.spoofed;
      const server = this.hosts.take(far, "infiniband", this.nowMs);
      reason = server === undefined ? DROP.full : this.sidr.request(source, server, mad, this.nowMs);
    }
    return reason === PASSED ? TAKEN : reason;
  }

  /** Whether a frame comes from where its host is. */
  #isFrom(host: Host, bytes: Uint8Array, at: number): boolean {
    return host.state === "found" && host.side === "ethernet" && isSame(host.mac, bytes, at + ETHERNET_BYTES - 8);
  }

  #misplaced(host: Host): number {
    // It may have moved: its answer will say.
    this.hosts.seek(host, this.nowMs);
    return DROP.spoofed;
  }

  #isReady(host: Host, side: "ethernet" | "infiniband"): boolean {
    if (host.ready && host.side === side) return true;
    host.usedMs = this.nowMs;
    this.hosts.seek(host, this.nowMs);
    return false;
  }

  /**
   * Whether a message is one of a session: to a server by its client, or back. Takes note of the session, and of a
   * client's queue pair that is new.
   */
  #admit(source: Host, destination: Host, to: Endpoint | undefined, passage: Passage): number {
    if (to === undefined) return DROP["no-session"];
    const { sessions, nowMs } = this;
    const { srcQp, qKey } = this.#deth;
    let from = source.endpoints.get(srcQp);
    let session = sessions.find(source, to);
    // A queue pair that the file states is open to everybody on the other side.
    if (session === undefined && to.origin === "file") session = sessions.openWith(source, to, nowMs);
    if (session !== undefined) {
      const wanted = to.farQKey >= 0 ? to.farQKey : to.qKey;
      if (wanted >= 0 && qKey !== wanted) return DROP["q-key"];
      if (to.farQKey >= 0) this.#deth.qKey = to.qKey;
      from ??= sessions.learn(source, srcQp, nowMs);
    } else if (from !== undefined) session = sessions.find(destination, from);
    if (session === undefined) return to.origin === "file" ? DROP.full : DROP["no-session"];
    if (from === undefined) return DROP.full;
    session.usedMs = from.usedMs = to.usedMs = source.usedMs = destination.usedMs = nowMs;
    this.session = session;
    passage.ofSession(session, source, destination, from, to);
    return PASSED;
  }
}

function isSame(address: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < address.length; i++) if (address[i] !== bytes[at + i]) return false;
  return true;
}
