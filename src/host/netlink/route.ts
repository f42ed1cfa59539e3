// Owns routes as messages: struct rtmsg and RTA_* (linux/rtnetlink.h), both ways.
import type { Family } from "../../model/ip.ts";
import type { RouteMetrics, RouteType } from "../../model/kinds.ts";
import { AF, NESTED } from "./constants.ts";
import type { Encoder } from "./encoder.ts";
import { decodeHops, decodeVia, encodeGateway, encodeHops, ONLINK, type HopMessage } from "./hops.ts";
import { decodeMetrics, encodeMetrics } from "./metrics.ts";
import { MalformedMessage, type Packet, type UnknownAttribute } from "./packet.ts";

/** A route as the kernel says it: links by index, numbers as they are. Absent means that the attribute is absent. */
export interface RouteMessage {
  family: Family;
  /** 0–4294967295; 0 in a request means main. */
  table: number;
  /** Destination prefix; "0.0.0.0/0" and "::/0" are the default route. */
  to: string;
  /** Source prefix of an IPv6 subtree route, or of a look-up. */
  from?: string;
  tos: number;
  protocol: number;
  /** rtm_scope: 0 global, 200 site, 253 link, 254 host, 255 nowhere. */
  scope: number;
  /** By name where there is one; a number otherwise. */
  type: RouteType | number;
  onlink?: true;
  /** RTM_F_* and, with one hop, HOP_FLAG bits; without ONLINK. */
  flags: number;
  /** Metric; lower wins. */
  priority?: number;
  /** RTA_PREFSRC. */
  source?: string;
  oif?: number;
  iif?: number;
  /** Of the route's family, or of the other one (RTA_VIA). */
  gateway?: string;
  hops?: HopMessage[];
  metrics?: RouteMetrics;
  /** Id of a nexthop object (RTA_NH_ID). The kernel adds to its answer the hops that the object has. */
  nexthop?: number;
  /** IPv6: 0 medium, 1 high, 3 low (RTA_PREF). */
  preference?: number;
  /** Seconds that are left (RTA_EXPIRES). */
  expires?: number;
  mark?: number;
  /** Realms, source in the upper half (RTA_FLOW). */
  realms?: number;
  encapType?: number;
  /** Payload of RTA_ENCAP as it came. */
  encap?: Uint8Array;
  ttlPropagate?: boolean;
  uid?: number;
  ipProtocol?: number;
  sport?: number;
  dport?: number;
  /** IPv6 flow label of a look-up, 20 bits (RTA_FLOWLABEL, 6.14). */
  flowLabel?: number;
  cacheInfo?: RouteCacheInfo;
  unknownMetrics?: UnknownAttribute[];
  unknown?: UnknownAttribute[];
}

/** struct rta_cacheinfo; times in clock ticks of 1/100 s. */
export interface RouteCacheInfo {
  references: number;
  lastUse: number;
  /** Negative once it is over. */
  expires: number;
  /** Positive errno that the route answers, as unreachable ones do; the kernel gives it negated. */
  error: number;
  used: number;
  id: number;
  timestamp: number;
  timestampAge: number;
}

/** Bits of `flags` that concern the whole route (RTM_F_*). */
export const ROUTE_FLAG = {
  notify: 0x100,
  cloned: 0x200,
  prefix: 0x800,
  lookupTable: 0x1000,
  fibMatch: 0x2000,
  offload: 0x4000,
  trap: 0x8000,
  offloadFailed: 0x20000000,
} as const;

const TYPES: readonly (RouteType | undefined)[] = [
  undefined,
  "unicast",
  "local",
  "broadcast",
  "anycast",
  "multicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
  "nat",
  "xresolve",
];

const RTMSG_LENGTH = 12;
const CACHEINFO_LENGTH = 32;

// RTA_* (linux/rtnetlink.h).
const DST = 1;
const SRC = 2;
const IIF = 3;
const OIF = 4;
const GATEWAY = 5;
const PRIORITY = 6;
const PREFSRC = 7;
const METRICS = 8;
const MULTIPATH = 9;
const FLOW = 11;
const CACHEINFO = 12;
const TABLE = 15;
const MARK = 16;
const VIA = 18;
const PREF = 20;
const ENCAP_TYPE = 21;
const ENCAP = 22;
const EXPIRES = 23;
const UID = 25;
const TTL_PROPAGATE = 26;
const IP_PROTO = 27;
const SPORT = 28;
const DPORT = 29;
const NH_ID = 30;
const FLOWLABEL = 31;

