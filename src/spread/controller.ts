// Owns the placing of buckets by measured load: one pure step from counters to wishes, again and again.
//
// The controller only wishes. The program at the link gives a bucket its new member when none of its packets can be under
// way (native/bpf/spread.h), and goes on alone when nobody wishes any more. So nothing here can reorder a flow, and a
// controller that starts anew takes up what stands in the maps.
import { placeByWeight } from "../model/spread-placement.ts";
import { AT_ONCE } from "../model/spread-program.ts";
import { evenOut } from "./balance.ts";
import type { Item } from "./balance.ts";
import { settleMoves } from "./moves.ts";
import type { BucketMemory, Patience } from "./moves.ts";
import type { Going } from "./order.ts";

/** One bucket as it was read. */
export interface BucketReading {
  /** Bytes since the program began to count. */
  bytes: number;
  /** Who has it; 0 while it has never had a packet. */
  member: number;
}

/** A member as it is now. */
export interface MemberReading {
  number: number;
  weight: number;
  up: boolean;
  /** Bytes that its link has sent, all told; absent where that is not known. */
  sentBytes?: number;
}

/** One reading of a spread. */
export interface SpreadReading {
  /** Milliseconds of a clock that never goes back. */
  atMs: number;
  members: readonly MemberReading[];
  buckets: readonly BucketReading[];
  /** Who shall have each bucket. */
  placement: Uint8Array;
}

/** What the controller keeps from step to step: nothing that could not be measured anew. */
export interface ControllerState {
  atMs: number;
  /** When the first reading was: rates that began at nothing say little at first. */
  begunMs: number;
  buckets: BucketMemory[];
  /** Link bytes at the last reading, by member. */
  sent: ReadonlyMap<number, number>;
  /** Smoothed rate of what else the members' links carry. */
  others: ReadonlyMap<number, number>;
}

/** How the controller judges. */
export interface ControllerOptions extends Patience {
  /** Time in which a measured rate fades by 63 %, ms. */
  fadeMs: number;
  /** Least improvement, as a part of a link's fair share. */
  worth: number;
  /** Most buckets that begin to move in a step. */
  mostMoves: number;
}

export const USUAL_OPTIONS: ControllerOptions = {
  fadeMs: 500,
  worth: 0.01,
  mostMoves: 64,
  patienceMs: 3000,
  restMs: 2000,
};

/** Whoever begins measures for so many fading times before the first wish: what stands may be right. */
const WARM_UP = 2;
/** Below this a bucket counts as having no flow, bytes a second. */
const IDLE_RATE = 64;

/** The state before the first reading. */
export function beginControl(reading: SpreadReading): ControllerState {
  return {
    atMs: reading.atMs,
    begunMs: reading.atMs,
    buckets: reading.buckets.map(({ bytes }) => ({ bytes, rate: 0, waitingSince: 0, restsUntil: 0, refusals: 0 })),
    sent: sentBytes(reading),
    others: new Map(),
  };
}

/** One step: what was carried since the last reading, and who shall have which bucket from now on. */
export function stepControl(
  state: ControllerState,
  reading: SpreadReading,
  options: ControllerOptions = USUAL_OPTIONS,
): { state: ControllerState; placement: Uint8Array } {
  const elapsed = reading.atMs - state.atMs;
  if (elapsed <= 0) return { state, placement: reading.placement };
  const keep = Math.exp(-elapsed / options.fadeMs);
  const buckets = reading.buckets.map((now, i) => measure(state.buckets[i], now, elapsed, keep));
  const others = measureOthers(state, reading, elapsed, keep);
  const { begunMs } = state;
  const isKnown = reading.atMs - begunMs >= WARM_UP * options.fadeMs;
  const placement = isKnown ? place(buckets, others, reading, options) : reading.placement;
  return { state: { atMs: reading.atMs, begunMs, buckets, sent: sentBytes(reading), others }, placement };
}

function measure(before: BucketMemory | undefined, now: BucketReading, elapsed: number, keep: number): BucketMemory {
  const { bytes, rate, ...rest } = before ?? { bytes: now.bytes, rate: 0, waitingSince: 0, restsUntil: 0, refusals: 0 };
  // Counters begin anew when the maps are made anew.
  const fresh = (Math.max(0, now.bytes - bytes) * 1000) / elapsed;
  const faded = rate * keep + fresh * (1 - keep);
  return { ...rest, bytes: now.bytes, rate: faded < IDLE_RATE ? 0 : faded };
}

/** What members' links carry that no bucket accounts for: traffic that is not spread, sockets that have a mark. */
function measureOthers(
  state: ControllerState,
  reading: SpreadReading,
  elapsed: number,
  keep: number,
): Map<number, number> {
  const own = new Map<number, number>();
  for (const [i, { bytes, member }] of reading.buckets.entries()) {
    const gone = Math.max(0, bytes - (state.buckets[i]?.bytes ?? bytes));
    own.set(member, (own.get(member) ?? 0) + gone);
  }
  return new Map(
    reading.members.map(({ number, sentBytes: now }): [number, number] => {
      const before = state.sent.get(number);
      if (now === undefined || before === undefined) return [number, 0];
      // Link headers are not in the buckets' counts: a twentieth is nobody's.
      const sent = Math.max(0, now - before - 1.05 * (own.get(number) ?? 0));
      return [number, (state.others.get(number) ?? 0) * keep + ((sent * 1000) / elapsed) * (1 - keep)];
    }),
  );
}

