// Owns the short ways in which this role says what packets a rule of nftables is about.
import type { NftValue } from "../../model/nft.ts";

/** That something of a packet is a value, or in a set: "@name". */
export function match(left: NftValue, right: NftValue): NftValue {
  return { match: { op: "==", left, right } };
}
