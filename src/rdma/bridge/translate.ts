// Owns the change of a multicast message's headers from one fabric's to the other's, in its place: the payload never
// moves, and the ICRC follows from the old one by the difference (docs/adr/0051).
import { Bth, BTH_BYTES, Deth, readBth, readDeth, writeBth, writeDeth } from "../codec/bth.ts";
import { copyBytes, setU16, u32le, u8 } from "../codec/bytes.ts";
import { Ethernet, ETHERNET_BYTES, ETHERTYPE, writeEthernet } from "../codec/ethernet.ts";
import { Grh, GRH_BYTES, GRH_NEXT_BTH, writeGrh } from "../codec/grh.ts";
import { icrcHead, icrcOfChange, setIcrc } from "../codec/icrc.ts";
import { Ipv4, IPV4_BYTES, PROTOCOL, writeIpv4 } from "../codec/ipv4.ts";
import { LNH, Lrh, LRH_BYTES, writeLrh } from "../codec/lrh.ts";
import type { PacketParts } from "../codec/packet-parts.ts";
import { ROCE_PORT, Udp, UDP_BYTES, udpChecksum, writeUdp } from "../codec/udp.ts";
import type { BridgedGroup, InfinibandGroup } from "./group.ts";

/** Every queue pair of a group: the destination of multicast packets (IBA vol 1, 10.5.1). */
export const MULTICAST_QP = 0xffffff;

/**
 * What tells a packet that a bridge has passed on. Nobody else has it: senders on InfiniBand take the flow label of the
 * group's record, and RoCEv2's source ports begin at 0xC000 (Linux ib_verbs.h, rdma_get_udp_sport). Receivers look at
 * neither. See docs/adr/0055.
 */
export const BRIDGED_FLOW_LABEL = 0xb1d6e;
export const BRIDGED_SOURCE_PORT = ROCE_PORT;

/** Bytes that a packet may need more before it than it came with: the room that a port keeps free. */
export const ROOM_BYTES = 64;

/** Who the bridge is on Ethernet. Without an address of a family no packet of that family is sent. */
export interface EthernetSelf {
  mac: Uint8Array;
  /** 4 bytes. */
  ipv4?: Uint8Array;
  /** 16 bytes. */
  ipv6?: Uint8Array;
  /** Bytes of an IP packet, the link's MTU. */
  mtu: number;
}

/** Who the bridge is on InfiniBand. */
export interface InfinibandSelf {
  /** 0 while no subnet manager has given one. */
  lid: number;
  gid: Uint8Array;
  /** The queue pair that messages seem to come from. */
  qpn: number;
}

const [bth, deth, grh, lrh] = [new Bth(), new Deth(), new Grh(), new Lrh()];
const [ethernet, ipv4, ipv6, udp] = [new Ethernet(), new Ipv4(), new Grh(), new Udp()];
bth.destQp = MULTICAST_QP;
lrh.next = LNH.grh;
grh.nextHeader = GRH_NEXT_BTH;
ipv6.nextHeader = PROTOCOL.udp;
ipv4.protocol = PROTOCOL.udp;
ipv4.dontFragment = true;
udp.sourcePort = BRIDGED_SOURCE_PORT;
udp.destinationPort = ROCE_PORT;

/** Counts up for each packet that the bridge sends: the sequence numbers of its queue pair on each side. */
export class Sequence {
  #next = 0;

  take(): number {
    const psn = this.#next;
    this.#next = (psn + 1) & 0xffffff;
    return psn;
  }
}

/**
 * Makes the located RoCEv2 packet one of InfiniBand, without its VCRC. Gives where it begins, up to 6 bytes before the
 * frame; it ends where it ended before (parts.end).
 */
export function toInfiniband(
  bytes: Uint8Array,
  parts: PacketParts,
  group: BridgedGroup,
  far: InfinibandGroup,
  self: InfinibandSelf,
  sequence: Sequence,
): number {
  const before = icrcHead(parts, bytes, parts.payload);
  const icrc = u32le(bytes, parts.icrc);
  const start = parts.bth - GRH_BYTES - LRH_BYTES;
  const trafficClass = classOfIp(parts, bytes);
  lrh.sl = serviceLevelOf(group, trafficClass) ?? far.sl;
  lrh.dlid = far.mlid;
  lrh.slid = self.lid;
  lrh.words = (parts.end - start) >> 2;
  grh.trafficClass = trafficClass;
  grh.flowLabel = BRIDGED_FLOW_LABEL;
  grh.payloadLength = parts.end - parts.bth;
  grh.hopLimit = far.hopLimit;
  copyBytes(grh.sgid, 0, self.gid, 0, 16);
  copyBytes(grh.dgid, 0, group.mgid, 0, 16);
  changeTransport(bytes, parts, far.pKey, far.qKey, self.qpn, sequence);
  writeLrh(bytes, start, lrh);
  writeGrh(bytes, start + LRH_BYTES, grh);
  parts.lrh = start;
  parts.grh = start + LRH_BYTES;
  parts.ipv4 = parts.ipv6 = parts.udp = -1;
  changeIcrc(bytes, parts, icrc, before);
  return start;
}

