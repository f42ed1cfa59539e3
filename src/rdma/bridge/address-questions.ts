// Owns how a bridge finds hosts by their IPv4 addresses, and answers for those of the other side: ARP on Ethernet and over
// InfiniBand (RFC 826; RFC 4391, 9).
//
// A bridge answers for a host that it has found on the other side, and for no other. Who asks for one that is not found
// makes the bridge ask on the other side, and is answered when that has answered.
import { Arp, ARP, ARP_BYTES, readArp, writeArp } from "../codec/arp.ts";
import { Ethernet, ETHERNET_BYTES, ETHERTYPE, writeEthernet } from "../codec/ethernet.ts";
import {
  IPOIB_ARP_BYTES,
  IPOIB_BYTES,
  IpoibArp,
  ipoibType,
  readIpoibArp,
  writeIpoib,
  writeIpoibArp,
} from "../codec/ipoib.ts";
import type { Host, Hosts } from "./hosts.ts";
import type { EthernetSelf } from "./translate.ts";

/**
 * Flag in the hardware address of a bridge's answers on InfiniBand, of those that RFC 4391 reserves and hosts pass over:
 * another bridge must not take the host for one of InfiniBand.
 */
export const BRIDGE_FLAG = 0x01;
/** Frames are no shorter (IEEE 802.3); the rest of a shorter one is zero. */
const LEAST_FRAME_BYTES = 60;
/** Answers that wait for a host to be found; the oldest goes. */
const MOST_WAITING = 256;
/** Hosts that are asked for on behalf of others, a second. */
const ASKED_PER_SECOND = 256;
/** How long somebody waits, in milliseconds; hosts ask again after a second. */
const WAIT_MS = 1000;
const BROADCAST = new Uint8Array(6).fill(0xff);

/** Who asked, or who is answered, on InfiniBand. */
export interface IpoibPeer {
  lid: number;
  qpn: number;
  gid: Uint8Array;
}

/** Who the bridge is on InfiniBand's IP. */
export interface IpoibSelf {
  qpn: number;
  gid: Uint8Array;
}

/** What is to be sent. */
export interface AddressEvents {
  /** A frame. */
  sendFrame(frame: Uint8Array): void;
  /** The payload of a datagram of IPoIB; to everybody where `to` is undefined. */
  sendIpoib(payload: Uint8Array, to: IpoibPeer | undefined): void;
}

type Waiting = { host: Host; sinceMs: number; answer: () => void };

export class AddressQuestions {
  ethernet: EthernetSelf;
  readonly infiniband: IpoibSelf;
  /** This bridge answers for hosts: of several bridges one does. */
  answers = true;
  /** Whether a MAC is another bridge's, which answers for hosts that are not there. */
  isBridge: (mac: Uint8Array) => boolean = () => false;
  /** Counts. */
  readonly counts = { asked: 0, answered: 0, heard: 0, tooMany: 0 };
  readonly #hosts: Hosts;
  readonly #events: AddressEvents;
  readonly #arp = new Arp();
  readonly #ipoibArp = new IpoibArp();
  #waiting: Waiting[] = [];
  #askedMs = 0;
  #asked = 0;

  constructor(hosts: Hosts, events: AddressEvents, ethernet: EthernetSelf, infiniband: IpoibSelf) {
    this.#hosts = hosts;
    this.#events = events;
    this.ethernet = ethernet;
    this.infiniband = infiniband;
  }

  /** Asks for a host, on both sides where it is not known on which it is. */
  ask(host: Host): void {
    if (host.address.length !== 4) return;
    this.counts.asked++;
    if (host.state !== "found" || host.side === "ethernet" || host.rival?.side === "ethernet") this.#askEthernet(host);
    if (host.state !== "found" || host.side === "infiniband" || host.rival?.side === "infiniband") {
      this.#askInfiniband(host);
    }
  }

  /** Takes a frame of ARP from `at` up to `to`. */
  takeFrame(bytes: Uint8Array, at: number, to: number, nowMs: number): void {
    const arp = this.#arp;
    if (!readArp(bytes, at + ETHERNET_BYTES, to, arp)) return;
    // What the frame says must be what the packet says, and neither the bridge nor its peers tell of hosts.
    if (!isSame(arp.sender, bytes.subarray(at + 6, at + 12)) || isSame(arp.sender, this.ethernet.mac)) return;
    if (this.isBridge(arp.sender) || isSame(arp.senderIp, this.ethernet.ipv4)) return;
    if (arp.operation === ARP.reply) this.#heard(arp.senderIp, "ethernet", arp.sender, nowMs);
    else if (arp.operation === ARP.request && !isSame(arp.targetIp, this.ethernet.ipv4)) {
      // Who asks for its own address says that it is there: it may have come from the other side.
      if (isSame(arp.senderIp, arp.targetIp)) return this.#announced(arp.senderIp, nowMs);
      const [mac, ip] = [arp.sender.slice(), arp.senderIp.slice()];
      this.#wanted(arp.targetIp, "infiniband", nowMs, (host) => this.#answerEthernet(host, mac, ip));
    }
  }

