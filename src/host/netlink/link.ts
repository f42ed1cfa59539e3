// Owns links as messages: struct ifinfomsg and IFLA_* (linux/if_link.h), both ways.
import type { Encoder } from "./encoder.ts";
import { eachAttribute, type Packet, type UnknownAttribute } from "./packet.ts";
import { parseHex } from "./text.ts";

/** A link as the kernel says it. Absent means that the attribute is absent. */
export interface LinkMessage {
  index: number;
  name?: string;
  altNames?: string[];
  alias?: string;
  /** ARPHRD_*: 1 Ethernet, 32 InfiniBand, 772 loopback, 65534 none (linux/if_arp.h). */
  type: number;
  /** LINK_FLAG bits. */
  flags: number;
  /** Bytes. */
  mtu?: number;
  minMtu?: number;
  maxMtu?: number;
  /** RFC 2863: 0 unknown, 2 down, 3 lower layer down, 5 dormant, 6 up. */
  operState?: number;
  linkMode?: number;
  carrier?: boolean;
  carrierChanges?: number;
  carrierUpCount?: number;
  carrierDownCount?: number;
  /** Lower-case hexadecimal bytes with colons. */
  hardwareAddress?: string;
  broadcast?: string;
  permanentAddress?: string;
  /** Index of the bridge or bond that the link is a port of. */
  master?: number;
  /** Index of the link below (a VLAN's, a P_Key child's), or a veth's far end, in the namespace linkNamespaceId. */
  parent?: number;
  linkNamespaceId?: number;
  /** IFLA_INFO_KIND: "veth", "bridge", "ipoib". */
  kind?: string;
  /** Payload of IFLA_INFO_DATA as it came. */
  kindAttributes?: Uint8Array;
  /** Kind of the master: "bridge", "bond". */
  masterKind?: string;
  /** Payload of IFLA_INFO_SLAVE_DATA as it came. */
  masterAttributes?: Uint8Array;
  /** Device on its bus: "0000:3b:00.0" on "pci". */
  parentDevice?: string;
  parentBus?: string;
  physicalPortName?: string;
  /** Hexadecimal. */
  physicalPortId?: string;
  physicalSwitchId?: string;
  txQueueLength?: number;
  txQueues?: number;
  rxQueues?: number;
  queueDiscipline?: string;
  group?: number;
  promiscuity?: number;
  allMulticast?: number;
  protoDown?: boolean;
  gsoMaxSize?: number;
  gsoMaxSegments?: number;
  groMaxSize?: number;
  virtualFunctions?: number;
  /** Everything else, such as IFLA_AF_SPEC; not statistics, which are no state. */
  unknown?: UnknownAttribute[];
}

/** Bits of `flags` (IFF_*, linux/if.h). */
export const LINK_FLAG = {
  up: 0x1,
  broadcast: 0x2,
  loopback: 0x8,
  pointToPoint: 0x10,
  running: 0x40,
  noarp: 0x80,
  promiscuous: 0x100,
  allMulticast: 0x200,
  multicast: 0x1000,
  lowerUp: 0x10000,
  dormant: 0x20000,
} as const;

const HEADER_LENGTH = 16;

type Decode = (packet: Packet, at: number, length: number) => string | number | boolean;
type Encode = (encoder: Encoder, type: number, value: never) => void;
interface Row {
  type: number;
  field: keyof LinkMessage;
  decode: Decode;
  encode: Encode;
}

const number = {
  decode: (packet: Packet, at: number, length: number) => packet.u32(at, length),
  encode: (encoder: Encoder, type: number, value: number) => encoder.u32(type, value),
};
const signed = {
  decode: (packet: Packet, at: number, length: number) => packet.s32(at, length),
  encode: (encoder: Encoder, type: number, value: number) => encoder.s32(type, value),
};
const byte = {
  decode: (packet: Packet, at: number, length: number) => packet.u8(at, length),
  encode: (encoder: Encoder, type: number, value: number) => encoder.u8(type, value),
};
const flag = {
  decode: (packet: Packet, at: number, length: number) => packet.u8(at, length) !== 0,
  encode: (encoder: Encoder, type: number, value: boolean) => encoder.u8(type, value ? 1 : 0),
};
const text = {
  decode: (packet: Packet, at: number, length: number) => packet.text(at, length),
  encode: (encoder: Encoder, type: number, value: string) => encoder.text(type, value),
};
const hex = {
  decode: (packet: Packet, at: number, length: number) => packet.hex(at, length),
  encode: (encoder: Encoder, type: number, value: string) => encoder.raw(type, parseHex(value)),
};

