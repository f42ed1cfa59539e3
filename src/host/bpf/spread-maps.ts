// Owns the bytes of the maps of the programs that spread packets (native/bpf/spread.h): wishes to entries and back.
import { formatAddress, parseAddress, parsePrefix } from "../../model/ip.ts";
import type { PrefixParts } from "../../model/ip.ts";
import { SPREAD_BOUNDS } from "../../model/spread-program.ts";
import type { SpreadMechanism, SpreadMember, SpreadSpec } from "../../model/spread-program.ts";
import type { MapEntry } from "./map.ts";

/** What a spread does with its packets, as bits of `flags`; the last is for whoever places its buckets. */
export const FLAG = { mark: 1, redirect: 2, fast: 4, local: 8, byLoad: 16 } as const;
const MECHANISMS: readonly [SpreadMechanism, number][] = [
  // The short cut has the way of marks to fall back to.
  ["fast", FLAG.fast | FLAG.mark],
  ["mark", FLAG.mark],
  ["redirect", FLAG.redirect],
];

/** Bytes of struct spread, struct member, struct placement and struct bucket. */
export const SIZE = { spread: 152, member: 56, placement: SPREAD_BOUNDS.buckets, bucket: 32 } as const;
const AT = {
  key: 0,
  gap: 16,
  flags: 24,
  mask: 28,
  shift: 32,
  up: 36,
  live: 40,
  of: 44,
  order: 48,
  name: 112,
  busy: 144,
} as const;
const MEMBER_AT = { index: 0, weight: 4, mtu: 8, vias: 12, via4: 16, via6: 20, link: 36, takes: 52 } as const;
const TAKES_FRAMES = 1;
/** Members of one spread, number 0 included, and places in `order`. */
const SLOTS = SPREAD_BOUNDS.members + 1;
const ORDER = 64;

const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder() };

/** What the program knows of a spread besides the wish: what only the running kernel has. */
export interface SpreadState {
  /** Key of the hash, 16 bytes. */
  key: Uint8Array;
  /** Numbers of the members that can carry packets. */
  up: readonly number[];
}

/** A spread and its state as they stand in the maps. */
export interface StoredSpread extends SpreadState {
  spec: Omit<SpreadSpec, "to" | "except">;
  /** Indices of the members' links, by number. */
  indices: Map<number, number>;
  /** Their largest packets, by number. */
  mtus: Map<number, number>;
  ofIndex: number;
}

/** Whether the bytes of a struct spread say that its buckets are placed by load. */
export function isByLoad(bytes: Uint8Array): boolean {
  return (new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(AT.flags, true) & FLAG.byLoad) !== 0;
}

/** A key of a map of numbers. */
export function numberKey(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes;
}

/** The bytes of struct spread. `ofIndex` is the index of the link `of`, or 0. */
export function encodeSpread(spec: SpreadSpec, state: SpreadState, ofIndex: number): Uint8Array {
  const bytes = new Uint8Array(SIZE.spread);
  const view = new DataView(bytes.buffer);
  const mechanism = MECHANISMS.find(([name]) => name === spec.mechanism)?.[1] ?? 0;
  const flags = mechanism | (spec.local ? FLAG.local : 0) | (spec.by === "load" ? FLAG.byLoad : 0);
  const order = orderOf(spec.members.filter(({ number }) => state.up.includes(number)));
  bytes.set(state.key, AT.key);
  view.setBigUint64(AT.gap, BigInt(spec.gapMs) * 1_000_000n, true);
  view.setUint32(AT.flags, flags, true);
  view.setUint32(AT.mask, spec.mask, true);
  view.setUint32(AT.shift, spec.shift, true);
  view.setUint32(AT.up, state.up.reduce((bits, number) => bits | (1 << number), 0) >>> 0, true);
  view.setUint32(AT.live, order.length, true);
  view.setUint32(AT.of, ofIndex, true);
  view.setUint32(AT.busy, spec.busyMs ?? 0, true);
  bytes.set(order, AT.order);
  bytes.set(utf8.encoder.encode(spec.name).subarray(0, 31), AT.name);
  return bytes;
}

