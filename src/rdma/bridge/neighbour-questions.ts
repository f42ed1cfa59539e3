// Owns how a bridge finds hosts by their IPv6 addresses, and answers for those of the other side: neighbour discovery on
// Ethernet and over InfiniBand (RFC 4861; RFC 4391, 9.3).
import { formatAddress, isLinkLocal, parseAddress } from "../../model/ip.ts";
import { makeAdvertisement, makeAnswer, makeQuestion, readNd, solicitedNodeOf, FLAG } from "../../probes/nd.ts";
import type { LinkLayer, LinkPacket } from "../../probes/nd.ts";
import { setU24, u24, u8 } from "../codec/bytes.ts";
import { Ethernet, ETHERNET_BYTES, ETHERTYPE, writeEthernet } from "../codec/ethernet.ts";
import { IPOIB_BYTES, writeIpoib } from "../codec/ipoib.ts";
import { BRIDGE_FLAG } from "./address-events.ts";
import type { AddressEvents, IpoibPeer, IpoibSelf } from "./address-events.ts";
import type { Host } from "./hosts.ts";
import type { EthernetSelf } from "./translate.ts";
import type { WantedHosts } from "./wanted-hosts.ts";

/** ARPHRD_ETHER and ARPHRD_INFINIBAND (linux/if_arp.h). */
const HARDWARE = { ethernet: 1, infiniband: 32 } as const;
const NOBODY = "::";
/** All nodes of the link. */
const ALL_NODES = parseAddress("ff02::1") as Uint8Array;

/** Who the bridge is at this moment, and who is no host. */
export interface NeighbourSelf {
  readonly ethernet: EthernetSelf;
  readonly infiniband: IpoibSelf;
  isBridge(mac: Uint8Array): boolean;
}

/** What a neighbour says of one host's address, and its own address. */
interface Said {
  asked?: Uint8Array;
  claimed?: Uint8Array;
  present?: Uint8Array;
  ip: Uint8Array;
}

export class NeighbourQuestions {
  readonly #wanted: WantedHosts;
  readonly #events: AddressEvents;
  readonly #self: NeighbourSelf;

  constructor(wanted: WantedHosts, events: AddressEvents, self: NeighbourSelf) {
    this.#wanted = wanted;
    this.#events = events;
    this.#self = self;
  }

  /** Asks for a host on Ethernet. */
  askEthernet({ address }: Host): void {
    const { ipv6 } = this.#self.ethernet;
    if (ipv6 !== undefined) this.#sendFrame(makeQuestion(this.#onEthernet(), ipv6, address));
  }

  /** Asks for a host on InfiniBand. */
  askInfiniband({ address }: Host): void {
    const { ipv6 } = this.#self.ethernet;
    if (ipv6 === undefined) return;
    this.#sendIpoib(makeQuestion(this.#onInfiniband(), ipv6, address), solicitedNodeOf(address));
  }

