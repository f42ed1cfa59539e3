// Owns addresses of links as messages: struct ifaddrmsg and IFA_* (linux/if_addr.h), both ways.
import type { Family } from "../../model/ip.ts";
import { AF, FOREVER } from "./constants.ts";
import type { Encoder } from "./encoder.ts";
import { eachAttribute, MalformedMessage, type Packet, type UnknownAttribute } from "./packet.ts";

/** An address of a link as the kernel says it. */
export interface AddressMessage {
  family: Family;
  /** Interface index. */
  index: number;
  /** The link's own address. */
  address: string;
  prefixLength: number;
  /** The far end, where it is not the address itself. */
  peer?: string;
  broadcast?: string;
  anycast?: string;
  multicast?: string;
  /** IPv4 only: "eth0:1". */
  label?: string;
  /** 0 global, 200 site, 253 link, 254 host. */
  scope: number;
  /** ADDRESS_FLAG bits, 32 (IFA_FLAGS). */
  flags: number;
  /** Seconds that are left; absent means for ever. */
  validLifetime?: number;
  preferredLifetime?: number;
  /** Since boot, in 1/100 s. */
  created?: number;
  updated?: number;
  /** Originator (IFA_PROTO). */
  protocol?: number;
  /** Metric of the prefix route that comes with the address (IFA_RT_PRIORITY). */
  metric?: number;
  unknown?: UnknownAttribute[];
}

/** Bits of `flags` (IFA_F_*). */
export const ADDRESS_FLAG = {
  /** IPv4: not the first of its subnet; IPv6: a temporary one. */
  secondary: 0x1,
  nodad: 0x2,
  optimistic: 0x4,
  dadFailed: 0x8,
  homeAddress: 0x10,
  deprecated: 0x20,
  tentative: 0x40,
  permanent: 0x80,
  manageTemporary: 0x100,
  noPrefixRoute: 0x200,
  mcAutoJoin: 0x400,
  stablePrivacy: 0x800,
} as const;

const HEADER_LENGTH = 8;
const CACHEINFO_LENGTH = 16;

// IFA_* (linux/if_addr.h).
const ADDRESS = 1;
const LOCAL = 2;
const LABEL = 3;
const BROADCAST = 4;
const ANYCAST = 5;
const CACHEINFO = 6;
const MULTICAST = 7;
const FLAGS = 8;
const RT_PRIORITY = 9;
const PROTO = 11;

/**
 * Reads an address whose struct ifaddrmsg starts at `at`. undefined when it is of another family. Throws
 * MalformedMessage, also when there is neither IFA_LOCAL nor IFA_ADDRESS.
 */
export function decodeAddress(packet: Packet, at: number, end: number): AddressMessage | undefined {
  packet.need(at, HEADER_LENGTH, end);
  const { view } = packet;
  const number = view.getUint8(at);
  if (number !== AF[4] && number !== AF[6]) return undefined;
  const family = number === AF[4] ? 4 : 6;
  const message: AddressMessage = {
    family,
    index: view.getUint32(at + 4, true),
    address: "",
    prefixLength: view.getUint8(at + 1),
    scope: view.getUint8(at + 3),
    flags: view.getUint8(at + 2),
  };
  let local: string | undefined;
  let far: string | undefined;
  eachAttribute(packet, at + HEADER_LENGTH, end, (type, start, length) => {
    if (type === ADDRESS) far = packet.addressOf(family, start, length);
    else if (type === LOCAL) local = packet.addressOf(family, start, length);
    else decodeAttribute(packet, message, type, start, length);
  });
  // IPv6 says its own address as IFA_ADDRESS when there is no far end.
  const own = local ?? far ?? message.anycast ?? message.multicast;
  if (own === undefined) throw new MalformedMessage("an address message holds no address");
  message.address = own;
  if (far !== undefined && far !== own) message.peer = far;
  return message;
}

function decodeAttribute(packet: Packet, message: AddressMessage, type: number, at: number, length: number): void {
  if (type === LABEL) message.label = packet.text(at, length);
  else if (type === BROADCAST) message.broadcast = packet.addressOf(message.family, at, length);
  else if (type === ANYCAST) message.anycast = packet.addressOf(message.family, at, length);
  else if (type === MULTICAST) message.multicast = packet.addressOf(message.family, at, length);
  else if (type === FLAGS) message.flags = packet.u32(at, length);
  else if (type === RT_PRIORITY) message.metric = packet.u32(at, length);
  else if (type === PROTO) message.protocol = packet.u8(at, length);
  else if (type === CACHEINFO) decodeLifetimes(packet, message, at, length);
  else message.unknown = packet.keep(message.unknown, at, length);
}

function decodeLifetimes(packet: Packet, message: AddressMessage, at: number, length: number): void {
  packet.need(at, CACHEINFO_LENGTH, at + length);
  const { view } = packet;
  const preferred = view.getUint32(at, true);
  const valid = view.getUint32(at + 4, true);
  const created = view.getUint32(at + 8, true);
  const updated = view.getUint32(at + 12, true);
  if (valid !== FOREVER) message.validLifetime = valid;
  if (preferred !== FOREVER) message.preferredLifetime = preferred;
  if (created !== 0) message.created = created;
  if (updated !== 0) message.updated = updated;
}

/** Appends a whole message of a type such as RTM_NEWADDR. Throws RangeError for a value that its field cannot hold. */
export function encodeAddress(
  encoder: Encoder,
  type: number,
  flags: number,
  sequence: number,
  message: AddressMessage,
): void {
  const { family } = message;
  const header = encoder.message(type, flags, sequence, HEADER_LENGTH);
  encoder.setU8(header, AF[family]);
  encoder.setU8(header + 1, message.prefixLength);
  encoder.setU8(header + 2, message.flags & 0xff);
  encoder.setU8(header + 3, message.scope);
  encoder.setU32(header + 4, message.index);
  if (message.anycast !== undefined) encoder.address(ANYCAST, message.anycast, family);
  else if (message.multicast !== undefined) encoder.address(MULTICAST, message.multicast, family);
  else encodeEnds(encoder, message);
  encoder.address(BROADCAST, message.broadcast, family);
  encoder.text(LABEL, message.label);
  encoder.u8(PROTO, message.protocol);
  encoder.u32(FLAGS, message.flags);
  encoder.u32(RT_PRIORITY, message.metric);
  encodeLifetimes(encoder, message);
  encoder.unknown(message.unknown);
  encoder.finish(header);
}

/** As the kernel writes them: IPv4 always both, IPv6 the local one only when there is a far end. */
function encodeEnds(encoder: Encoder, { family, address, peer }: AddressMessage): void {
  if (family === 4) {
    encoder.address(ADDRESS, peer ?? address, family);
    encoder.address(LOCAL, address, family);
  } else {
    if (peer !== undefined) encoder.address(LOCAL, address, family);
    encoder.address(ADDRESS, peer ?? address, family);
  }
}

function encodeLifetimes(encoder: Encoder, message: AddressMessage): void {
  const { validLifetime, preferredLifetime, created, updated } = message;
  if ((validLifetime ?? preferredLifetime ?? created ?? updated) === undefined) return;
  const at = encoder.attribute(CACHEINFO, CACHEINFO_LENGTH);
  encoder.setU32(at, preferredLifetime ?? FOREVER);
  encoder.setU32(at + 4, validLifetime ?? FOREVER);
  encoder.setU32(at + 8, created ?? 0);
  encoder.setU32(at + 12, updated ?? 0);
}
