// Owns the change of a message's headers from one fabric's to the other's, in its place: the payload never moves, and the
// ICRC follows from the old one by the difference (docs/adr/0051). Who gets it is said by whoever calls.
import { Bth, BTH_BYTES, Deth, readBth, readDeth, writeBth, writeDeth } from "../codec/bth.ts";
import { copyBytes, setU16, setU32, u32le, u8 } from "../codec/bytes.ts";
import { Ethernet, ETHERNET_BYTES, ETHERTYPE, writeEthernet } from "../codec/ethernet.ts";
import { Grh, GRH_BYTES, GRH_NEXT_BTH, writeGrh } from "../codec/grh.ts";
import { icrcHead, icrcOfChange, setIcrc } from "../codec/icrc.ts";
import { Ipv4, IPV4_BYTES, PROTOCOL, writeIpv4 } from "../codec/ipv4.ts";
import { LNH, Lrh, LRH_BYTES, writeLrh } from "../codec/lrh.ts";
import type { PacketParts } from "../codec/packet-parts.ts";
import { ROCE_PORT, Udp, UDP_BYTES, udpChecksum, writeUdp } from "../codec/udp.ts";

/**
 * What tells a packet that a bridge has passed on. Nobody else has it: senders on InfiniBand take the flow label of the
 * group's record, and RoCEv2's source ports begin at 0xC000 (Linux ib_verbs.h, rdma_get_udp_sport). Receivers look at
 * neither. See docs/adr/0055.
 */
export const BRIDGED_FLOW_LABEL = 0xb1d6e;
export const BRIDGED_SOURCE_PORT = ROCE_PORT;

/** Bytes that a packet may need more before it than it came with: the room that a port keeps free. */
export const ROOM_BYTES = 64;

/** What the transport headers get on the other side; the rest of them (opcode, padding, flags) stays. */
export class TransportTarget {
  pKey = 0;
  qKey = 0;
  destQp = 0;
  srcQp = 0;
  /** −1 keeps the sender's. */
  psn = -1;
  /** −1 keeps the sender's. */
  immediate = -1;
}

/** What a packet gets on InfiniBand. */
export class InfinibandTarget extends TransportTarget {
  dlid = 0;
  slid = 0;
  sl = 0;
  hopLimit = 0;
  sgid: Uint8Array = new Uint8Array(16);
  dgid: Uint8Array = new Uint8Array(16);
}

/** What a packet gets on Ethernet. Source and destination are of one family, 4 or 16 bytes. */
export class EthernetTarget extends TransportTarget {
  sourceMac: Uint8Array = new Uint8Array(6);
  mac: Uint8Array = new Uint8Array(6);
  source: Uint8Array = new Uint8Array(4);
  destination: Uint8Array = new Uint8Array(4);
  hopLimit = 0;
  tos = 0;
}

const [bth, deth, grh, lrh] = [new Bth(), new Deth(), new Grh(), new Lrh()];
const [ethernet, ipv4, ipv6, udp] = [new Ethernet(), new Ipv4(), new Grh(), new Udp()];
lrh.next = LNH.grh;
grh.nextHeader = GRH_NEXT_BTH;
ipv6.nextHeader = PROTOCOL.udp;
ipv4.protocol = PROTOCOL.udp;
ipv4.dontFragment = true;
udp.sourcePort = BRIDGED_SOURCE_PORT;
udp.destinationPort = ROCE_PORT;

/**
 * Makes the located RoCEv2 packet one of InfiniBand, without its VCRC. Gives where it begins, up to 6 bytes before the
 * frame; it ends where it ended before (parts.end).
 */
export function rewriteToInfiniband(bytes: Uint8Array, parts: PacketParts, target: InfinibandTarget): number {
  const before = icrcHead(parts, bytes, parts.payload);
  const icrc = u32le(bytes, parts.icrc);
  const start = parts.bth - GRH_BYTES - LRH_BYTES;
  lrh.sl = target.sl;
  lrh.dlid = target.dlid;
  lrh.slid = target.slid;
  lrh.words = (parts.end - start) >> 2;
  grh.trafficClass = classOfIp(parts, bytes);
  grh.flowLabel = BRIDGED_FLOW_LABEL;
  grh.payloadLength = parts.end - parts.bth;
  grh.hopLimit = target.hopLimit;
  copyBytes(grh.sgid, 0, target.sgid, 0, 16);
  copyBytes(grh.dgid, 0, target.dgid, 0, 16);
  changeTransport(bytes, parts, target);
  writeLrh(bytes, start, lrh);
  writeGrh(bytes, start + LRH_BYTES, grh);
  parts.lrh = start;
  parts.grh = start + LRH_BYTES;
  parts.ipv4 = parts.ipv6 = parts.udp = -1;
  changeIcrc(bytes, parts, icrc, before);
  return start;
}

