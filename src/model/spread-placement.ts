// Owns who has which bucket when nothing has been measured: shares by weight, with as few moves as can be.
import { SPREAD_BOUNDS } from "./spread-program.ts";

/** How many of `count` buckets each member shall have, by weight; the remainders go to the largest fractions. */
export function quotas(members: readonly { number: number; weight: number }[], count: number): Map<number, number> {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const exact = members.map(({ number, weight }) => ({ number, share: (count * weight) / total }));
  const whole = exact.map(({ number, share }) => ({ number, quota: Math.floor(share), rest: share % 1 }));
  let left = count - whole.reduce((sum, { quota }) => sum + quota, 0);
  for (const one of whole.toSorted((a, b) => b.rest - a.rest || a.number - b.number)) {
    if (left-- <= 0) break;
    one.quota++;
  }
  return new Map(whole.map(({ number, quota }) => [number, quota]));
}

/**
 * The member of each bucket. Buckets stay where they are (`before`) as far as the shares allow; those of members that
 * are not there any more, and those that are too many, go to members that have too few. Nobody there: all 0.
 */
export function placeByWeight(
  members: readonly { number: number; weight: number }[],
  before: Uint8Array = new Uint8Array(SPREAD_BOUNDS.buckets),
): Uint8Array {
  const placed = new Uint8Array(before.length);
  if (members.length === 0) return placed;
  const left = quotas(members, before.length);
  const homeless: number[] = [];
  // Neighbours in the order are not neighbours in the hash, so it does not matter which of them go.
  for (const [bucket, member] of before.entries()) {
    const room = left.get(member) ?? 0;
    if (room === 0) homeless.push(bucket);
    else {
      placed[bucket] = member;
      left.set(member, room - 1);
    }
  }
  const takers = members.flatMap(({ number }) => Array<number>(left.get(number) ?? 0).fill(number));
  for (const [i, bucket] of homeless.entries()) placed[bucket] = takers[i] ?? 0;
  return placed;
}
