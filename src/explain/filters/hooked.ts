// Owns a packet as nftables sees it at a hook, and what comes of it there.
import type { Family } from "../../model/ip.ts";
import type { FilterChain, FilterRule } from "./ruleset.ts";

/** The first packet of a connection, on its way through the hooks. What is absent was not said, or cannot be known. */
export interface Hooked {
  family: Family;
  from?: string;
  to: string;
  ipProtocol?: number;
  sourcePort?: number;
  destinationPort?: number;
  mark: number;
  tos: number;
  uid?: number;
  gid?: number;
  /** Whether a socket is known with it: what comes in has none, or one that was found early. */
  socket: "own" | "none" | "unknown";
  /** Conntrack sees packets at priority -200 first, and none after `notrack`. */
  tracking: "not-yet" | "new" | "untracked";
  /** The mark of the connection. */
  connectionMark: number;
  /** The link that it came in by. */
  iif?: string;
  /** Links that it may leave by; none before that is known. */
  oifs: readonly string[];
  /** What of its connection's addresses nobody changes any more. */
  settled: { source: boolean; destination: boolean };
  /** Names of sets that the packet itself was put into, or taken out of. */
  touched: ReadonlySet<string>;
}

/** A rule, or the policy of a chain. */
export interface Place {
  family: string;
  table: string;
  chain: string;
  /** The kernel's number of the rule; absent for a policy, and for a rule that is only planned. */
  handle?: number;
}

/** What a rule did to the packet. */
export interface Act {
  by: Place;
  /** "sets its mark to 0x1". */
  does: string;
}

/** What becomes of a packet in a chain, or at a hook. */
export type Fate =
  | { is: "passes" }
  | { is: "dropped"; by: Place; rejected?: true }
  /** From here on nobody can tell: `why` ends "…, because". */
  | { is: "unknown"; by: Place; why: string };

/** The place of a rule; without one, of the chain's policy. */
export function placeOf({ family, table, name }: FilterChain, rule?: FilterRule): Place {
  return { family, table, chain: name, ...(rule?.handle === undefined ? {} : { handle: rule.handle }) };
}

/** "rule 12 of chain input, table inet filter". */
export function sayPlace({ family, table, chain, handle }: Place): string {
  return `${handle === undefined ? "" : `rule ${handle} of `}chain ${chain}, table ${family} ${table}`;
}
