// Owns how a bridge finds hosts by their addresses, and answers for those of the other side: by ARP on Ethernet and over
// InfiniBand (RFC 826; RFC 4391, 9) where they are of IPv4.
import { BRIDGE_FLAG } from "./address-events.ts";
import type { AddressEvents, IpoibPeer, IpoibSelf } from "./address-events.ts";
import { Arp, ARP, ARP_BYTES, readArp, writeArp } from "../codec/arp.ts";
import { u16 } from "../codec/bytes.ts";
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
import type { Host, Hosts, Side } from "./hosts.ts";
import { NeighbourQuestions } from "./neighbour-questions.ts";
import type { EthernetSelf } from "./translate.ts";
import { WantedHosts } from "./wanted-hosts.ts";

/** Frames are no shorter (IEEE 802.3); the rest of a shorter one is zero. */
const LEAST_FRAME_BYTES = 60;
const BROADCAST = new Uint8Array(6).fill(0xff);

export class AddressQuestions {
  ethernet: EthernetSelf;
  readonly infiniband: IpoibSelf;
  readonly wanted: WantedHosts;
  /** Whether a MAC is another bridge's, which answers for hosts that are not there. */
  isBridge: (mac: Uint8Array) => boolean = () => false;
  readonly #events: AddressEvents;
  readonly #neighbours: NeighbourQuestions;
  readonly #arp = new Arp();
  readonly #ipoibArp = new IpoibArp();

  constructor(hosts: Hosts, events: AddressEvents, ethernet: EthernetSelf, infiniband: IpoibSelf) {
    this.#events = events;
    this.ethernet = ethernet;
    this.infiniband = infiniband;
    this.wanted = new WantedHosts(hosts);
    this.#neighbours = new NeighbourQuestions(this.wanted, events, this);
  }

  /** Asks for a host, on both sides where it is not known on which it is. */
  ask(host: Host): void {
    this.wanted.counts.asked++;
    const isOn = (side: Side): boolean => host.state !== "found" || host.side === side || host.rival?.side === side;
    const isIpv4 = host.address.length === 4;
    if (isOn("ethernet")) {
      if (isIpv4) this.#askEthernet(host);
      else this.#neighbours.askEthernet(host);
    }
    if (isOn("infiniband")) {
      if (isIpv4) this.#askInfiniband(host);
      else this.#neighbours.askInfiniband(host);
    }
  }

  /** Takes a frame of ARP or IPv6 from `at` up to `to`. */
  takeFrame(bytes: Uint8Array, at: number, to: number, nowMs: number): void {
    if (at + ETHERNET_BYTES > to) return;
    if (u16(bytes, at + 12) === ETHERTYPE.ipv6) return this.#neighbours.takeFrame(bytes, at, to, nowMs);
    const arp = this.#arp;
    if (!readArp(bytes, at + ETHERNET_BYTES, to, arp)) return;
    // What the frame says must be what the packet says, and neither the bridge nor its peers tell of hosts.
    if (!isSame(arp.sender, bytes.subarray(at + 6, at + 12)) || isSame(arp.sender, this.ethernet.mac)) return;
    if (this.isBridge(arp.sender) || isSame(arp.senderIp, this.ethernet.ipv4)) return;
    if (arp.operation === ARP.reply) this.wanted.heard(arp.senderIp, "ethernet", arp.sender, nowMs);
    else if (arp.operation === ARP.request && !isSame(arp.targetIp, this.ethernet.ipv4)) {
      // Who asks for its own address says that it is there: it may have come from the other side.
      if (isSame(arp.senderIp, arp.targetIp)) return this.wanted.announced(arp.senderIp, nowMs);
      const [mac, ip] = [arp.sender.slice(), arp.senderIp.slice()];
      this.wanted.wanted(arp.targetIp, "infiniband", nowMs, (host) => this.#answerEthernet(host, mac, ip));
    }
  }

  /** Takes the payload of a datagram of IPoIB from `at` up to `to`; `lid` is where it comes from. */
  takeIpoib(bytes: Uint8Array, at: number, to: number, lid: number, nowMs: number): void {
    const arp = this.#ipoibArp;
    if (at + IPOIB_BYTES > to) return;
    const type = ipoibType(bytes, at);
    if (type === ETHERTYPE.ipv6) return this.#neighbours.takeIpoib(bytes, at + IPOIB_BYTES, to, lid, nowMs);
    if (type !== ETHERTYPE.arp) return;
    if (!readIpoibArp(bytes, at + IPOIB_BYTES, to, arp)) return;
    const { sender, senderIp, targetIp } = arp;
    if ((sender.flags & BRIDGE_FLAG) !== 0 || isSame(sender.gid, this.infiniband.gid)) return;
    if (arp.operation === ARP.reply) this.wanted.heard(senderIp, "infiniband", sender.gid, nowMs);
    else if (arp.operation === ARP.request && !isSame(targetIp, this.ethernet.ipv4)) {
      if (isSame(senderIp, targetIp)) return this.wanted.announced(senderIp, nowMs);
      const peer = { lid, qpn: sender.qpn, gid: sender.gid.slice() };
      const ip = senderIp.slice();
      this.wanted.wanted(targetIp, "ethernet", nowMs, (host) => this.#answerInfiniband(host, peer, ip));
    }
  }

  #askEthernet(host: Host): void {
    if (this.ethernet.ipv4 === undefined) return;
    this.#sendArp(ARP.request, this.ethernet.ipv4, BROADCAST, host.address);
  }

  #answerEthernet(host: Host, mac: Uint8Array, ip: Uint8Array): void {
    this.wanted.counts.answered++;
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
    this.wanted.counts.answered++;
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
