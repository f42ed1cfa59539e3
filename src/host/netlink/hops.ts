// Owns the next hops of a route: RTA_GATEWAY, RTA_VIA and the array RTA_MULTIPATH (linux/rtnetlink.h).
import { familyOf } from "../../model/ip.ts";
import { AF, NESTED } from "./constants.ts";
import { addressBytes, type Encoder } from "./encoder.ts";
import { eachAttribute, MalformedMessage, type Packet, type UnknownAttribute } from "./packet.ts";

/** Status bits of a hop, in `flags` of a hop and of a route with one hop (RTNH_F_*). */
export const HOP_FLAG = {
  dead: 1,
  pervasive: 2,
  offload: 8,
  linkdown: 16,
  unresolved: 32,
  trap: 64,
} as const;

/** RTNH_F_ONLINK, which has a field of its own. */
export const ONLINK = 4;

/** One hop of a route with several. */
export interface HopMessage {
  /** Interface index; 0 where there is none. */
  oif: number;
  /** Of the route's family, or IPv6 under an IPv4 route (RTA_VIA). */
  gateway?: string;
  /** 1–256. */
  weight: number;
  onlink?: true;
  /** HOP_FLAG bits; without ONLINK. */
  flags: number;
  /** Realms, source in the upper half (RTA_FLOW). */
  realms?: number;
  encapType?: number;
  /** Payload of RTA_ENCAP as it came. */
  encap?: Uint8Array;
  unknown?: UnknownAttribute[];
}

const RTA_GATEWAY = 5;
const RTA_FLOW = 11;
const RTA_VIA = 18;
const RTA_ENCAP_TYPE = 21;
const RTA_ENCAP = 22;

/** Reads the payload of RTA_VIA: a gateway of another family. */
export function decodeVia(packet: Packet, at: number, length: number): string {
  packet.need(at, 2, at + length);
  const family = packet.view.getUint16(at, true);
  if (family !== AF[4] && family !== AF[6]) throw new MalformedMessage(`a gateway is of address family ${family}`);
  return packet.addressOf(family === AF[4] ? 4 : 6, at + 2, length - 2);
}

/** Appends a gateway as RTA_GATEWAY, or as RTA_VIA when it is not of the route's family. */
export function encodeGateway(encoder: Encoder, family: 4 | 6, gateway: string): void {
  const own = familyOf(gateway);
  if (own === family) return encoder.address(RTA_GATEWAY, gateway, family);
  const bytes = addressBytes(gateway, own);
  const at = encoder.attribute(RTA_VIA, bytes.length + 2);
  encoder.setU16(at, AF[own]);
  encoder.copy(at + 2, bytes);
}

/** Reads the payload of RTA_MULTIPATH. */
export function decodeHops(packet: Packet, family: 4 | 6, at: number, length: number): HopMessage[] {
  const hops: HopMessage[] = [];
  const end = at + length;
  while (end - at >= 8) {
    const size = packet.view.getUint16(at, true);
    if (size < 8 || size > end - at) throw new MalformedMessage(`a hop of ${size} bytes does not fit`);
    hops.push(decodeHop(packet, family, at, size));
    at += (size + 3) & ~3;
  }
  return hops;
}

function decodeHop(packet: Packet, family: 4 | 6, at: number, size: number): HopMessage {
  const flags = packet.view.getUint8(at + 2);
  const hop: HopMessage = {
    oif: packet.view.getInt32(at + 4, true),
    weight: packet.view.getUint8(at + 3) + 1,
    flags: flags & ~ONLINK,
  };
  if ((flags & ONLINK) !== 0) hop.onlink = true;
  eachAttribute(packet, at + 8, at + size, (type, start, length) => {
    if (type === RTA_GATEWAY) hop.gateway = packet.addressOf(family, start, length);
    else if (type === RTA_VIA) hop.gateway = decodeVia(packet, start, length);
    else if (type === RTA_FLOW) hop.realms = packet.u32(start, length);
    else if (type === RTA_ENCAP_TYPE) hop.encapType = packet.u16(start, length);
    else if (type === RTA_ENCAP) hop.encap = packet.copy(start, length);
    else hop.unknown = packet.keep(hop.unknown, start, length);
  });
  return hop;
}

/** Appends the payload of RTA_MULTIPATH. RangeError for a weight outside 1–256. */
export function encodeHops(encoder: Encoder, family: 4 | 6, hops: readonly HopMessage[]): void {
  for (const hop of hops) {
    const at = encoder.room(8);
    encoder.setU8(at + 2, hop.flags | (hop.onlink === true ? ONLINK : 0));
    encoder.setU8(at + 3, hop.weight - 1);
    encoder.setS32(at + 4, hop.oif);
    if (hop.gateway !== undefined) encodeGateway(encoder, family, hop.gateway);
    encoder.u32(RTA_FLOW, hop.realms);
    if (hop.encap !== undefined) encoder.raw(RTA_ENCAP | NESTED, hop.encap);
    encoder.u16(RTA_ENCAP_TYPE, hop.encapType);
    encoder.unknown(hop.unknown);
    encoder.setU16(at, encoder.length - at);
  }
}
