// Owns the names that nft has for numbers, and the reading of constants: what a rule compares with.
//
// Sources: libnftables-json(5), nft(8); include/uapi/linux/netfilter/nf_conntrack_common.h for states of connections.
import type { NftValue } from "../../model/nft.ts";
import { IP_PROTOCOLS } from "../../model/ip-protocols.ts";
import { parseAddress, parsePrefix } from "../../model/ip.ts";
import { rangeOf } from "../../model/prefix.ts";
import { entryOf, fieldsOf, wordOf } from "./ruleset.ts";

/** What a number stands for: by that its constants are read. */
export type Sort =
  | "number"
  | "address"
  | "protocol"
  | "nfproto"
  | "ethertype"
  | "state"
  | "dscp"
  /** Of IPv6: its six bits are not those of one byte. */
  | "wide-dscp"
  | "direction";

const dscp = Object.fromEntries([
  ...Array.from({ length: 8 }, (_, i) => [`cs${i}`, i * 8]),
  ...[1, 2, 3, 4].flatMap((c) => [1, 2, 3].map((d) => [`af${c}${d}`, c * 8 + d * 2])),
  ["be", 0],
  ["df", 0],
  ["lephb", 1],
  ["va", 0x2c],
  ["ef", 0x2e],
]) as Record<string, number>;

const NAMES: Readonly<Partial<Record<Sort, Readonly<Record<string, number>>>>> = {
  // What nft and the file have names for, and what only nft has.
  protocol: { ...IP_PROTOCOLS, igmp: 2, "ipv6-icmp": 58, ospf: 89, comp: 108, vrrp: 112 },
  nfproto: { ipv4: 2, ipv6: 10 },
  ethertype: { ip: 0x0800, ip6: 0x86dd },
  state: { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 },
  dscp,
  "wide-dscp": dscp,
  direction: { original: 0, reply: 1 },
};

/** Numbers from one to another, both included. */
export interface Span {
  first: bigint;
  last: bigint;
}

/** The numbers that a constant stands for; undefined where it is none that is known. */
export function spanOf(sort: Sort, value: NftValue | undefined): Span | undefined {
  const one = numberOf(sort, value);
  if (one !== undefined) return { first: one, last: one };
  const [kind, inner] = entryOf(value) ?? [];
  if (kind === "range" && Array.isArray(inner)) {
    const [first, last] = inner.map((end: NftValue) => numberOf(sort, end));
    return first === undefined || last === undefined ? undefined : { first, last };
  }
  if (kind === "prefix" && sort === "address") {
    const { addr, len } = fieldsOf(inner);
    const text = `${wordOf(addr)}/${wordOf(len)}`;
    if (!parsePrefix(text)) return undefined;
    const { network, length, family } = rangeOf(text);
    const below = (1n << BigInt((family === 4 ? 32 : 128) - length)) - 1n;
    return { first: network, last: network | below };
  }
  return undefined;
}

/** One number; undefined for what is none that is known. Several flags as a list, or joined by "|", are one. */
export function numberOf(sort: Sort, value: NftValue | undefined): bigint | undefined {
  // nft says these by name; as a number its bytes may be in either order.
  if (typeof value === "number" && sort === "ethertype") return undefined;
  if (typeof value === "number") return Number.isInteger(value) && value >= 0 ? BigInt(value) : undefined;
  if (typeof value === "string") return textNumber(sort, value);
  const list = Array.isArray(value) ? (value as readonly NftValue[]) : joined(value);
  if (!list || list.length === 0) return undefined;
  const all = list.map((one) => numberOf(sort, one));
  return all.every((one) => one !== undefined) ? all.reduce((a, b) => a | b) : undefined;
}

function joined(value: NftValue | undefined): readonly NftValue[] | undefined {
  const [kind, inner] = entryOf(value) ?? [];
  return kind === "|" && Array.isArray(inner) ? (inner as readonly NftValue[]) : undefined;
}

function textNumber(sort: Sort, text: string): bigint | undefined {
  if (sort === "address") return parseAddress(text) ? rangeOf(text).network : undefined;
  const named = NAMES[sort];
  if (named && Object.hasOwn(named, text)) return BigInt(named[text] ?? 0);
  return /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? BigInt(text) : undefined;
}
