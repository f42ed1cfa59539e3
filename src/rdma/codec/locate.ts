// Owns the way into a packet: every length is checked here, once, so that what reads afterwards need not.
//
// A lying length never leads beyond `to`. A packet that was cut off when it was captured has its headers located, its
// fault is `cut`, and it has no ICRC.
import { BTH_BYTES, DETH_BYTES } from "./bth.ts";
import { u16, u8 } from "./bytes.ts";
import { ETHERNET_BYTES, ETHERTYPE, isVlanType, VLAN_BYTES } from "./ethernet.ts";
import { FAULT } from "./fault.ts";
import type { Fault } from "./fault.ts";
import { GRH_BYTES, GRH_NEXT_BTH } from "./grh.ts";
import { IPV4_BYTES, ipv4HeaderBytes, isFragment, PROTOCOL } from "./ipv4.ts";
import { ICRC_BYTES } from "./icrc.ts";
import { LNH, LRH_BYTES, lrhNext, lrhWords } from "./lrh.ts";
import { extensionBytes, isUd, UD_SEND_ONLY_WITH_IMMEDIATE } from "./opcodes.ts";
import type { PacketParts } from "./packet-parts.ts";
import { ROCE_PORT, UDP_BYTES } from "./udp.ts";
import { VCRC_BYTES } from "./vcrc.ts";

/** A provider's tag and a customer's. */
const MOST_TAGS = 2;

/** Finds the parts of the Ethernet frame from `at` up to `to`, without its FCS: RoCEv2, RoCEv1, or other traffic. */
export function locateEthernet(parts: PacketParts, bytes: Uint8Array, at: number, to: number): Fault {
  parts.clear();
  if (at + ETHERNET_BYTES > to) return FAULT.header;
  return locateNetwork(parts, bytes, u16(bytes, at + ETHERNET_BYTES - 2), at + ETHERNET_BYTES, to);
}

/** The same for a frame whose link header is read already: `type` says what is at `at`. Call parts.clear() before. */
export function locateNetwork(parts: PacketParts, bytes: Uint8Array, type: number, at: number, to: number): Fault {
  for (let tags = 0; isVlanType(type); tags++) {
    if (tags === MOST_TAGS) return FAULT.vlanTags;
    if (at + VLAN_BYTES > to) return FAULT.header;
    if (tags === 0) parts.vlan = at;
    type = u16(bytes, at + 2);
    at += VLAN_BYTES;
  }
  parts.etherType = type;
  if (type === ETHERTYPE.ipv4) return locateIpv4(parts, bytes, at, to);
  if (type === ETHERTYPE.ipv6) return locateIpv6(parts, bytes, at, to);
  if (type === ETHERTYPE.rocev1) return locateGrh(parts, bytes, at, -1, to);
  return FAULT.notRdma;
}

/** Finds the parts of the InfiniBand packet from `at` up to `to`, from its LRH to its VCRC, which may be missing. */
export function locateInfiniband(parts: PacketParts, bytes: Uint8Array, at: number, to: number): Fault {
  parts.clear();
  if (at + LRH_BYTES > to) return FAULT.header;
  parts.lrh = at;
  if ((u8(bytes, at) & 0x0f) !== 0) return FAULT.lrhVersion;
  const next = lrhNext(bytes, at);
  const end = at + lrhWords(bytes, at) * 4;
  if (end < at + LRH_BYTES) return FAULT.lrhLength;
  parts.end = end;
  if (end + VCRC_BYTES <= to) parts.vcrc = end;
  if (next !== LNH.grh && next !== LNH.bth) return FAULT.raw;
  const inside = at + LRH_BYTES;
  const fault =
    next === LNH.grh ? locateGrh(parts, bytes, inside, end, to) : locateTransport(parts, bytes, inside, end, to);
  // What stands where a lying length leads to is no VCRC.
  if (fault === FAULT.lrhLength) parts.vcrc = -1;
  return fault;
}

