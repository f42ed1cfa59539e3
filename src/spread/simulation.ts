// Owns a model of spreading in time: flows of given sizes in buckets, links of given weights, and the controller between
// them. It shows how even the links can become, in seconds of a test instead of hours of a cluster.
import { placeByWeight } from "../model/spread-placement.ts";
import { SPREAD_BOUNDS } from "../model/spread-program.ts";
import { beginControl, stepControl, USUAL_OPTIONS } from "./controller.ts";
import type { ControllerOptions } from "./controller.ts";

/** Numbers from 0 to below 1. */
export type Chance = () => number;

/** A flow: its rate while it sends, and how it pauses. */
export interface SimulatedFlow {
  bucket: number;
  /** Bytes a second, on average. */
  rate: number;
  /** Milliseconds from one pause to the next, on average; Infinity for one that never pauses. */
  pauseEveryMs: number;
}

/** What came of it. */
export interface SimulatedEnd {
  /** Bytes by member that were carried in the last part of the time. */
  carried: Map<number, number>;
  /** Bucket moves that took place. */
  moves: number;
}

/** What is simulated. */
export interface Simulation {
  flows: readonly SimulatedFlow[];
  members: readonly { number: number; weight: number }[];
  by: "load" | "hash";
  windowMs: number;
  windows: number;
  /** How many of the last windows count. */
  counted: number;
  chance: Chance;
  options?: ControllerOptions;
}

/** Runs it. A bucket pauses in a window when each of its flows happens to. */
export function simulate({
  flows,
  members,
  by,
  windowMs,
  windows,
  counted,
  chance,
  options,
}: Simulation): SimulatedEnd {
  let placement = placeByWeight(members);
  const buckets = Array.from({ length: SPREAD_BOUNDS.buckets }, () => ({ bytes: 0, member: 0 }));
  const carried = new Map(members.map(({ number }) => [number, 0]));
  const inBucket = Map.groupBy(flows, ({ bucket }) => bucket);
  let moves = 0;
  const up = members.map((member) => ({ ...member, up: true }));
  const read = (atMs: number) => ({
    atMs,
    members: up,
    buckets: buckets.map((one) => ({ ...one })),
    placement: placement.slice(),
  });
  let state = beginControl(read(0));
  for (let window = 1; window <= windows; window++) {
    for (const [number, own] of inBucket) {
      const bucket = buckets[number];
      if (!bucket) continue;
      const wanted = placement[number] ?? 0;
      const pauses = own.every(({ pauseEveryMs }) => chance() < windowMs / pauseEveryMs);
      if (bucket.member !== wanted && (bucket.member === 0 || pauses)) {
        if (bucket.member !== 0) moves++;
        bucket.member = wanted;
      }
      const bytes = own.reduce((sum, { rate }) => sum + (rate * windowMs) / 1000, 0);
      bucket.bytes += bytes;
      if (window > windows - counted) carried.set(bucket.member, (carried.get(bucket.member) ?? 0) + bytes);
    }
    if (by === "hash") continue;
    const step = stepControl(state, read(window * windowMs), options ?? USUAL_OPTIONS);
    state = step.state;
    placement = step.placement;
  }
  return { carried, moves };
}

/** The busiest member's load against what its weight is of the whole: 1 is even. */
export function unevenness(
  carried: ReadonlyMap<number, number>,
  members: readonly { number: number; weight: number }[],
): number {
  const total = [...carried.values()].reduce((sum, bytes) => sum + bytes, 0);
  const weights = members.reduce((sum, { weight }) => sum + weight, 0);
  return Math.max(...members.map(({ number, weight }) => ((carried.get(number) ?? 0) * weights) / (weight * total)));
}

/** Of so many flows the best placing is looked for: who are smaller fill up what is left. */
const LARGEST = 24;
/** Placings that are tried for it. */
const MOST_TRIES = 200_000;

/**
 * A lower bound of what any placing of whole flows can reach on links of one weight: the mean, or what the busiest link
 * has at least when nothing but the largest flows is placed, of as many as the best placing can be found for.
 */
export function leastUnevenness(sizes: readonly number[], links: number): number {
  const sorted = sizes.toSorted((a, b) => b - a);
  const mean = sorted.reduce((sum, size) => sum + size, 0) / links;
  let least = Math.max(mean, sorted[0] ?? 0);
  for (let count = links + 1; count <= Math.min(LARGEST, sorted.length); count++) {
    const found = leastBusiest(sorted.slice(0, count), links, least);
    if (found === undefined) break;
    least = found;
  }
  return least / mean;
}

/** What the busiest link has in the best placing, or `enough` where that can be had; undefined when that takes too long. */
function leastBusiest(sizes: readonly number[], links: number, enough: number): number | undefined {
  const loads = Array.from({ length: links }, () => 0);
  let best = Infinity;
  let tries = 0;
  const place = (i: number, busiest: number): void => {
    const size = sizes[i];
    if (size === undefined) {
      best = Math.max(busiest, enough);
      return;
    }
    // The emptiest link first, for a good placing soon; links that carry the same are the same.
    const order = [...new Map(loads.map((load, link) => [load, link]))].sort(([a], [b]) => a - b);
    for (const [load, link] of order) {
      if (best <= enough || tries > MOST_TRIES || load + size >= best) return;
      tries++;
      loads[link] = load + size;
      place(i + 1, Math.max(busiest, load + size));
      loads[link] = load;
    }
  };
  place(0, 0);
  return tries > MOST_TRIES ? undefined : best;
}