const ANY = { 4: "0.0.0.0", 6: "::" } as const;

/**
 * Reads a route whose struct rtmsg starts at `at`. undefined when it is of a family other than IPv4 and IPv6 (MPLS,
 * multicast forwarding). Throws MalformedMessage.
 */
export function decodeRoute(packet: Packet, at: number, end: number): RouteMessage | undefined {
  packet.need(at, RTMSG_LENGTH, end);
  const { view } = packet;
  const number = view.getUint8(at);
  if (number !== AF[4] && number !== AF[6]) return undefined;
  const family = number === AF[4] ? 4 : 6;
  const toLength = view.getUint8(at + 1);
  const fromLength = view.getUint8(at + 2);
  const bits = family === 4 ? 32 : 128;
  if (toLength > bits || fromLength > bits)
    throw new MalformedMessage("a prefix is longer than its family's addresses");
  const type = view.getUint8(at + 7);
  const flags = view.getUint32(at + 8, true);
  const route: RouteMessage = {
    family,
    table: view.getUint8(at + 4),
    to: "",
    tos: view.getUint8(at + 3),
    protocol: view.getUint8(at + 5),
    scope: view.getUint8(at + 6),
    type: TYPES[type] ?? type,
    flags: (flags & ~ONLINK) >>> 0,
  };
  if ((flags & ONLINK) !== 0) route.onlink = true;
  let to: string = ANY[family];
  let from: string = ANY[family];
  // What eachAttribute does, without a function for each of a hundred thousand.
  for (let next = at + RTMSG_LENGTH; end - next >= 4;) {
    const start = next + 4;
    const size = packet.attributeLength(next, end);
    const attribute = packet.attributeType(next);
    if (attribute === DST) to = packet.addressOf(family, start, size - 4);
    else if (attribute === SRC) from = packet.addressOf(family, start, size - 4);
    else decodeAttribute(packet, route, attribute, start, size - 4);
    next += (size + 3) & ~3;
  }
  route.to = `${to}/${toLength}`;
  if (fromLength !== 0) route.from = `${from}/${fromLength}`;
  return route;
}

function decodeAttribute(packet: Packet, route: RouteMessage, type: number, at: number, length: number): void {
  switch (type) {
    case TABLE:
      route.table = packet.u32(at, length);
      return;
    case OIF:
      route.oif = packet.u32(at, length);
      return;
    case GATEWAY:
      route.gateway = packet.addressOf(route.family, at, length);
      return;
    case PRIORITY:
      route.priority = packet.u32(at, length);
      return;
    case PREFSRC:
      route.source = packet.addressOf(route.family, at, length);
      return;
    case PREF:
      route.preference = packet.u8(at, length);
      return;
    case CACHEINFO:
      route.cacheInfo = decodeCacheInfo(packet, at, length);
      return;
    case METRICS: {
      const { metrics, unknown } = decodeMetrics(packet, at, length);
      route.metrics = metrics;
      if (unknown !== undefined) route.unknownMetrics = unknown;
      return;
    }
    case MULTIPATH:
      route.hops = decodeHops(packet, route.family, at, length);
      return;
    default:
      decodeRareAttribute(packet, route, type, at, length);
  }
}

function decodeRareAttribute(packet: Packet, route: RouteMessage, type: number, at: number, length: number): void {
  if (type === VIA) route.gateway = decodeVia(packet, at, length);
  else if (type === NH_ID) route.nexthop = packet.u32(at, length);
  else if (type === IIF) route.iif = packet.u32(at, length);
  else if (type === FLOW) route.realms = packet.u32(at, length);
  else if (type === MARK) route.mark = packet.u32(at, length);
  else if (type === UID) route.uid = packet.u32(at, length);
  else if (type === EXPIRES) route.expires = packet.u32(at, length);
  else if (type === ENCAP_TYPE) route.encapType = packet.u16(at, length);
  else if (type === ENCAP) route.encap = packet.copy(at, length);
  else if (type === TTL_PROPAGATE) route.ttlPropagate = packet.u8(at, length) !== 0;
  else if (type === IP_PROTO) route.ipProtocol = packet.u8(at, length);
  else if (type === SPORT) route.sport = packet.be16(at, length);
  else if (type === DPORT) route.dport = packet.be16(at, length);
  else if (type === FLOWLABEL) route.flowLabel = packet.be32(at, length);
  else route.unknown = packet.keep(route.unknown, at, length);
}