/** Members in turn, each as often as its weight asks, in at most 64 places; each at least once. */
export function orderOf(members: readonly SpreadMember[]): number[] {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const places = members.flatMap(({ number, weight }) => {
    const count = total <= ORDER ? weight : Math.max(1, Math.floor((weight * ORDER) / total));
    return Array.from({ length: count }, (_, i) => ({ number, at: (i + 0.5) / count }));
  });
  const sorted = places.sort((a, b) => a.at - b.at || a.number - b.number).map(({ number }) => number);
  return sorted.slice(0, ORDER);
}

/** The bytes of struct member, by the slot's number among all. */
export function encodeMember(member: SpreadMember, index: number, mtu: number): Uint8Array {
  const bytes = new Uint8Array(SIZE.member);
  const view = new DataView(bytes.buffer);
  view.setUint32(MEMBER_AT.index, index, true);
  view.setUint32(MEMBER_AT.weight, member.weight, true);
  view.setUint32(MEMBER_AT.mtu, mtu, true);
  for (const via of member.via ?? []) {
    const address = parseAddress(via) as Uint8Array;
    const [bit, at] = address.length === 4 ? [1, MEMBER_AT.via4] : [2, MEMBER_AT.via6];
    view.setUint32(MEMBER_AT.vias, view.getUint32(MEMBER_AT.vias, true) | bit, true);
    bytes.set(address, at);
  }
  bytes.set(utf8.encoder.encode(member.link).subarray(0, 15), MEMBER_AT.link);
  view.setUint32(MEMBER_AT.takes, member.takesFrames ? TAKES_FRAMES : 0, true);
  return bytes;
}

/** Number of a member's entry. */
export function memberSlot(spread: number, member: number): number {
  return spread * SLOTS + member;
}

/** Reads a spread back; undefined where the slot is free. `memberAt` gives the bytes of a member by its entry's number. */
export function decodeSpread(
  number: number,
  bytes: Uint8Array,
  memberAt: (slot: number) => Uint8Array | undefined,
  nameOfLink: (index: number) => string | undefined,
): StoredSpread | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = textAt(bytes, AT.name, 32);
  if (name === "") return undefined;
  const flags = view.getUint32(AT.flags, true);
  const up = view.getUint32(AT.up, true);
  const ofIndex = view.getUint32(AT.of, true);
  const busyMs = view.getUint32(AT.busy, true);
  const members: SpreadMember[] = [];
  const indices = new Map<number, number>();
  const mtus = new Map<number, number>();
  for (let member = 1; member < SLOTS; member++) {
    const found = memberAt(memberSlot(number, member));
    const decoded = found && decodeMember(member, found);
    if (!decoded) continue;
    members.push(decoded.member);
    indices.set(member, decoded.index);
    mtus.set(member, decoded.mtu);
  }
  return {
    key: bytes.slice(AT.key, AT.gap),
    up: Array.from({ length: SLOTS }, (_, i) => i).filter((i) => up & (1 << i)),
    indices,
    mtus,
    ofIndex,
    spec: {
      name,
      mechanism: MECHANISMS.find(([, all]) => (flags & all) === all)?.[0] ?? "mark",
      by: flags & FLAG.byLoad ? "load" : "hash",
      ...(ofIndex === 0 ? {} : { of: nameOfLink(ofIndex) ?? `#${ofIndex}` }),
      ...(flags & FLAG.local ? { local: true } : {}),
      mask: view.getUint32(AT.mask, true),
      shift: view.getUint32(AT.shift, true),
      gapMs: Number(view.getBigUint64(AT.gap, true) / 1_000_000n),
      ...(busyMs === 0 ? {} : { busyMs }),
      members,
    },
  };
}