function sentBytes({ members }: SpreadReading): Map<number, number> {
  return new Map(members.flatMap(({ number, sentBytes }) => (sentBytes === undefined ? [] : [[number, sentBytes]])));
}

/** Decides; `buckets` are brought up to date with who waits and who rests. */
function place(
  buckets: BucketMemory[],
  others: ReadonlyMap<number, number>,
  { atMs, members, buckets: readings, placement: before }: SpreadReading,
  options: ControllerOptions,
): Uint8Array {
  const up = members.filter((member) => member.up);
  if (up.length === 0) return before;
  const isUp = new Set(up.map(({ number }) => number));
  // What was to move at once has moved by now, or says so again.
  const placement = before.map((member) => member & ~AT_ONCE);
  const has = readings.map(({ member }) => member);
  const [idle, busy]: [number[], number[]] = [[], []];
  for (const [bucket, { rate }] of buckets.entries()) {
    if (rate === 0) idle.push(bucket);
    // Packets of a member that is down go by whoever stands in for it, as `has` tells; that is where they are now.
    else if (isUp.has(has[bucket] ?? 0)) busy.push(bucket);
  }
  settleMoves({ buckets, busy, has, placement, isUp, atMs, patience: options });

  const items: Item[] = [];
  const going: Going[] = [];
  const fixed = new Map(up.map(({ number }) => [number, others.get(number) ?? 0]));
  for (const bucket of busy) {
    const { rate, held, waitingSince, restsUntil } = buckets[bucket] as BucketMemory;
    const member = held?.member ?? (placement[bucket] ?? 0) & ~AT_ONCE;
    const goes = held !== undefined || waitingSince !== 0;
    if (goes) going.push({ bucket, rate, from: has[bucket] ?? 0, to: member });
    if (goes || atMs < restsUntil) fixed.set(member, (fixed.get(member) ?? 0) + rate);
    else items.push({ bucket, rate, member });
  }
  const bins = up.map(({ number, weight }) => ({ number, weight, fixed: fixed.get(number) ?? 0 }));
  const moves = evenOut(bins, items, options.worth, options.mostMoves, going);
  for (const { bucket, member, after } of moves) {
    const memory = buckets[bucket] as BucketMemory;
    if (after.length > 0) {
      memory.held = { member, after, since: atMs };
    } else {
      placement[bucket] = member;
      memory.waitingSince = atMs;
    }
  }
  const ends = new Map(moves.map(({ bucket, member }) => [bucket, member]));
  const moved = items.map(({ rate, bucket, member }) => ({ rate, member: ends.get(bucket) ?? member }));
  placeIdle(placement, idle, up, loadsOf(up, fixed, moved));
  return placement;
}

/** What the links carry once all moves are made. */
function loadsOf(
  up: readonly MemberReading[],
  fixed: ReadonlyMap<number, number>,
  moved: readonly { rate: number; member: number }[],
): Map<number, number> {
  const loads = new Map(up.map(({ number }) => [number, fixed.get(number) ?? 0]));
  for (const { rate, member } of moved) loads.set(member, (loads.get(member) ?? 0) + rate);
  return loads;
}

/**
 * Buckets without a flow decide where the next flows go: half of them by weight, half by what the links have to spare,
 * so that many flows that begin at once do not all go to the one link that was emptiest.
 */
function placeIdle(
  placement: Uint8Array,
  idle: readonly number[],
  up: readonly MemberReading[],
  loads: ReadonlyMap<number, number>,
): void {
  const total = [...loads.values()].reduce((sum, load) => sum + load, 0);
  const weights = up.reduce((sum, { weight }) => sum + weight, 0);
  const highest = Math.max(...up.map(({ number, weight }) => (loads.get(number) ?? 0) / weight));
  const spare = up.map(({ number, weight }) => highest * weight - (loads.get(number) ?? 0));
  const room = spare.reduce((sum, one) => sum + one, 0);
  // Steps of a sixteenth: small changes of load move no idle bucket to and fro.
  const even = room <= 0.05 * total;
  const shares = up.map(({ number, weight }, i) => {
    const bySpare = even ? weight / weights : (spare[i] ?? 0) / room;
    return { number, weight: Math.max(1, Math.round(16 * (weight / weights + bySpare))) };
  });
  const placed = placeByWeight(
    shares,
    Uint8Array.from(idle, (bucket) => placement[bucket] ?? 0),
  );
  for (const [i, bucket] of idle.entries()) placement[bucket] = placed[i] ?? 0;
}
