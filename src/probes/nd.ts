// Owns the packets by which IPv6 neighbours ask for and tell of addresses (RFC 4861 sections 4.3 and 4.4), by Ethernet and
// InfiniBand (RFC 4391 section 9.3), without the header of the link layer.
import { formatAddress } from "../model/ip.ts";

/** EtherType of IPv6. */
export const IPV6_PROTOCOL = 0x86dd;
/** The protocol in IPv6 that neighbours speak, and where a packet says so. */
export const ICMPV6 = 58;
export const NEXT_HEADER_AT = 6;
/** Bytes of IPv6's header; no other header stands between it and what neighbours say (RFC 6980). */
export const IPV6_HEADER = 40;
/** What a message is, in its first byte. */
export const NEIGHBOUR = { solicitation: 135, advertisement: 136 } as const;

/** Neighbours believe only what no router has passed on (RFC 4861 section 6.1). */
const HOP_LIMIT = 255;
/** Bytes of a message without its options. */
const MESSAGE = 24;
const OPTION = { sourceLinkLayer: 1, targetLinkLayer: 2, nonce: 14 } as const;
/** Flags of an advertisement: from a router; an answer to a question; in place of what is known. */
export const FLAG = { router: 0x80, solicited: 0x40, override: 0x20 } as const;
/** All nodes of the link: ff02::1. */
const ALL_NODES = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const NOBODY = "::";
/** Bytes of a hardware address of InfiniBand with what stands in front of it. */
const PADDED = 22;

/** A link, as far as neighbours see it: its type (ARPHRD_*), its own hardware address, and that of everybody. */
export interface LinkLayer {
  hardware: number;
  own: Uint8Array;
  broadcast: Uint8Array;
}

/** A packet to be sent by a link, without the header of the link layer. */
export interface LinkPacket {
  protocol: number;
  /** Hardware address of its receivers. */
  to: Uint8Array;
  bytes: Uint8Array;
}

/** What a neighbour has said. */
export interface NeighbourHeard {
  /** Its own address, or one that it says it has. */
  present?: string;
  /** Whom it asks for. */
  wanted?: string;
  /** The IPv6 address that it is about to take, unless somebody objects (RFC 4862 section 5.4). */
  claimed?: string;
  /** Its hardware address, where it tells it: 6 bytes of Ethernet, 20 of InfiniBand. */
  hardware?: Uint8Array;
  /** By which it knows its own claim when that comes back to it (RFC 7527). */
  nonce?: Uint8Array;
}

/** What a neighbour says by a packet of IPv6; undefined for what is broken, was passed on by a router, or is none of this. */
export function readNd(bytes: Uint8Array): NeighbourHeard | undefined {
  if (bytes.length < IPV6_HEADER + MESSAGE || (bytes[0] as number) >> 4 !== 6) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = IPV6_HEADER + view.getUint16(4);
  if (bytes[NEXT_HEADER_AT] !== ICMPV6 || bytes[7] !== HOP_LIMIT || bytes[IPV6_HEADER + 1] !== 0) return undefined;
  if (end < IPV6_HEADER + MESSAGE || end > bytes.length || checksumOf(bytes.subarray(0, end)) !== 0) return undefined;
  const target = bytes.slice(IPV6_HEADER + 8, IPV6_HEADER + MESSAGE);
  if (target[0] === 0xff) return undefined;
  const kind = bytes[IPV6_HEADER];
  const options = bytes.subarray(IPV6_HEADER + MESSAGE, end);
  if (kind === NEIGHBOUR.advertisement) {
    return { present: formatAddress(target), ...hardwareIn(options, OPTION.targetLinkLayer) };
  }
  if (kind !== NEIGHBOUR.solicitation) return undefined;
  const sender = formatAddress(bytes.slice(8, 24));
  const wanted = formatAddress(target);
  if (sender !== NOBODY) return { present: sender, wanted, ...hardwareIn(options, OPTION.sourceLinkLayer) };
  const nonce = readOption(options, OPTION.nonce);
  return { claimed: wanted, ...(nonce === undefined ? {} : { nonce }) };
}

/** The group that whoever has an address listens to (RFC 4291 section 2.7.1). */
export function solicitedNodeOf(address: Uint8Array): Uint8Array {
  const group = new Uint8Array(16);
  group.set([0xff, 2]);
  group.set([1, 0xff], 11);
  group.set(address.subarray(13), 13);
  return group;
}

/** The claim of an address, as from one that is about to take it; undefined for links that have no such packets. */
export function makeClaim(link: LinkLayer, address: Uint8Array, nonce?: Uint8Array): LinkPacket | undefined {
  const group = solicitedNodeOf(address);
  const options = nonce === undefined ? new Uint8Array() : makeOption(OPTION.nonce, nonce);
  return makeMessage(link, {
    kind: NEIGHBOUR.solicitation,
    flags: 0,
    from: new Uint8Array(16),
    group,
    address,
    options,
  });
}