function decodeMember(
  number: number,
  bytes: Uint8Array,
): { member: SpreadMember; index: number; mtu: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const link = textAt(bytes, MEMBER_AT.link, 16);
  if (link === "") return undefined;
  const vias = view.getUint32(MEMBER_AT.vias, true);
  const via = [
    ...(vias & 1 ? [formatAddress(bytes.slice(MEMBER_AT.via4, MEMBER_AT.via4 + 4))] : []),
    ...(vias & 2 ? [formatAddress(bytes.slice(MEMBER_AT.via6, MEMBER_AT.via6 + 16))] : []),
  ];
  const weight = view.getUint32(MEMBER_AT.weight, true);
  const takesFrames = view.getUint32(MEMBER_AT.takes, true) & TAKES_FRAMES ? { takesFrames: true as const } : {};
  const member = { number, link, weight, ...(via.length > 0 ? { via: via.sort() } : {}), ...takesFrames };
  return { member, index: view.getUint32(MEMBER_AT.index, true), mtu: view.getUint32(MEMBER_AT.mtu, true) };
}

function textAt(bytes: Uint8Array, at: number, size: number): string {
  const part = bytes.subarray(at, at + size);
  const end = part.indexOf(0);
  return utf8.decoder.decode(part.subarray(0, end < 0 ? size : end));
}

/** What stands for a spread where packets are to be left alone. */
export const NO_SPREAD = 0xffffffff;

/** The entries of a spread's prefixes, by the map that they belong in. */
export function encodePrefixes(
  spread: number,
  prefixes: readonly string[],
): Record<"prefixes4" | "prefixes6", MapEntry[]> {
  const entries: Record<"prefixes4" | "prefixes6", MapEntry[]> = { prefixes4: [], prefixes6: [] };
  for (const prefix of prefixes) {
    const { key, family } = prefixKey(prefix);
    entries[family === 4 ? "prefixes4" : "prefixes6"].push({ key, value: numberKey(spread) });
  }
  return entries;
}

function prefixKey(prefix: string): { key: Uint8Array; family: 4 | 6 } {
  const parts = parsePrefix(prefix);
  const address = parts && parseAddress(parts.address);
  if (!parts || !address) throw new RangeError(`not a prefix: ${prefix}`);
  const key = new Uint8Array(4 + address.length);
  new DataView(key.buffer).setUint32(0, parts.length, true);
  key.set(address, 4);
  return { key, family: parts.family };
}

/** The prefix that a key of a trie stands for: "10.0.2.0/24". */
export function decodePrefix(key: Uint8Array): string {
  const length = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, true);
  return `${formatAddress(key.slice(4))}/${length}`;
}

/** How many prefixes the constants hold, and bytes of each. */
const FEW = { most: 8, bytes: 12 } as const;

/**
 * The constants that hold the IPv4 prefixes where these are few, the longest first; none of them otherwise. Each comes
 * with the number of its spread.
 */
export function encodeFewPrefixes(prefixes: readonly (readonly [prefix: string, spread: number])[]): {
  few: Uint8Array;
  few_prefixes: Uint8Array;
} {
  const four = prefixes
    .map(([prefix, spread]) => ({ parts: parsePrefix(prefix) as PrefixParts, spread }))
    .filter(({ parts }) => parts.family === 4)
    .sort((a, b) => b.parts.length - a.parts.length);
  const bytes = new Uint8Array(FEW.most * FEW.bytes);
  if (four.length > FEW.most) return { few: numberKey(0), few_prefixes: bytes };
  const view = new DataView(bytes.buffer);
  for (const [i, { parts, spread }] of four.entries()) {
    bytes.set(parseAddress(parts.address) as Uint8Array, i * FEW.bytes);
    // As it stands in the packet: the most significant byte first.
    view.setUint32(i * FEW.bytes + 4, parts.length === 0 ? 0 : (0xffffffff << (32 - parts.length)) >>> 0, false);
    view.setUint32(i * FEW.bytes + 8, spread, true);
  }
  return { few: numberKey(four.length), few_prefixes: bytes };
}