function locateIpv4(parts: PacketParts, bytes: Uint8Array, at: number, to: number): Fault {
  if (at + IPV4_BYTES > to) return FAULT.header;
  if (u8(bytes, at) >> 4 !== 4) return FAULT.ipVersion;
  parts.ipv4 = at;
  // What is not RDMA is not judged: the lengths of frames that an adapter is to cut up, say, are not what they seem.
  if (u8(bytes, at + 9) !== PROTOCOL.udp) return FAULT.notRdma;
  const headerBytes = ipv4HeaderBytes(bytes, at);
  if (headerBytes < IPV4_BYTES) return FAULT.ipLength;
  const udp = at + headerBytes;
  // Of a fragment only the first has ports, and a later one may be anything.
  if (isFragment(bytes, at)) {
    const first = (u16(bytes, at + 6) & 0x1fff) === 0;
    return first && udp + 4 <= to && u16(bytes, udp + 2) === ROCE_PORT ? FAULT.fragment : FAULT.notRdma;
  }
  const fault = locateUdp(parts, bytes, udp, at + u16(bytes, at + 2), to);
  if (fault === FAULT.notRdma || headerBytes === IPV4_BYTES) return fault;
  // Nothing says how options would be masked.
  parts.icrc = -1;
  return FAULT.ipOptions;
}

function locateIpv6(parts: PacketParts, bytes: Uint8Array, at: number, to: number): Fault {
  if (at + GRH_BYTES > to) return FAULT.header;
  if (u8(bytes, at) >> 4 !== 6) return FAULT.ipVersion;
  parts.ipv6 = at;
  if (u8(bytes, at + 6) !== PROTOCOL.udp) return FAULT.notRdma;
  return locateUdp(parts, bytes, at + GRH_BYTES, at + GRH_BYTES + u16(bytes, at + 4), to);
}

function locateUdp(parts: PacketParts, bytes: Uint8Array, at: number, end: number, to: number): Fault {
  if (at + UDP_BYTES > to) return FAULT.header;
  if (u16(bytes, at + 2) !== ROCE_PORT) return FAULT.notRdma;
  parts.udp = at;
  const length = u16(bytes, at + 4);
  if (end < at + UDP_BYTES) return FAULT.ipLength;
  if (at + length !== end) return FAULT.udpLength;
  return locateTransport(parts, bytes, at + UDP_BYTES, end, to);
}

/** `end` is that of the LRH's length, or −1 where there is no LRH (RoCEv1). */
function locateGrh(parts: PacketParts, bytes: Uint8Array, at: number, end: number, to: number): Fault {
  if (end >= 0 && at + GRH_BYTES > end) return FAULT.lrhLength;
  if (at + GRH_BYTES > to) return FAULT.header;
  parts.grh = at;
  if (u8(bytes, at) >> 4 !== 6) return FAULT.grhVersion;
  if (u8(bytes, at + 6) !== GRH_NEXT_BTH) return FAULT.grhNext;
  const bth = at + GRH_BYTES;
  const grhEnd = bth + u16(bytes, at + 4);
  if (end >= 0 && end !== grhEnd) return FAULT.grhLength;
  return locateTransport(parts, bytes, bth, grhEnd, to);
}

function locateTransport(parts: PacketParts, bytes: Uint8Array, at: number, end: number, to: number): Fault {
  parts.end = end;
  const icrc = end - ICRC_BYTES;
  if (at + BTH_BYTES > icrc) return lengthFault(parts);
  if (at + BTH_BYTES > to) return FAULT.header;
  parts.bth = at;
  const flags = u8(bytes, at + 1);
  if ((flags & 0x0f) !== 0) return FAULT.bthVersion;
  if (((end - at) & 3) !== 0) return FAULT.alignment;
  if (end <= to) parts.icrc = icrc;

  const opcode = u8(bytes, at);
  const payload = at + BTH_BYTES + extensionBytes(opcode);
  const payloadEnd = icrc - ((flags >> 4) & 3);
  if (payload > icrc) return FAULT.opcodeHeaders;
  if (payload > to) return FAULT.header;
  if (isUd(opcode)) {
    parts.deth = at + BTH_BYTES;
    if (opcode === UD_SEND_ONLY_WITH_IMMEDIATE) parts.imm = parts.deth + DETH_BYTES;
  }
  if (payload > payloadEnd) return FAULT.pad;
  parts.payload = payload;
  parts.payloadEnd = Math.min(payloadEnd, to);
  return end > to ? FAULT.cut : FAULT.none;
}

function lengthFault(parts: PacketParts): Fault {
  if (parts.udp >= 0) return FAULT.ipLength;
  return parts.lrh >= 0 ? FAULT.lrhLength : FAULT.grhLength;
}