function decodeCacheInfo(packet: Packet, at: number, length: number): RouteCacheInfo {
  packet.need(at, CACHEINFO_LENGTH, at + length);
  const { view } = packet;
  return {
    references: view.getUint32(at, true),
    lastUse: view.getUint32(at + 4, true),
    expires: view.getInt32(at + 8, true),
    error: -view.getInt32(at + 12, true) | 0,
    used: view.getUint32(at + 16, true),
    id: view.getUint32(at + 20, true),
    timestamp: view.getUint32(at + 24, true),
    timestampAge: view.getUint32(at + 28, true),
  };
}

/**
 * Appends a whole message of a type such as RTM_NEWROUTE. Attributes stand in the order in which the kernel writes
 * them. Throws RangeError for a value that its field cannot hold.
 */
export function encodeRoute(
  encoder: Encoder,
  type: number,
  flags: number,
  sequence: number,
  route: RouteMessage,
): void {
  const { family, table } = route;
  const header = encoder.message(type, flags, sequence, RTMSG_LENGTH);
  const number = typeof route.type === "number" ? route.type : TYPES.indexOf(route.type);
  // A table that the 8-bit field cannot hold is RT_TABLE_COMPAT there.
  encoder.setFour(header + 4, table < 256 ? table : 252, route.protocol, route.scope, number);
  encoder.setU32(header + 8, (route.flags | (route.onlink === true ? ONLINK : 0)) >>> 0);
  // A look-up names no table, and its strict form refuses the attribute.
  if (table !== 0) encoder.u32(TABLE, table);
  const toLength = encoder.prefix(DST, route.to, family);
  const fromLength = route.from === undefined ? 0 : encoder.prefix(SRC, route.from, family);
  encoder.setFour(header, AF[family], toLength, fromLength, route.tos);
  encoder.u32(PRIORITY, route.priority);
  encodeWay(encoder, route);
  encodeRest(encoder, route);
  encoder.unknown(route.unknown);
  encoder.finish(header);
}

/** Where the packets go, and what is said about the way. */
function encodeWay(encoder: Encoder, route: RouteMessage): void {
  if (route.metrics !== undefined) {
    // These two without the nested bit, as the kernel itself writes them.
    const nest = encoder.attribute(METRICS, 0);
    encodeMetrics(encoder, route.metrics, route.unknownMetrics);
    encoder.endNest(nest);
  }
  if (route.source !== undefined) encoder.address(PREFSRC, route.source, route.family);
  encoder.u32(NH_ID, route.nexthop);
  if (route.gateway !== undefined) encodeGateway(encoder, route.family, route.gateway);
  encoder.u32(OIF, route.oif);
  encoder.u32(FLOW, route.realms);
  // With it here: some encapsulations insist on it.
  if (route.encap !== undefined) encoder.raw(ENCAP | NESTED, route.encap);
  encoder.u16(ENCAP_TYPE, route.encapType);
  if (route.hops !== undefined) {
    const nest = encoder.attribute(MULTIPATH, 0);
    encodeHops(encoder, route.family, route.hops);
    encoder.endNest(nest);
  }
}

/** What only look-ups and answers carry. */
function encodeRest(encoder: Encoder, route: RouteMessage): void {
  if (route.ttlPropagate !== undefined) encoder.u8(TTL_PROPAGATE, route.ttlPropagate ? 1 : 0);
  encoder.u32(MARK, route.mark);
  encoder.u32(UID, route.uid);
  encoder.u32(IIF, route.iif);
  encoder.u8(IP_PROTO, route.ipProtocol);
  encoder.be16(SPORT, route.sport);
  encoder.be16(DPORT, route.dport);
  encoder.be32(FLOWLABEL, route.flowLabel);
  encoder.u32(EXPIRES, route.expires);
  if (route.cacheInfo !== undefined) encodeCacheInfo(encoder, route.cacheInfo);
  encoder.u8(PREF, route.preference);
}

function encodeCacheInfo(encoder: Encoder, cache: RouteCacheInfo): void {
  const at = encoder.attribute(CACHEINFO, CACHEINFO_LENGTH);
  encoder.setU32(at, cache.references);
  encoder.setU32(at + 4, cache.lastUse);
  encoder.setS32(at + 8, cache.expires);
  encoder.setS32(at + 12, -cache.error);
  encoder.setU32(at + 16, cache.used);
  encoder.setU32(at + 20, cache.id);
  encoder.setU32(at + 24, cache.timestamp);
  encoder.setU32(at + 28, cache.timestampAge);
}
