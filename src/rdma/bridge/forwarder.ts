// Owns what becomes of each packet that a bridge hears: passed on with the other fabric's headers, or dropped for a
// reason that is counted. No packet makes garbage, and none is passed on that a bridge has passed on before.
import { Bth, BTH_BYTES, Deth, readBth, readDeth } from "../codec/bth.ts";
import { u16, u32, u8 } from "../codec/bytes.ts";
import { ETHERNET_BYTES } from "../codec/ethernet.ts";
import { FAULT } from "../codec/fault.ts";
import type { Fault } from "../codec/fault.ts";
import { GRH_DGID, GRH_SGID } from "../codec/grh.ts";
import { IPV4_DESTINATION, IPV4_SOURCE } from "../codec/ipv4.ts";
import { locateEthernet, locateInfiniband } from "../codec/locate.ts";
import { FIRST_MLID } from "../codec/lrh.ts";
import { isUd } from "../codec/opcodes.ts";
import { PacketParts } from "../codec/packet-parts.ts";
import { UDP_BYTES } from "../codec/udp.ts";
import { DROP, PASSED, Tally } from "./drops.ts";
import { GroupIndex, pKeysMatch } from "./group.ts";
import type { BridgedGroup } from "./group.ts";
import { LearntFlows } from "./learnt-flows.ts";
import { MOST_NATIVE_PAYLOAD, MOST_TRANSPORT, TAKEN } from "./messages.ts";
import type { Messages } from "./messages.ts";
import { Passage } from "./passage.ts";
import { BRIDGED_FLOW_LABEL, BRIDGED_SOURCE_PORT, ipBytes } from "./rewrite.ts";
import { MULTICAST_QP, Sequence, toEthernet, toInfiniband } from "./translate.ts";
import type { EthernetSelf, InfinibandSelf } from "./translate.ts";

/** Who has the groups: one of several bridges. */
export interface Turn {
  /** Whether this bridge passes the group's packets on. */
  serves(group: BridgedGroup): boolean;
}

/** What packets are counted for: a group, or a session. */
export interface Counted {
  readonly toInfiniband: Tally;
  readonly toEthernet: Tally;
}

/** What the bridge reads itself, beside management: IP over InfiniBand. */
export interface IpoibListener {
  /** Whether the located packet is of that, and was taken. */
  takes(bytes: Uint8Array, parts: PacketParts): boolean;
}

/** The queue pair that messages on Ethernet seem to come from. */
export const ETHERNET_QPN = 0x4252;

/** Passes packets on, in their place. `at` and `length` say afterwards where the packet for the other side is. */
export class Forwarder {
  /** What was heard on Ethernet. */
  readonly toInfiniband = new Tally();
  /** What was heard on InfiniBand. */
  readonly toEthernet = new Tally();
  at = 0;
  length = 0;
  /** Group or session of the packet before, to take it back when it cannot be sent. */
  group: Counted | undefined;
  /** Messages between hosts; without it they are none of the bridge's. */
  messages: Messages | undefined;
  ipoib: IpoibListener | undefined;
  payloadBytes = 0;
  /** Learn from what is passed on, by the way that it takes. */
  flows = new LearntFlows();
  ethernet: EthernetSelf;
  infiniband: InfinibandSelf;
  readonly #byAddress: GroupIndex;
  readonly #byMgid: GroupIndex;
  readonly #turn: Turn;
  readonly #parts = new PacketParts();
  readonly #bth = new Bth();
  readonly #deth = new Deth();
  readonly #passage = new Passage();
  /** Of packets to groups, on the fabric that they go to. */
  readonly sequences = { ethernet: new Sequence(), infiniband: new Sequence() };

  constructor(groups: readonly BridgedGroup[], ethernet: EthernetSelf, infiniband: InfinibandSelf, turn: Turn) {
    this.#byAddress = new GroupIndex(groups, (group) => group.ethernet.address);
    this.#byMgid = new GroupIndex(groups, (group) => group.mgid);
    this.ethernet = ethernet;
    this.infiniband = infiniband;
    this.#turn = turn;
  }