/** An advertisement of an address that nobody has asked for (RFC 4861 section 7.2.6). `flags`: see FLAG. */
export function makeAdvertisement(link: LinkLayer, address: Uint8Array, flags: number): LinkPacket | undefined {
  const options = linkLayerOption(OPTION.targetLinkLayer, link);
  return makeMessage(link, { kind: NEIGHBOUR.advertisement, flags, from: address, group: ALL_NODES, address, options });
}

/** The question who has an address, of this link with an address of its own. */
export function makeQuestion(link: LinkLayer, from: Uint8Array, address: Uint8Array): LinkPacket | undefined {
  const options = linkLayerOption(OPTION.sourceLinkLayer, link);
  const group = solicitedNodeOf(address);
  return makeMessage(link, { kind: NEIGHBOUR.solicitation, flags: 0, from, group, address, options });
}

/** The answer to one neighbour that has asked for an address. */
export function makeAnswer(
  link: LinkLayer,
  address: Uint8Array,
  { ip, hardware }: { ip: Uint8Array; hardware: Uint8Array },
): LinkPacket | undefined {
  const flags = FLAG.solicited | FLAG.override;
  const options = linkLayerOption(OPTION.targetLinkLayer, link);
  const packet = makeMessage(link, {
    kind: NEIGHBOUR.advertisement,
    flags,
    from: address,
    group: ip,
    address,
    options,
  });
  return packet && { ...packet, to: hardware };
}

interface Message {
  kind: number;
  flags: number;
  from: Uint8Array;
  /** The group that it is for. */
  group: Uint8Array;
  address: Uint8Array;
  options: Uint8Array;
}

function makeMessage(link: LinkLayer, { kind, flags, from, group, address, options }: Message): LinkPacket | undefined {
  const to = hardwareOf(link, group);
  if (!to) return undefined;
  const bytes = new Uint8Array(IPV6_HEADER + MESSAGE + options.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 6 << 28);
  view.setUint16(4, bytes.length - IPV6_HEADER);
  bytes[NEXT_HEADER_AT] = ICMPV6;
  bytes[7] = HOP_LIMIT;
  bytes.set(from, 8);
  bytes.set(group, 24);
  bytes[IPV6_HEADER] = kind;
  bytes[IPV6_HEADER + 4] = flags;
  bytes.set(address, IPV6_HEADER + 8);
  bytes.set(options, IPV6_HEADER + MESSAGE);
  view.setUint16(IPV6_HEADER + 2, checksumOf(bytes));
  return { protocol: IPV6_PROTOCOL, to, bytes };
}

/** The hardware address of a group (RFC 2464 section 7; RFC 4391 section 4, which has the partition's key in it). */
function hardwareOf({ hardware, broadcast }: LinkLayer, group: Uint8Array): Uint8Array | undefined {
  if (hardware === 1) return Uint8Array.of(0x33, 0x33, ...group.subarray(12));
  if (hardware !== 32 || broadcast.length !== 20) return undefined;
  const to = broadcast.slice();
  // The signature of IPv6, and the low 80 bits of the group.
  to[6] = 0x60;
  to[7] = 0x1b;
  to.set(group.subarray(6), 10);
  return to;
}

/** Of InfiniBand, two bytes stand in front of the address (RFC 4391 section 9.3). */
function linkLayerOption(type: number, { own }: LinkLayer): Uint8Array {
  const padded = new Uint8Array(own.length === 20 ? PADDED : own.length);
  padded.set(own, padded.length - own.length);
  return makeOption(type, padded);
}

function hardwareIn(options: Uint8Array, type: number): { hardware?: Uint8Array } {
  const value = readOption(options, type);
  if (value === undefined) return {};
  return { hardware: value.length === PADDED ? value.slice(2) : value };
}

/** In units of 8 bytes. */
function makeOption(type: number, value: Uint8Array): Uint8Array {
  const option = new Uint8Array(Math.ceil((2 + value.length) / 8) * 8);
  option[0] = type;
  option[1] = option.length / 8;
  option.set(value, 2);
  return option;
}

/** The value of the first option of a type; options that lie of their length end the search. */
function readOption(options: Uint8Array, type: number): Uint8Array | undefined {
  for (let at = 0; at + 8 <= options.length;) {
    const length = (options[at + 1] as number) * 8;
    if (length === 0 || at + length > options.length) return undefined;
    if (options[at] === type) return options.slice(at + 2, at + length);
    at += length;
  }
  return undefined;
}

/** Of the packet with its pseudo-header (RFC 8200 section 8.1): 0 where the field is right, what belongs there while it is zero. */
function checksumOf(packet: Uint8Array): number {
  let sum = ICMPV6 + packet.length - IPV6_HEADER;
  for (let i = 8; i < packet.length; i += 2) sum += ((packet[i] as number) << 8) | (packet[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
