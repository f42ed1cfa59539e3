// Owns what it means to need a number of the kernel's: a table id, a rule priority, a nexthop id, a bit of the packet mark.
import type { SourceRange } from "./diagnostic.ts";

/** What numbers are drawn for. */
export type Pool = "tables" | "priorities" | "nexthops" | "marks";

export const POOLS = ["tables", "priorities", "nexthops", "marks"] as const satisfies readonly Pool[];

/** What a role instance needs of the host beyond objects. */
export type Claim = NumberClaim | ExclusiveClaim;

/** Something that only one section of the file can have; said so that it stands in a sentence: "the link ib0". */
export interface ExclusiveClaim {
  exclusive: string;
  from: SourceRange;
}

/** A wish for numbers of a pool: `count` consecutive ones, or exactly the one that the file states. */
export interface NumberClaim {
  pool: Pool;
  /** Tells the claim from others of its role instance: a link's name, for instance. */
  name: string;
  count?: number;
  fixed?: number;
  from: SourceRange;
}