/**
 * Makes the located InfiniBand packet one of RoCEv2. Gives where the frame begins, up to 54 bytes before the packet; it
 * ends where the ICRC did (parts.end).
 */
export function rewriteToEthernet(bytes: Uint8Array, parts: PacketParts, target: EthernetTarget): number {
  const before = icrcHead(parts, bytes, parts.payload);
  const icrc = u32le(bytes, parts.icrc);
  const { source, destination } = target;
  const udpAt = parts.bth - UDP_BYTES;
  const ipAt = udpAt - ipBytes(destination);
  const start = ipAt - ETHERNET_BYTES;
  udp.length = parts.end - udpAt;
  udp.checksum = 0;
  changeTransport(bytes, parts, target);
  copyBytes(ethernet.destination, 0, target.mac, 0, 6);
  copyBytes(ethernet.source, 0, target.sourceMac, 0, 6);
  parts.lrh = parts.grh = -1;
  parts.udp = udpAt;
  if (destination.length === 4) {
    ethernet.type = ETHERTYPE.ipv4;
    ipv4.tos = target.tos;
    ipv4.ttl = target.hopLimit;
    ipv4.totalLength = parts.end - ipAt;
    copyBytes(ipv4.source, 0, source, 0, 4);
    copyBytes(ipv4.destination, 0, destination, 0, 4);
    writeIpv4(bytes, ipAt, ipv4);
    parts.ipv4 = ipAt;
  } else {
    ethernet.type = ETHERTYPE.ipv6;
    ipv6.trafficClass = target.tos;
    ipv6.hopLimit = target.hopLimit;
    ipv6.payloadLength = udp.length;
    copyBytes(ipv6.sgid, 0, source, 0, 16);
    copyBytes(ipv6.dgid, 0, destination, 0, 16);
    writeGrh(bytes, ipAt, ipv6);
    parts.ipv6 = ipAt;
  }
  writeUdp(bytes, udpAt, udp);
  writeEthernet(bytes, start, ethernet);
  changeIcrc(bytes, parts, icrc, before);
  // Kernels refuse IPv6 datagrams without one (Linux udp6_csum_init). It covers what is there, damage and all.
  if (destination.length === 16) setU16(bytes, udpAt + 6, udpChecksum(bytes, udpAt, 6));
  return start;
}

/** Length of the IP header before packets to an address. */
export function ipBytes(address: Uint8Array): number {
  return address.length === 4 ? IPV4_BYTES : GRH_BYTES;
}

/** Traffic class of a GRH or IPv6 header. */
export function trafficClassOf(bytes: Uint8Array, at: number): number {
  return ((u8(bytes, at) & 0x0f) << 4) | (u8(bytes, at + 1) >> 4);
}

/** Type of service, or traffic class, of a RoCEv2 packet. */
export function classOfIp(parts: PacketParts, bytes: Uint8Array): number {
  return parts.ipv4 >= 0 ? u8(bytes, parts.ipv4 + 1) : trafficClassOf(bytes, parts.ipv6);
}

function changeTransport(bytes: Uint8Array, parts: PacketParts, target: TransportTarget): void {
  readBth(bytes, parts.bth, bth);
  readDeth(bytes, parts.deth, deth);
  bth.pKey = target.pKey;
  bth.destQp = target.destQp;
  if (target.psn >= 0) bth.psn = target.psn;
  deth.qKey = target.qKey;
  deth.srcQp = target.srcQp;
  writeBth(bytes, parts.bth, bth);
  writeDeth(bytes, parts.bth + BTH_BYTES, deth);
  if (target.immediate >= 0 && parts.imm >= 0) setU32(bytes, parts.imm, target.immediate);
}

function changeIcrc(bytes: Uint8Array, parts: PacketParts, icrc: number, before: number): void {
  const after = icrcHead(parts, bytes, parts.payload);
  setIcrc(bytes, parts.icrc, icrcOfChange(icrc, before, after, parts.icrc - parts.payload));
}
