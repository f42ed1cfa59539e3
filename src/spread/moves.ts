// Owns what becomes of moves that were wished: a bucket has moved, goes on being asked to pause, is given up for a while, or
// waits for others to move first.
import { AT_ONCE } from "../model/spread-program.ts";
import type { Lead } from "./order.ts";

/** How long buckets are waited for. */
export interface Patience {
  /** How long a bucket may be asked to pause, ms. */
  patienceMs: number;
  /** After this long a bucket that has not paused moves all the same, ms; absent means never. */
  busyMs?: number;
  /** How long it is left alone after it has not, ms; twice as long each further time, up to 16 times. */
  restMs: number;
}

/** What the controller knows of a bucket. */
export interface BucketMemory {
  bytes: number;
  /** Smoothed, bytes a second. */
  rate: number;
  /** Since when it shall move and has not, ms; 0 when it shall not. */
  waitingSince: number;
  /** Before this it is not asked to move again: it has not paused in time. */
  restsUntil: number;
  /** How often in a row it did not pause. */
  refusals: number;
  /** Where it shall go when others have moved, and since when. */
  held?: { member: number; after: readonly Lead[]; since: number } | undefined;
}

/** Buckets at one reading. */
export interface Moving {
  buckets: readonly BucketMemory[];
  /** Those that have a flow, on a member that is up. */
  busy: readonly number[];
  /** Who has each bucket now, and who shall have it; the latter is written. */
  has: readonly number[];
  placement: Uint8Array;
  isUp: ReadonlySet<number>;
  atMs: number;
  patience: Patience;
}

const MOST_DOUBLINGS = 4;

/** Brings the memory of buckets, and their placement, up to date. */
export function settleMoves(moving: Moving): void {
  const { buckets, busy } = moving;
  const isBusy = new Set(busy);
  for (const [bucket, memory] of buckets.entries()) if (!isBusy.has(bucket)) memory.held = undefined;
  for (const bucket of busy) settleOne(bucket, moving);
  const held = busy.filter((bucket) => buckets[bucket]?.held);
  // Whose move is off takes those along that follow it.
  for (let wereOff = true; wereOff;) {
    const off = held.filter((bucket) => becomes(bucket, moving) === "off");
    for (const bucket of off) (buckets[bucket] as BucketMemory).held = undefined;
    wereOff = off.length > 0;
  }
  for (const bucket of held) if (becomes(bucket, moving) === "goes") letGo(bucket, moving);
}

function settleOne(bucket: number, { buckets, has, placement, isUp, atMs, patience }: Moving): void {
  const memory = buckets[bucket] as BucketMemory;
  const now = has[bucket] ?? 0;
  if (!isUp.has(placement[bucket] ?? 0)) placement[bucket] = now;
  if (placement[bucket] === now) {
    if (memory.waitingSince !== 0) memory.refusals = 0;
    memory.waitingSince = 0;
    return;
  }
  memory.held = undefined;
  const waitedMs = atMs - memory.waitingSince;
  if (memory.waitingSince === 0) {
    memory.waitingSince = atMs;
  } else if (patience.busyMs !== undefined) {
    if (waitedMs > patience.busyMs) placement[bucket] = (placement[bucket] ?? 0) | AT_ONCE;
  } else if (waitedMs > patience.patienceMs) {
    memory.restsUntil = atMs + patience.restMs * 2 ** Math.min(memory.refusals, MOST_DOUBLINGS);
    memory.refusals++;
    memory.waitingSince = 0;
    placement[bucket] = now;
  }
}

/**
 * What becomes of a move that waits for others: it goes when they have been made, and is off when one of them is, since
 * its bucket did not pause, has no flow any more, or goes elsewhere.
 */
function becomes(bucket: number, { buckets, has, placement, isUp }: Moving): "goes" | "waits" | "off" | undefined {
  const { held } = buckets[bucket] as BucketMemory;
  if (!held) return undefined;
  if (!isUp.has(held.member)) return "off";
  const missing = held.after.filter((lead) => has[lead.bucket] !== lead.member);
  if (missing.length === 0) return "goes";
  const allCome = missing.every((lead) => {
    const { rate = 0, held: other, waitingSince = 0 } = buckets[lead.bucket] ?? {};
    if (rate === 0 || !isUp.has(has[lead.bucket] ?? 0)) return false;
    if (other) return other.member === lead.member;
    return waitingSince !== 0 && ((placement[lead.bucket] ?? 0) & ~AT_ONCE) === lead.member;
  });
  return allCome ? "waits" : "off";
}

function letGo(bucket: number, { buckets, placement, atMs, patience }: Moving): void {
  const memory = buckets[bucket] as BucketMemory;
  if (!memory.held) return;
  placement[bucket] = memory.held.member;
  // Where time alone makes a bucket move, those that follow others have waited as well.
  memory.waitingSince = patience.busyMs === undefined ? atMs : memory.held.since;
  memory.held = undefined;
}
