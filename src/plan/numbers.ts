// Owns the drawing of table ids, rule priorities, nexthop ids and bits of the mark: stable over time, from ranges that the
// file can move, never one that somebody else uses.
import { POOLS } from "../model/claim.ts";
import type { NumberClaim, Pool } from "../model/claim.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { NumberRange } from "../model/kinds.ts";

/** By pool, by "role/instance/claim": the first number drawn. */
export type Numbers = Record<Pool, Record<string, number>>;

/** No number drawn yet. */
export function emptyNumbers(): Numbers {
  return { tables: {}, priorities: {}, nexthops: {}, marks: {} };
}

/** The ranges that numbers are drawn from, inclusive. */
export type Ranges = Record<Pool, NumberRange>;

/**
 * The ranges in use where the file states none. Priorities lie between the local table's rule (0) and main's (32766),
 * and clear of those that well-known programs use (5210–5270, 9, 20–120, 32764). A mark is drawn as the number of its bit,
 * counted from 0: the highest byte is clear of the marks of kube-proxy (0xc000), Cilium (0xffff) and Tailscale (0xff0000).
 */
export const DEFAULT_RANGES: Ranges = {
  tables: { first: 7000, last: 7999 },
  priorities: { first: 7000, last: 7999 },
  nexthops: { first: 7000, last: 7999 },
  marks: { first: 24, last: 31 },
};

/** A claim with the one who makes it. */
export interface OwnedClaim extends NumberClaim {
  owner: string;
}

/**
 * Draws the numbers for all claims. A claim keeps what it drew `earlier` while that is still in the range;
 * otherwise it gets the lowest free numbers. Fixed numbers come first, so that nothing else is given them. A number
 * that was drawn earlier for something of the same owner that is not there now (a link that is gone) stays reserved.
 */
export function drawNumbers(
  claims: readonly OwnedClaim[],
  ranges: Ranges,
  inUse: Record<Pool, readonly number[]>,
  earlier: Numbers,
  owners: readonly string[],
): { numbers: Numbers; diagnostics: Diagnostic[] } {
  const numbers = emptyNumbers();
  const diagnostics: Diagnostic[] = [];
  for (const pool of POOLS) {
    const range = ranges[pool];
    const taken = new Set(inUse[pool]);
    const take = (claim: OwnedClaim, first: number): void => {
      numbers[pool][claimId(claim)] = first;
      for (const number of span(claim, first)) taken.add(number);
    };
    const ofPool = claims.filter((claim) => claim.pool === pool);
    for (const claim of ofPool) if (claim.fixed !== undefined) taken.add(claim.fixed);
    const drawn = ofPool.filter((claim) => claim.fixed === undefined);
    // Those that keep their numbers go before those that need new ones. What others use keeps nobody from what is
    // already theirs: somebody who names heddle's table, or puts a rule beside heddle's, must not make it move. A nexthop
    // id is one object, though: whose it is now, nobody else can have it.
    const given = new Set([...ofPool.flatMap(({ fixed }) => fixed ?? []), ...(pool === "nexthops" ? inUse[pool] : [])]);
    for (const claim of drawn) {
      const first = earlier[pool][claimId(claim)];
      if (first === undefined || !isFree(claim, first, range, given)) continue;
      take(claim, first);
      for (const number of span(claim, first)) given.add(number);
    }
    const present = new Set(ofPool.map(claimId));
    const absent = Object.entries(earlier[pool]).filter(
      ([id]) => !present.has(id) && owners.some((owner) => id.startsWith(`${owner}/`)),
    );
    for (const claim of drawn) {
      if (claimId(claim) in numbers[pool]) continue;
      const reserved = new Set([...taken, ...absent.map(([, number]) => number)]);
      const first = lowestFree(claim, range, reserved) ?? lowestFree(claim, range, taken);
      if (first === undefined) diagnostics.push(exhausted(claim, range));
      else take(claim, first);
    }
    for (const [id, number] of absent) if (!taken.has(number)) numbers[pool][id] = number;
  }
  return { numbers, diagnostics };
}

/** The name under which a claim's number is remembered. */
export function claimId(claim: { owner: string; name: string }): string {
  return `${claim.owner}/${claim.name}`;
}

function span(claim: NumberClaim, first: number): number[] {
  return Array.from({ length: claim.count ?? 1 }, (_, i) => first + i);
}

function isFree(claim: NumberClaim, first: number, range: NumberRange, taken: ReadonlySet<number>): boolean {
  const count = claim.count ?? 1;
  if (first < range.first || first + count - 1 > range.last) return false;
  for (let number = first; number < first + count; number++) if (taken.has(number)) return false;
  return true;
}

function lowestFree(claim: NumberClaim, range: NumberRange, taken: ReadonlySet<number>): number | undefined {
  for (let first = range.first; first <= range.last; first++) if (isFree(claim, first, range, taken)) return first;
  return undefined;
}

const NOUNS: Record<Pool, string> = {
  tables: "routing table ids",
  priorities: "rule priorities",
  nexthops: "nexthop ids",
  marks: "bits of the mark",
};

function exhausted(claim: OwnedClaim, range: NumberRange): Diagnostic {
  return {
    code: "range-exhausted",
    severity: "error",
    summary: `no ${NOUNS[claim.pool]} left for ${claim.owner}`,
    detail: `It needs ${claim.count ?? 1} in a row, and every one from ${range.first} to ${range.last} is in use.`,
    remedy: `Move or widen it with \`ranges\`, or state numbers in the file.`,
    range: claim.from,
  };
}
