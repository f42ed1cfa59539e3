// Owns the packets by which a link tells its neighbours that an address is here now: gratuitous ARP, and what IPv6 has
// in its place.
import { ARP_PROTOCOL, makeArpQuestion } from "../probes/arp.ts";

/** EtherType of IPv6. */
const IPV6_PROTOCOL = 0x86dd;

/** A link, as far as neighbours see it: its type (ARPHRD_*), its own hardware address, and that of everybody. */
export interface Announcer {
  hardware: number;
  own: Uint8Array;
  broadcast: Uint8Array;
}

/** A packet to be sent by a link, without the header of the link layer. */
export interface Announcement {
  protocol: number;
  to: Uint8Array;
  bytes: Uint8Array;
}

/** The announcement of an address, which every neighbour that knows it takes to heart; undefined for links without any. */
export function makeAnnouncement(announcer: Announcer, ip: Uint8Array): Announcement | undefined {
  return ip.length === 4 ? makeGratuitousArp(announcer, ip) : makeAdvertisement(announcer, ip);
}

/** A request for the address by the address itself (RFC 5227 section 3). */
function makeGratuitousArp({ hardware, own, broadcast }: Announcer, ip: Uint8Array): Announcement | undefined {
  const bytes = makeArpQuestion({ hardware, own, ip }, ip);
  return bytes && { protocol: ARP_PROTOCOL, to: broadcast, bytes };
}

/** All nodes of the link: ff02::1. */
const ALL_NODES = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const ICMPV6 = 58;
const NEIGHBOUR_ADVERTISEMENT = 136;
/** From a router, and in place of what is known: R and O, not S, since nobody has asked (RFC 4861 section 4.4). */
const ROUTER_OVERRIDES = 0xa0;
const TARGET_LINK_LAYER = 2;
const HEADER = 40;

/** An unsolicited neighbour advertisement (RFC 4861 section 7.2.6). */
function makeAdvertisement(announcer: Announcer, ip: Uint8Array): Announcement | undefined {
  const to = allNodesOf(announcer);
  if (!to) return undefined;
  const option = linkLayerOption(announcer);
  const bytes = new Uint8Array(HEADER + 24 + option.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 6 << 28);
  view.setUint16(4, bytes.length - HEADER);
  bytes[6] = ICMPV6;
  // Neighbours believe only what no router has passed on.
  bytes[7] = 255;
  bytes.set(ip, 8);
  bytes.set(ALL_NODES, 24);
  bytes[HEADER] = NEIGHBOUR_ADVERTISEMENT;
  bytes[HEADER + 4] = ROUTER_OVERRIDES;
  bytes.set(ip, HEADER + 8);
  bytes.set(option, HEADER + 24);
  view.setUint16(HEADER + 2, checksumOf(bytes));
  return { protocol: IPV6_PROTOCOL, to, bytes };
}

/** The hardware address of ff02::1 (RFC 2464 section 7; RFC 4391 section 4, which has the partition's key in it). */
function allNodesOf({ hardware, broadcast }: Announcer): Uint8Array | undefined {
  if (hardware === 1) return Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);
  if (hardware !== 32 || broadcast.length !== 20) return undefined;
  const to = broadcast.slice();
  // The signature of IPv6, and the low 80 bits of the group.
  to[6] = 0x60;
  to[7] = 0x1b;
  to.set(ALL_NODES.subarray(6), 10);
  return to;
}

/** In units of 8 bytes; of InfiniBand with two bytes of padding in front (RFC 4391 section 9.3). */
function linkLayerOption({ own }: Announcer): Uint8Array {
  const padding = own.length === 20 ? 2 : 0;
  const option = new Uint8Array(Math.ceil((2 + padding + own.length) / 8) * 8);
  option[0] = TARGET_LINK_LAYER;
  option[1] = option.length / 8;
  option.set(own, 2 + padding);
  return option;
}

/** Of the packet with its pseudo-header (RFC 8200 section 8.1), while the field itself is zero. */
function checksumOf(packet: Uint8Array): number {
  let sum = ICMPV6 + packet.length - HEADER;
  for (let i = 8; i < packet.length; i += 2) sum += ((packet[i] as number) << 8) | (packet[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
