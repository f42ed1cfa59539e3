// Owns neighbours and proxy neighbours as messages: struct ndmsg and NDA_* (linux/neighbour.h), both ways.
import type { Family } from "../../model/ip.ts";
import { AF } from "./constants.ts";
import type { Encoder } from "./encoder.ts";
import { eachAttribute, type Packet, type UnknownAttribute } from "./packet.ts";
import { parseHex } from "./text.ts";

/** An entry of a neighbour table as the kernel says it. */
export interface NeighbourMessage {
  family: Family;
  /** Interface index; 0 for a proxy entry of every link. */
  index: number;
  /** IP address. */
  destination?: string;
  /** Lower-case hexadecimal bytes with colons. */
  hardwareAddress?: string;
  /** NEIGHBOUR_STATE bits. */
  state: number;
  /** The host answers for the address (NTF_PROXY). */
  proxy?: true;
  /** NEIGHBOUR_FLAG bits; without PROXY. */
  flags: number;
  /** NTF_EXT_* bits: 1 managed, 2 locked, 4 externally validated. */
  extFlags?: number;
  /** rtm_type numbers: 1 unicast, 2 local, 5 multicast. */
  type: number;
  protocol?: number;
  /** Probes sent without an answer. */
  probes?: number;
  cacheInfo?: NeighbourCacheInfo;
  master?: number;
  vlan?: number;
  port?: number;
  vni?: number;
  sourceVni?: number;
  /** NDA_IFINDEX: the link that a VXLAN entry leaves by. */
  viaIndex?: number;
  linkNamespaceId?: number;
  nexthop?: number;
  unknown?: UnknownAttribute[];
}

/** struct nda_cacheinfo; times are ages in clock ticks of 1/100 s. */
export interface NeighbourCacheInfo {
  confirmed: number;
  used: number;
  updated: number;
  references: number;
}

/** Bits of `state` (NUD_*); 0 is "none". */
export const NEIGHBOUR_STATE = {
  incomplete: 0x1,
  reachable: 0x2,
  stale: 0x4,
  delay: 0x8,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const;

/** Bits of `flags` (NTF_*). */
export const NEIGHBOUR_FLAG = {
  use: 0x1,
  self: 0x2,
  master: 0x4,
  externLearned: 0x10,
  offloaded: 0x20,
  sticky: 0x40,
  router: 0x80,
} as const;

/** NTF_PROXY, which has a field of its own. */
export const PROXY = 0x8;

const HEADER_LENGTH = 12;
const CACHEINFO_LENGTH = 16;

// NDA_* (linux/neighbour.h).
const DST = 1;
const LLADDR = 2;
const CACHEINFO = 3;
const PROBES = 4;
const VLAN = 5;
const PORT = 6;
const VNI = 7;
const IFINDEX = 8;
const MASTER = 9;
const LINK_NETNSID = 10;
const SRC_VNI = 11;
const PROTOCOL = 12;
const NH_ID = 13;
const FLAGS_EXT = 15;

/**
 * Reads a neighbour whose struct ndmsg starts at `at`. undefined when it is of another family, as entries of a
 * bridge's forwarding table are. Throws MalformedMessage.
 */
export function decodeNeighbour(packet: Packet, at: number, end: number): NeighbourMessage | undefined {
  packet.need(at, HEADER_LENGTH, end);
  const { view } = packet;
  const number = view.getUint8(at);
  if (number !== AF[4] && number !== AF[6]) return undefined;
  const flags = view.getUint8(at + 10);
  const message: NeighbourMessage = {
    family: number === AF[4] ? 4 : 6,
    index: view.getInt32(at + 4, true),
    state: view.getUint16(at + 8, true),
    flags: flags & ~PROXY,
    type: view.getUint8(at + 11),
  };
  if ((flags & PROXY) !== 0) message.proxy = true;
  eachAttribute(packet, at + HEADER_LENGTH, end, (type, start, length) => {
    if (type === DST) message.destination = packet.addressOf(message.family, start, length);
    else if (type === LLADDR) message.hardwareAddress = packet.hex(start, length);
    else if (type === CACHEINFO) message.cacheInfo = decodeCacheInfo(packet, start, length);
    else if (type === PROBES) message.probes = packet.u32(start, length);
    else if (type === PROTOCOL) message.protocol = packet.u8(start, length);
    else if (type === FLAGS_EXT) message.extFlags = packet.u32(start, length);
    else decodeRareAttribute(packet, message, type, start, length);
  });
  return message;
}

function decodeRareAttribute(packet: Packet, message: NeighbourMessage, type: number, at: number, length: number) {
  if (type === MASTER) message.master = packet.u32(at, length);
  else if (type === VLAN) message.vlan = packet.u16(at, length);
  else if (type === PORT) message.port = packet.be16(at, length);
  else if (type === VNI) message.vni = packet.u32(at, length);
  else if (type === SRC_VNI) message.sourceVni = packet.u32(at, length);
  else if (type === IFINDEX) message.viaIndex = packet.u32(at, length);
  else if (type === LINK_NETNSID) message.linkNamespaceId = packet.s32(at, length);
  else if (type === NH_ID) message.nexthop = packet.u32(at, length);
  else message.unknown = packet.keep(message.unknown, at, length);
}

function decodeCacheInfo(packet: Packet, at: number, length: number): NeighbourCacheInfo {
  packet.need(at, CACHEINFO_LENGTH, at + length);
  const { view } = packet;
  return {
    confirmed: view.getUint32(at, true),
    used: view.getUint32(at + 4, true),
    updated: view.getUint32(at + 8, true),
    references: view.getUint32(at + 12, true),
  };
}

/** Appends a whole message of a type such as RTM_NEWNEIGH. Throws RangeError for a value that its field cannot hold. */
export function encodeNeighbour(
  encoder: Encoder,
  type: number,
  flags: number,
  sequence: number,
  message: NeighbourMessage,
): void {
  const header = encoder.message(type, flags, sequence, HEADER_LENGTH);
  encoder.setU8(header, AF[message.family]);
  encoder.setS32(header + 4, message.index);
  encoder.setU16(header + 8, message.state);
  encoder.setU8(header + 10, message.flags | (message.proxy === true ? PROXY : 0));
  encoder.setU8(header + 11, message.type);
  encoder.address(DST, message.destination, message.family);
  if (message.hardwareAddress !== undefined) encoder.raw(LLADDR, parseHex(message.hardwareAddress));
  if (message.cacheInfo !== undefined) {
    const at = encoder.attribute(CACHEINFO, CACHEINFO_LENGTH);
    encoder.setU32(at, message.cacheInfo.confirmed);
    encoder.setU32(at + 4, message.cacheInfo.used);
    encoder.setU32(at + 8, message.cacheInfo.updated);
    encoder.setU32(at + 12, message.cacheInfo.references);
  }
  encoder.u32(PROBES, message.probes);
  encoder.u8(PROTOCOL, message.protocol);
  encoder.u32(FLAGS_EXT, message.extFlags);
  encoder.u16(VLAN, message.vlan);
  encoder.be16(PORT, message.port);
  encoder.u32(VNI, message.vni);
  encoder.u32(SRC_VNI, message.sourceVni);
  encoder.u32(IFINDEX, message.viaIndex);
  encoder.u32(MASTER, message.master);
  encoder.s32(LINK_NETNSID, message.linkNamespaceId);
  encoder.u32(NH_ID, message.nexthop);
  encoder.unknown(message.unknown);
  encoder.finish(header);
}
