// Owns what a plan is: the steps from what the kernel has to what it shall have, as data.
import type { Key } from "./kinds.ts";
import type { Desired, Observed } from "./objects.ts";

/**
 * One change. `why` tells a change of the file ("new", "changed", "unwanted") from a change of the kernel behind
 * heddle's back ("missing", "drift") and from leftovers that nothing remembers ("orphan").
 */
export type Step =
  | { action: "create"; after: Desired; why: "new" | "missing" }
  | { action: "replace"; before: Observed; after: Desired; why: "changed" | "drift" }
  /** `restore`: the value that a sysctl had before heddle's first change, and that it gets back. */
  | { action: "delete"; before: Observed; why: "unwanted" | "orphan"; restore?: string }
  /**
   * `before` and `after` differ in nothing but whose they are. `beside`: ours stands already (an adoption was cut
   * short, or somebody made an equal rule again), and only theirs is left to go.
   */
  | { action: "adopt"; before: Observed; after: Desired; why: "asked"; beside?: true };

/** An object that cannot be made now, what it waits for, and whether that is a thing to come or somebody's object. */
export interface Blocked {
  desired: Desired;
  /** "link ib1", "route 10.0.0.0/8 …". */
  waitsFor: string;
  why:
    | "link-missing"
    | "link-down"
    | "no-carrier"
    | "address-missing"
    | "address-tentative"
    | "nexthop-missing"
    | "foreign"
    /** The agent leaves it alone for a while: somebody fights over it, or the kernel refused it. */
    | "resting";
  /** How the foreign object differs, or what would let heddle take it over: a clause for a person. */
  hint?: string;
}

export interface Plan {
  /** In the order in which they are done. */
  steps: Step[];
  blocked: Blocked[];
  /** Keys of the objects that are as they should be. */
  settled: Key[];
  /** What shall go, and rests: still heddle's, with what is remembered of it. */
  staying?: readonly Observed[];
}

/** What heddle must remember that the kernel does not: which values it found, which objects it made last. */
export interface Ledger {
  /** By path. */
  sysctls: Record<string, SysctlMemory>;
  /** By key: addresses that heddle put on links, with the index of the link. */
  addresses: Record<Key, { link: number }>;
  /**
   * By key: the object as it was last applied, as rememberedAs (plan.ts) has it. Absent keys were never applied on this
   * boot.
   */
  applied: Record<Key, string>;
  /**
   * By key: what the kernel made of the object in `applied`, as text, for kinds that the kernel gives back in other
   * words than they were asked for (nftTable). While both texts are met, the object is as it should be.
   */
  made: Record<Key, string>;
}

/** What heddle remembers of one sysctl that it changed. */
export interface SysctlMemory {
  /** The value before heddle's first change. */
  earlier: string;
  /** Values that heddle set: one, or two while a change is under way. Any other value is somebody else's. */
  set: string[];
  /** Index of the link that the switch belongs to: a link that was made anew has switches that heddle never set. */
  link?: number;
}

/** A ledger that remembers nothing. */
export function emptyLedger(): Ledger {
  return { sysctls: {}, addresses: {}, applied: {}, made: {} };
}