  /** Takes a frame of IPv6 from `at` up to `to`. */
  takeFrame(bytes: Uint8Array, at: number, to: number, nowMs: number): void {
    const source = bytes.slice(at + 6, at + ETHERNET_BYTES - 2);
    const { ethernet } = this.#self;
    if (isSame(source, ethernet.mac) || this.#self.isBridge(source)) return;
    // What the frame says must be what the packet says.
    const said = this.#read(bytes.subarray(at + ETHERNET_BYTES, to), (hardware) => isSame(hardware, source));
    if (said === undefined) return;
    const { present, asked, claimed, ip } = said;
    if (asked !== undefined) {
      this.#wanted.wanted(asked, "infiniband", nowMs, ({ address }) => {
        this.#wanted.counts.answered++;
        this.#sendFrame(makeAnswer(this.#onEthernet(), address, { ip, hardware: source }));
      });
    } else if (claimed !== undefined) {
      this.#wanted.claimed(claimed, "infiniband", nowMs, ({ address }) =>
        this.#sendFrame(makeAdvertisement(this.#onEthernet(), address, FLAG.override)),
      );
    } else if (present !== undefined) this.#wanted.heard(present, "ethernet", source, nowMs);
  }

  /** Takes a datagram of IPv6 over InfiniBand from `at` up to `to`, behind IPoIB's header; `lid` is where it comes from. */
  takeIpoib(bytes: Uint8Array, at: number, to: number, lid: number, nowMs: number): void {
    let sender: Uint8Array = new Uint8Array();
    const said = this.#read(bytes.subarray(at, to), (hardware) => {
      sender = hardware;
      const gid = hardware.subarray(4);
      return hardware.length === 20 && (u8(hardware, 0) & BRIDGE_FLAG) === 0 && !isSame(gid, this.#self.infiniband.gid);
    });
    if (said === undefined) return;
    const { present, asked, claimed, ip } = said;
    const gid = sender.slice(4);
    if (asked !== undefined) {
      const peer = { lid, qpn: u24(sender, 1), gid };
      this.#wanted.wanted(asked, "ethernet", nowMs, ({ address }) => {
        this.#wanted.counts.answered++;
        this.#sendIpoib(makeAnswer(this.#onInfiniband(), address, { ip, hardware: sender }), peer);
      });
    } else if (claimed !== undefined) {
      this.#wanted.claimed(claimed, "ethernet", nowMs, ({ address }) =>
        this.#sendIpoib(makeAdvertisement(this.#onInfiniband(), address, FLAG.override), ALL_NODES),
      );
    } else if (present !== undefined) this.#wanted.heard(present, "infiniband", gid, nowMs);
  }

  /** What a neighbour says of a host; undefined for what is of no host, and where `isHonest` does not like its hardware address. */
  #read(packet: Uint8Array, isHonest: (hardware: Uint8Array) => boolean): Said | undefined {
    const heard = readNd(packet);
    if (heard === undefined) return undefined;
    const { present, wanted, claimed, hardware = new Uint8Array() } = heard;
    const name = wanted ?? claimed ?? present ?? "";
    // Those names mean something on one link only, and this host answers for itself.
    if (isLinkLocal(name) || name === this.#ownName()) return undefined;
    if (claimed === undefined && !isHonest(hardware)) return undefined;
    const address = parseAddress(name) as Uint8Array;
    const ip = parseAddress(present ?? NOBODY) as Uint8Array;
    if (wanted !== undefined) return { asked: address, ip };
    return claimed === undefined ? { present: address, ip } : { claimed: address, ip };
  }

  #ownName(): string {
    const { ipv6 } = this.#self.ethernet;
    return ipv6 === undefined ? "" : formatAddress(ipv6);
  }

  #onEthernet(): LinkLayer {
    return { hardware: HARDWARE.ethernet, own: this.#self.ethernet.mac, broadcast: new Uint8Array(6).fill(0xff) };
  }

  /** The group's hardware address is not used: whoever sends looks its record up. */
  #onInfiniband(): LinkLayer {
    const { qpn, gid } = this.#self.infiniband;
    const own = new Uint8Array(20);
    own[0] = BRIDGE_FLAG;
    setU24(own, 1, qpn);
    own.set(gid, 4);
    return { hardware: HARDWARE.infiniband, own, broadcast: new Uint8Array(20) };
  }

  #sendFrame(packet: LinkPacket | undefined): void {
    if (packet === undefined) return;
    const frame = new Uint8Array(ETHERNET_BYTES + packet.bytes.length);
    const ethernet = Object.assign(new Ethernet(), { type: ETHERTYPE.ipv6 });
    ethernet.destination.set(packet.to);
    ethernet.source.set(this.#self.ethernet.mac);
    writeEthernet(frame, 0, ethernet);
    frame.set(packet.bytes, ETHERNET_BYTES);
    this.#events.sendFrame(frame);
  }

  /** To a peer, or to a group of IPv6. */
  #sendIpoib(packet: LinkPacket | undefined, to: IpoibPeer | Uint8Array): void {
    if (packet === undefined) return;
    const payload = new Uint8Array(IPOIB_BYTES + packet.bytes.length);
    writeIpoib(payload, 0, ETHERTYPE.ipv6);
    payload.set(packet.bytes, IPOIB_BYTES);
    if (to instanceof Uint8Array) this.#events.sendIpoibGroup(payload, to);
    else this.#events.sendIpoib(payload, to);
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