  /** Takes the frame from `at` up to `to`, ROOM_BYTES behind the start of its slot: PASSED, or why not. */
  fromEthernet(bytes: Uint8Array, at: number, to: number): number {
    this.group = undefined;
    const { toInfiniband: flows } = this.flows;
    flows?.note(bytes, at, to);
    const reason = this.#fromEthernet(bytes, at, to);
    this.#count(reason, "toInfiniband");
    if (reason === PASSED) flows?.learn(bytes, this.at, this.#passage);
    return reason;
  }

  /** Takes the packet from its LRH at `at` up to `to`, with or without a VCRC: PASSED, or why not. */
  fromInfiniband(bytes: Uint8Array, at: number, to: number): number {
    this.group = undefined;
    const { toEthernet: flows } = this.flows;
    flows?.note(bytes, at, to);
    const reason = this.#fromInfiniband(bytes, at, to);
    this.#count(reason, "toEthernet");
    if (reason === PASSED) flows?.learn(bytes, this.at, this.#passage);
    return reason;
  }

  #count(reason: number, way: "toInfiniband" | "toEthernet"): void {
    if (reason === PASSED) {
      this[way].pass(this.payloadBytes);
      this.group?.[way].pass(this.payloadBytes);
    } else if (reason !== TAKEN) {
      this[way].drop(reason);
      this.group?.[way].drop(reason);
    }
  }

  #fromEthernet(bytes: Uint8Array, at: number, to: number): number {
    const parts = this.#parts;
    if (at + ETHERNET_BYTES <= to && isSame(this.ethernet.mac, bytes, at + 6)) return DROP.own;
    const fault = locateEthernet(parts, bytes, at, to);
    if (parts.udp < 0) return DROP.broken;
    if (u16(bytes, parts.udp) === BRIDGED_SOURCE_PORT) return DROP.bridged;
    if (this.messages !== undefined && !isToGroup(bytes, parts)) {
      const reason = this.messages.fromEthernet(bytes, at, parts, fault, this.ethernet, this.infiniband, this.#passage);
      return this.#follow(this.messages, reason);
    }
    const group =
      parts.ipv4 >= 0
        ? this.#byAddress.find(bytes, parts.ipv4 + IPV4_DESTINATION, 4)
        : this.#byAddress.find(bytes, parts.ipv6 + GRH_DGID, 16);
    if (group === undefined) return DROP["no-group"];
    this.group = group;
    if (fault !== FAULT.none) return DROP.broken;
    if (group.way === "to-ethernet") return DROP["wrong-way"];
    const wrong = this.#judge(bytes, group.ethernet.pKey, group.ethernet.qKey);
    if (wrong !== PASSED) return wrong;
    if (!this.#turn.serves(group)) return DROP.standby;
    const far = group.infiniband;
    if (far === undefined || this.infiniband.lid === 0) return DROP["not-joined"];
    this.payloadBytes = parts.payloadEnd - parts.payload;
    if (this.payloadBytes > far.mtu) return DROP["too-big"];
    const [sender, length] = parts.ipv4 >= 0 ? [parts.ipv4 + IPV4_SOURCE, 4] : [parts.ipv6 + GRH_SGID, 16];
    group.senders.ethernet.count(bytes, sender, length);
    this.#passage.mostPayload = far.mtu;
    this.#passage.mostTransport = MOST_TRANSPORT;
    this.#passage.ofGroup(group, group.senders.ethernet, sender - at, length);
    this.at = toInfiniband(bytes, parts, group, far, this.infiniband, this.sequences.infiniband);
    this.length = parts.end - this.at;
    return PASSED;
  }

  #fromInfiniband(bytes: Uint8Array, at: number, to: number): number {
    const parts = this.#parts;
    const fault = locateInfiniband(parts, bytes, at, to);
    if (this.messages !== undefined) {
      if (fault === FAULT.none && this.ipoib?.takes(bytes, parts)) return TAKEN;
      if (parts.lrh >= 0 && u16(bytes, parts.lrh + 2) < FIRST_MLID) {
        return this.#follow(this.messages, this.#messageFromInfiniband(this.messages, bytes, fault));
      }
    }
    // Packets to groups have a GRH (IBA vol 1, 9.2.6.2 and 10.5.1).
    if (parts.grh < 0) return DROP.broken;
    if (isSame(this.infiniband.gid, bytes, parts.grh + GRH_SGID)) return DROP.own;
    if ((u32(bytes, parts.grh) & 0xfffff) === BRIDGED_FLOW_LABEL) return DROP.bridged;
    const group = this.#byMgid.find(bytes, parts.grh + GRH_DGID, 16);
    if (group === undefined) return DROP["no-group"];
    this.group = group;
    if (fault !== FAULT.none) return DROP.broken;
    if (group.way === "to-infiniband") return DROP["wrong-way"];
    const near = group.infiniband;
    if (near === undefined) return DROP["not-joined"];
    const wrong = this.#judge(bytes, near.pKey, near.qKey);
    if (wrong !== PASSED) return wrong;
    if (!this.#turn.serves(group)) return DROP.standby;
    const { address } = group.ethernet;
    if ((address.length === 4 ? this.ethernet.ipv4 : this.ethernet.ipv6) === undefined) return DROP["not-joined"];
    this.payloadBytes = parts.payloadEnd - parts.payload;
    const most = this.ethernet.mtu - UDP_BYTES - ipBytes(address);
    if (parts.end - parts.bth > most) return DROP["too-big"];
    group.senders.infiniband.count(bytes, parts.grh + GRH_SGID, 16);
    this.#passage.mostPayload = MOST_NATIVE_PAYLOAD;
    this.#passage.mostTransport = most;
    this.#passage.ofGroup(group, group.senders.infiniband, parts.grh + GRH_SGID - parts.lrh, 16);
    this.at = toEthernet(bytes, parts, group, this.ethernet, ETHERNET_QPN, this.sequences.ethernet);
    this.length = parts.end - this.at;
    return PASSED;
  }

  #messageFromInfiniband(messages: Messages, bytes: Uint8Array, fault: Fault): number {
    const { grh } = this.#parts;
    if (grh >= 0 && (u32(bytes, grh) & 0xfffff) === BRIDGED_FLOW_LABEL) return DROP.bridged;
    return messages.fromInfiniband(bytes, this.#parts, fault, this.infiniband, this.ethernet, this.#passage);
  }

  /** Tells of a message what is told of every packet. */
  #follow(messages: Messages, reason: number): number {
    this.group = messages.session;
    this.at = messages.at;
    this.length = messages.length;
    this.payloadBytes = messages.payloadBytes;
    return reason;
  }

  /** What is asked of packets on both sides, as an adapter would. */
  #judge(bytes: Uint8Array, pKey: number, qKey: number): number {
    const { bth } = this.#parts;
    if (!isUd(u8(bytes, bth))) return DROP["not-ud"];
    readBth(bytes, bth, this.#bth);
    if (this.#bth.destQp !== MULTICAST_QP) return DROP["not-ud"];
    if (!pKeysMatch(this.#bth.pKey, pKey)) return DROP["p-key"];
    readDeth(bytes, bth + BTH_BYTES, this.#deth);
    return this.#deth.qKey === qKey ? PASSED : DROP["q-key"];
  }
}

/** Whether the located packet on Ethernet is to an IP group. */
function isToGroup(bytes: Uint8Array, parts: PacketParts): boolean {
  if (parts.ipv4 >= 0) return (u8(bytes, parts.ipv4 + IPV4_DESTINATION) & 0xf0) === 0xe0;
  return u8(bytes, parts.ipv6 + GRH_DGID) === 0xff;
}

function isSame(address: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < address.length; i++) if (address[i] !== bytes[at + i]) return false;
  return true;
}
