// Owns the noun of a host's nftables rules, as they are listed.
import type { NftFields } from "./nft.ts";

/**
 * One thing in a table, as libnftables-json(5) has it, without counts and comments:
 * `{ rule: { family: "inet", table: "filter", chain: "input", handle: 7, expr: [{ accept: null }] } }`.
 */
export type RulesetRow = Readonly<Record<string, NftFields>>;