/**
 * Makes the located InfiniBand packet with a GRH one of RoCEv2. Gives where the frame begins, up to 14 bytes before the
 * packet; it ends where the ICRC did (parts.end). `self` has an address of the group's family.
 */
export function toEthernet(
  bytes: Uint8Array,
  parts: PacketParts,
  group: BridgedGroup,
  self: EthernetSelf,
  qpn: number,
  sequence: Sequence,
): number {
  const before = icrcHead(parts, bytes, parts.payload);
  const icrc = u32le(bytes, parts.icrc);
  const { address, mac, hopLimit, pKey, qKey } = group.ethernet;
  const tos = trafficClassOf(bytes, parts.grh) || tosOf(group, u8(bytes, parts.lrh + 1) >> 4);
  const udpAt = parts.bth - UDP_BYTES;
  const ipAt = udpAt - ipBytes(address);
  const start = ipAt - ETHERNET_BYTES;
  udp.length = parts.end - udpAt;
  udp.checksum = 0;
  changeTransport(bytes, parts, pKey, qKey, qpn, sequence);
  copyBytes(ethernet.destination, 0, mac, 0, 6);
  copyBytes(ethernet.source, 0, self.mac, 0, 6);
  parts.lrh = parts.grh = -1;
  parts.udp = udpAt;
  if (address.length === 4) {
    ethernet.type = ETHERTYPE.ipv4;
    ipv4.tos = tos;
    ipv4.ttl = hopLimit;
    ipv4.totalLength = parts.end - ipAt;
    copyBytes(ipv4.source, 0, self.ipv4 as Uint8Array, 0, 4);
    copyBytes(ipv4.destination, 0, address, 0, 4);
    writeIpv4(bytes, ipAt, ipv4);
    parts.ipv4 = ipAt;
  } else {
    ethernet.type = ETHERTYPE.ipv6;
    ipv6.trafficClass = tos;
    ipv6.hopLimit = hopLimit;
    ipv6.payloadLength = udp.length;
    copyBytes(ipv6.sgid, 0, self.ipv6 as Uint8Array, 0, 16);
    copyBytes(ipv6.dgid, 0, address, 0, 16);
    writeGrh(bytes, ipAt, ipv6);
    parts.ipv6 = ipAt;
  }
  writeUdp(bytes, udpAt, udp);
  writeEthernet(bytes, start, ethernet);
  changeIcrc(bytes, parts, icrc, before);
  // Kernels refuse IPv6 datagrams without one (Linux udp6_csum_init). It covers what is there, damage and all.
  if (address.length === 16) setU16(bytes, udpAt + 6, udpChecksum(bytes, udpAt, 6));
  return start;
}

/** Length of the IP header before a group's packets. */
export function ipBytes(address: Uint8Array): number {
  return address.length === 4 ? IPV4_BYTES : GRH_BYTES;
}

/** Everything of BTH and DETH stays (opcode, padding, the immediate) but what belongs to a side. */
function changeTransport(
  bytes: Uint8Array,
  parts: PacketParts,
  pKey: number,
  qKey: number,
  qpn: number,
  sequence: Sequence,
): void {
  readBth(bytes, parts.bth, bth);
  readDeth(bytes, parts.deth, deth);
  bth.pKey = pKey;
  bth.destQp = MULTICAST_QP;
  bth.psn = sequence.take();
  deth.qKey = qKey;
  deth.srcQp = qpn;
  writeBth(bytes, parts.bth, bth);
  writeDeth(bytes, parts.bth + BTH_BYTES, deth);
}

function changeIcrc(bytes: Uint8Array, parts: PacketParts, icrc: number, before: number): void {
  const after = icrcHead(parts, bytes, parts.payload);
  setIcrc(bytes, parts.icrc, icrcOfChange(icrc, before, after, parts.icrc - parts.payload));
}

/** Traffic class of a GRH or IPv6 header. */
function trafficClassOf(bytes: Uint8Array, at: number): number {
  return ((u8(bytes, at) & 0x0f) << 4) | (u8(bytes, at + 1) >> 4);
}

function classOfIp(parts: PacketParts, bytes: Uint8Array): number {
  return parts.ipv4 >= 0 ? u8(bytes, parts.ipv4 + 1) : trafficClassOf(bytes, parts.ipv6);
}

function serviceLevelOf({ classes }: BridgedGroup, trafficClass: number): number | undefined {
  for (const { dscp, sl } of classes) if (dscp === trafficClass >> 2) return sl;
  return undefined;
}

function tosOf({ classes }: BridgedGroup, sl: number): number {
  for (const one of classes) if (one.sl === sl) return one.dscp << 2;
  return 0;
}