  /** Takes the payload of a datagram of IPoIB from `at` up to `to`; `lid` is where it comes from. */
  takeIpoib(bytes: Uint8Array, at: number, to: number, lid: number, nowMs: number): void {
    const arp = this.#ipoibArp;
    if (at + IPOIB_BYTES > to || ipoibType(bytes, at) !== ETHERTYPE.arp) return;
    if (!readIpoibArp(bytes, at + IPOIB_BYTES, to, arp)) return;
    const { sender, senderIp, targetIp } = arp;
    if ((sender.flags & BRIDGE_FLAG) !== 0 || isSame(sender.gid, this.infiniband.gid)) return;
    if (arp.operation === ARP.reply) this.#heard(senderIp, "infiniband", sender.gid, nowMs);
    else if (arp.operation === ARP.request && !isSame(targetIp, this.ethernet.ipv4)) {
      if (isSame(senderIp, targetIp)) return this.#announced(senderIp, nowMs);
      const peer = { lid, qpn: sender.qpn, gid: sender.gid.slice() };
      const ip = senderIp.slice();
      this.#wanted(targetIp, "ethernet", nowMs, (host) => this.#answerInfiniband(host, peer, ip));
    }
  }

  /** A host was found: who waited for it is answered. */
  found(host: Host, nowMs: number): void {
    if (this.#waiting.length === 0) return;
    const mine = this.#waiting.filter((one) => one.host === host);
    this.#waiting = this.#waiting.filter((one) => one.host !== host && nowMs - one.sinceMs < WAIT_MS);
    for (const { answer } of mine) answer();
  }

  #heard(address: Uint8Array, side: "ethernet" | "infiniband", place: Uint8Array, nowMs: number): void {
    const host = this.#hosts.find(address, 0, 4);
    // Only who was asked for is listened to.
    if (host === undefined || nowMs - host.soughtMs >= WAIT_MS) return;
    this.counts.heard++;
    this.#hosts.heard(host, side, place, nowMs);
  }

  /** Makes sure of a host that says that it is there. */
  #announced(address: Uint8Array, nowMs: number): void {
    const host = this.#hosts.find(address, 0, 4);
    if (host !== undefined) this.#hosts.seek(host, nowMs);
  }

  #wanted(address: Uint8Array, side: "ethernet" | "infiniband", nowMs: number, answer: (host: Host) => void): void {
    if (!this.answers) return;
    const host = this.#hosts.take(address, side, nowMs);
    if (host === undefined) return;
    host.usedMs = nowMs;
    if (host.ready) {
      if (host.side === side) answer(host);
      return;
    }
    if (!this.#mayAsk(nowMs)) return void this.counts.tooMany++;
    if (this.#waiting.length === MOST_WAITING) this.#waiting.shift();
    this.#waiting.push({
      host,
      sinceMs: nowMs,
      answer: () => (host.ready && host.side === side ? answer(host) : undefined),
    });
    this.#hosts.seek(host, nowMs);
  }

  #mayAsk(nowMs: number): boolean {
    if (nowMs - this.#askedMs >= 1000) {
      this.#askedMs = nowMs;
      this.#asked = 0;
    }
    return this.#asked++ < ASKED_PER_SECOND;
  }

  #askEthernet(host: Host): void {
    if (this.ethernet.ipv4 === undefined) return;
    this.#sendArp(ARP.request, this.ethernet.ipv4, BROADCAST, host.address);
  }

  #answerEthernet(host: Host, mac: Uint8Array, ip: Uint8Array): void {
    this.counts.answered++;
    this.#sendArp(ARP.reply, host.address, mac, ip);
  }

  #sendArp(operation: number, ip: Uint8Array, mac: Uint8Array, targetIp: Uint8Array): void {
    const frame = new Uint8Array(LEAST_FRAME_BYTES);
    const ethernet = Object.assign(new Ethernet(), { type: ETHERTYPE.arp });
    ethernet.destination.set(mac);
    ethernet.source.set(this.ethernet.mac);
    writeEthernet(frame, 0, ethernet);
    const arp = Object.assign(new Arp(), { operation });
    arp.sender.set(this.ethernet.mac);
    arp.senderIp.set(ip);
    if (operation === ARP.reply) arp.target.set(mac);
    arp.targetIp.set(targetIp);
    writeArp(frame, ETHERNET_BYTES, arp);
    this.#events.sendFrame(frame.subarray(0, Math.max(LEAST_FRAME_BYTES, ETHERNET_BYTES + ARP_BYTES)));
  }

  #askInfiniband(host: Host): void {
    if (this.ethernet.ipv4 === undefined) return;
    this.#sendIpoibArp(ARP.request, this.ethernet.ipv4, undefined, host.address);
  }

  #answerInfiniband(host: Host, peer: IpoibPeer, ip: Uint8Array): void {
    this.counts.answered++;
    this.#sendIpoibArp(ARP.reply, host.address, peer, ip);
  }

  #sendIpoibArp(operation: number, ip: Uint8Array, peer: IpoibPeer | undefined, targetIp: Uint8Array): void {
    const payload = new Uint8Array(IPOIB_BYTES + IPOIB_ARP_BYTES);
    writeIpoib(payload, 0, ETHERTYPE.arp);
    const arp = Object.assign(new IpoibArp(), { operation });
    arp.sender.flags = BRIDGE_FLAG;
    arp.sender.qpn = this.infiniband.qpn;
    arp.sender.gid.set(this.infiniband.gid);
    arp.senderIp.set(ip);
    if (peer !== undefined) {
      arp.target.qpn = peer.qpn;
      arp.target.gid.set(peer.gid);
    }
    arp.targetIp.set(targetIp);
    writeIpoibArp(payload, IPOIB_BYTES, arp);
    this.#events.sendIpoib(payload, peer);
  }
}

function isSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
