// Owns the nouns of the kind "nftTable": one nftables table with its content as plain data.
//
// The content is written as libnftables-json(5) has it, less what is the same for everything in one table: an object
// here has no `family`, no `table` and no `handle`. Fields that heddle itself looks at are typed; the rest is any JSON.

/** Any JSON value. */
export type NftValue = string | number | boolean | null | readonly NftValue[] | NftFields;

/** Fields of an nft object, as libnftables-json(5) names them. */
export interface NftFields {
  readonly [field: string]: NftValue | undefined;
}

/** A chain. A base chain has `type`, `hook` and `prio`; a table that is swapped has its rules from the first moment. */
export interface NftChain extends NftFields {
  readonly name: string;
  readonly type?: "filter" | "nat" | "route";
  readonly hook?: "prerouting" | "input" | "forward" | "output" | "postrouting" | "ingress" | "egress";
  /** As a number, the way nft lists it: -300 raw, -150 mangle, -100 dstnat, 0 filter, 50 security, 100 srcnat. */
  readonly prio?: number;
  readonly policy?: "accept" | "drop";
}

/** A rule: statements that are done from the first to the last. Rules of one chain stand in their order. */
export interface NftRule extends NftFields {
  readonly chain: string;
  readonly expr: readonly NftValue[];
  readonly comment?: string;
}

/** A set. What rules of the table put into it (`add`, `update`) comes from packets and is no part of the content. */
export interface NftSet extends NftFields {
  readonly name: string;
  readonly type: NftValue;
  readonly flags?: NftValue;
  readonly elem?: NftValue;
}

/** A map: a set whose elements point to a value, a verdict or a named object. */
export interface NftMap extends NftSet {
  readonly map: NftValue;
}

/** An object that only has a name and settings. */
export interface NftNamed extends NftFields {
  readonly name: string;
}

/** Objects that rules refer to by name, other than chains, sets and maps. */
export const NFT_STATEFUL = [
  "counter",
  "quota",
  "limit",
  "ct helper",
  "ct timeout",
  "ct expectation",
  "synproxy",
  "secmark",
  "flowtable",
] as const;

export type NftStateful = (typeof NFT_STATEFUL)[number];

/** One thing in a table: `{ rule: { chain: "output", expr: [{ accept: null }] } }`. */
export type NftObject =
  | { readonly chain: NftChain }
  | { readonly rule: NftRule }
  | { readonly set: NftSet }
  | { readonly map: NftMap }
  | { readonly [K in NftStateful]?: NftNamed };

/** Address families of tables that heddle makes, as nft calls them; "inet" is both of the others. */
export const NFT_FAMILIES = ["inet", "ip", "ip6"] as const;

export type NftFamily = (typeof NFT_FAMILIES)[number];

/** All of heddle's tables begin so; a table that does not is never looked into. */
export const NFT_PREFIX = "heddle-";

/**
 * The empty chain that every table of heddle's has, and that tells it from a table of the same name which somebody
 * else made. Comments of tables would be the natural place, but the JSON of nftables 1.0.6 drops them without a word.
 */
export const NFT_TAG_CHAIN = "made-by-heddle";

/**
 * Base chains of tables of egress that do nothing to what a socket sends: the one marks resets that belong to none, the
 * other remembers connections for that (docs/adr/0095).
 */
export const NFT_RESET_CHAINS = { marking: "resets", remembering: "known" } as const;

/** Whether a chain is one of heddle's for resets: they leave alone what sockets send. */
export function isOfResets(chain: { family: string; table: string; name: string }): boolean {
  const ours = chain.family === "inet" && chain.table.startsWith(nftTableName("egress", ""));
  return ours && Object.values<string>(NFT_RESET_CHAINS).includes(chain.name);
}

export interface NftTableSpec {
  family: NftFamily;
  /** Begins with NFT_PREFIX: see nftTableName. */
  name: string;
  /** Whether the table has heddle's tag. The tag itself is not among the objects: the driver writes and reads it. */
  owner: "heddle" | "foreign";
  objects: readonly NftObject[];
}

/**
 * The name of a role instance's table. Names of instances are words that nft takes as they are, and no role has a
 * hyphen in its name, so that different instances have different tables.
 */
export function nftTableName(role: string, instance: string): string {
  return `${NFT_PREFIX}${role}-${instance}`;
}