/** IFLA_* that are one plain value. */
const ROWS: readonly Row[] = [
  { type: 1, field: "hardwareAddress", ...hex },
  { type: 2, field: "broadcast", ...hex },
  { type: 3, field: "name", ...text },
  { type: 4, field: "mtu", ...number },
  { type: 5, field: "parent", ...number },
  { type: 6, field: "queueDiscipline", ...text },
  { type: 10, field: "master", ...number },
  { type: 13, field: "txQueueLength", ...number },
  { type: 16, field: "operState", ...byte },
  { type: 17, field: "linkMode", ...byte },
  { type: 20, field: "alias", ...text },
  { type: 21, field: "virtualFunctions", ...number },
  { type: 27, field: "group", ...number },
  { type: 30, field: "promiscuity", ...number },
  { type: 31, field: "txQueues", ...number },
  { type: 32, field: "rxQueues", ...number },
  { type: 33, field: "carrier", ...flag },
  { type: 34, field: "physicalPortId", ...hex },
  { type: 35, field: "carrierChanges", ...number },
  { type: 36, field: "physicalSwitchId", ...hex },
  { type: 37, field: "linkNamespaceId", ...signed },
  { type: 38, field: "physicalPortName", ...text },
  { type: 39, field: "protoDown", ...flag },
  { type: 40, field: "gsoMaxSegments", ...number },
  { type: 41, field: "gsoMaxSize", ...number },
  { type: 47, field: "carrierUpCount", ...number },
  { type: 48, field: "carrierDownCount", ...number },
  { type: 50, field: "minMtu", ...number },
  { type: 51, field: "maxMtu", ...number },
  { type: 54, field: "permanentAddress", ...hex },
  { type: 56, field: "parentDevice", ...text },
  { type: 57, field: "parentBus", ...text },
  { type: 58, field: "groMaxSize", ...number },
  { type: 61, field: "allMulticast", ...number },
];

const BY_TYPE: readonly (Row | undefined)[] = Array.from({ length: 64 }, (_, type) =>
  ROWS.find((row) => row.type === type),
);

const STATS = 7;
const STATS64 = 23;
const LINKINFO = 18;
const PROP_LIST = 52;
const ALT_IFNAME = 53;
const INFO_KIND = 1;
const INFO_DATA = 2;
const INFO_SLAVE_KIND = 4;
const INFO_SLAVE_DATA = 5;

/**
 * Reads a link whose struct ifinfomsg starts at `at`. undefined when it speaks for a family, as a bridge does of its
 * ports: a "deleted" of that kind is no deleted link. Throws MalformedMessage.
 */
export function decodeLink(packet: Packet, at: number, end: number): LinkMessage | undefined {
  packet.need(at, HEADER_LENGTH, end);
  const { view } = packet;
  if (view.getUint8(at) !== 0) return undefined;
  const link: LinkMessage = {
    index: view.getInt32(at + 4, true),
    type: view.getUint16(at + 2, true),
    flags: view.getUint32(at + 8, true),
  };
  eachAttribute(packet, at + HEADER_LENGTH, end, (type, start, length) => {
    const row = BY_TYPE[type];
    if (row !== undefined) Object.assign(link, { [row.field]: row.decode(packet, start, length) });
    else if (type === LINKINFO) decodeKind(packet, link, start, length);
    else if (type === PROP_LIST) decodeProperties(packet, link, start, length);
    else if (type !== STATS && type !== STATS64) link.unknown = packet.keep(link.unknown, start, length);
  });
  return link;
}

function decodeKind(packet: Packet, link: LinkMessage, at: number, length: number): void {
  eachAttribute(packet, at, at + length, (type, start, size) => {
    if (type === INFO_KIND) link.kind = packet.text(start, size);
    else if (type === INFO_DATA) link.kindAttributes = packet.copy(start, size);
    else if (type === INFO_SLAVE_KIND) link.masterKind = packet.text(start, size);
    else if (type === INFO_SLAVE_DATA) link.masterAttributes = packet.copy(start, size);
  });
}

function decodeProperties(packet: Packet, link: LinkMessage, at: number, length: number): void {
  eachAttribute(packet, at, at + length, (type, start, size) => {
    if (type === ALT_IFNAME) (link.altNames ??= []).push(packet.text(start, size));
  });
}

/**
 * Appends a whole message of a type such as RTM_NEWLINK, with every field that is there. `change` says which bits of
 * `flags` count in a request (ifi_change). Throws RangeError for a value that its field cannot hold.
 */
export function encodeLink(
  encoder: Encoder,
  type: number,
  flags: number,
  sequence: number,
  link: LinkMessage,
  change = 0,
): void {
  const header = encoder.message(type, flags, sequence, HEADER_LENGTH);
  encoder.setU16(header + 2, link.type);
  encoder.setS32(header + 4, link.index);
  encoder.setU32(header + 8, link.flags);
  encoder.setU32(header + 12, change);
  for (const row of ROWS) {
    const value = link[row.field];
    if (value !== undefined) row.encode(encoder, row.type, value as never);
  }
  if ((link.kind ?? link.masterKind ?? link.kindAttributes ?? link.masterAttributes) !== undefined) {
    const nest = encoder.attribute(LINKINFO, 0);
    encoder.text(INFO_KIND, link.kind);
    if (link.kindAttributes !== undefined) encoder.raw(INFO_DATA, link.kindAttributes);
    encoder.text(INFO_SLAVE_KIND, link.masterKind);
    if (link.masterAttributes !== undefined) encoder.raw(INFO_SLAVE_DATA, link.masterAttributes);
    encoder.endNest(nest);
  }
  if (link.altNames !== undefined) {
    const nest = encoder.nest(PROP_LIST);
    for (const name of link.altNames) encoder.text(ALT_IFNAME, name);
    encoder.endNest(nest);
  }
  encoder.unknown(link.unknown);
  encoder.finish(header);
}
