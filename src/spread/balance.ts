// Owns the question which buckets should change their member so that the links carry what their weights say.
//
// Placing whole flows so that the busiest link has least is NP-hard (it is multiprocessor scheduling); moving and
// exchanging single buckets while that helps comes within a few per cent of the best, and disturbs little.
import { Order } from "./order.ts";
import type { Going, Lead } from "./order.ts";

/** A link as the balance sees it. */
export interface Bin {
  number: number;
  /** What it can carry, in any unit that all share. */
  weight: number;
  /** Load that nothing here can move, in the unit of the buckets' rates. */
  fixed: number;
}

/** A bucket that may move. */
export interface Item {
  bucket: number;
  rate: number;
  member: number;
}

/** A move: who shall have a bucket. */
export interface Move extends Lead {
  /** Moves that have to have been made before: without them this one would make it worse. */
  after: readonly Lead[];
}

interface Load {
  bin: Bin;
  items: Item[];
  rate: number;
}

/** What an exchange has to gain, as a part of what it makes worse until both have moved. */
const PAYS = 1 / 20;
/** What a single step has to gain, as a part of what is worth moving at all. */
const FINE = 1 / 3;
/** The same where small steps together are worth it: what fills a link may be many small ones. */
const FINEST = 1 / 100;

/**
 * Moves that even the load per weight, at most `most`. None where all of them together would lower no link, counted from
 * the busiest, by more than `worth` of a link's fair share, so that measuring errors move nothing. Where they would,
 * single steps may be smaller: with many links and few large flows it is many small steps that make the difference.
 * `going` are buckets that were told to move and have not yet: `bins` have them where they shall be.
 */
export function evenOut(
  bins: readonly Bin[],
  items: readonly Item[],
  worth: number,
  most: number,
  going: readonly Going[] = [],
): Move[] {
  const loads = bins.map((bin): Load => {
    const own = items.filter(({ member, rate }) => member === bin.number && rate > 0);
    return { bin, items: own, rate: bin.fixed + sum(own.map(({ rate }) => rate)) };
  });
  const total = sum(loads.map(({ rate }) => rate));
  const weights = sum(bins.map(({ weight }) => weight));
  if (bins.length < 2 || total === 0) return [];
  const least = (worth * total) / weights;
  const weightOf = new Map(bins.map(({ number, weight }) => [number, weight]));
  const heights = (): number[] => loads.map(height).sort((a, b) => b - a);
  const before = heights();
  const ends = new Map<number, number>();
  const order = new Order(going, ({ rate, to }) => rate > least * (weightOf.get(to) ?? 1));
  for (let step = 0; step < most; step++) {
    const best = bestExchange(loads, least, most);
    if (!best) break;
    for (const [item, from, to] of best.steps) {
      from.items = from.items.filter((one) => one !== item);
      to.items.push(item);
      from.rate -= item.rate;
      to.rate += item.rate;
      ends.set(item.bucket, to.bin.number);
      order.note({ bucket: item.bucket, rate: item.rate, from: from.bin.number, to: to.bin.number });
    }
  }
  const after = heights();
  // The busiest may carry a single flow, and cannot be helped: then those behind it count.
  if (before.every((one, rank) => one - (after[rank] ?? 0) <= least)) return [];
  for (const { bucket, member } of items) if (ends.get(bucket) === member) ends.delete(bucket);
  const moved = [...ends];
  for (const { bucket, to } of going) ends.set(bucket, to);
  return moved.map(([bucket, member]) => ({ bucket, member, after: order.leadsOf(bucket, ends) }));
}

type Exchange = { gain: number; steps: [item: Item, from: Load, to: Load][] };

const height = ({ rate, bin }: Load): number => rate / bin.weight;
const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

/** The move or exchange between the busiest link and another that lowers the busier of the two most. */
function bestExchange(loads: readonly Load[], least: number, most: number): Exchange | undefined {
  // A link that carries most through a single bucket cannot be helped, but those below it can.
  const busiest = loads.toSorted((a, b) => height(b) - height(a));
  for (const [rank, from] of busiest.slice(0, -1).entries()) {
    const others = busiest.slice(rank);
    const even = sum(others.map(({ rate }) => rate)) / sum(others.map(({ bin }) => bin.weight));
    const worth = least * (shedding(from, height(from) - even, most) > least ? FINEST : FINE);
    let best: Exchange | undefined;
    for (const to of others) {
      if (height(to) >= height(from)) continue;
      const found = between(from, to);
      if (found && found.gain > worth && (!best || found.gain > best.gain)) best = found;
    }
    if (best) return best;
  }
  return undefined;
}

/** By how much a link that has too much can be lowered with so many buckets that are smaller than that. */
function shedding({ items, bin }: Load, tooMuch: number, most: number): number {
  const small = items.map(({ rate }) => rate / bin.weight).filter((one) => one <= tooMuch);
  return Math.min(tooMuch, sum(small.sort((a, b) => b - a).slice(0, most)));
}

/** The best move, or exchange of two, from a busier link to a less busy one. */
function between(from: Load, to: Load): Exchange | undefined {
  const before = height(from);
  // Moving so much makes both equally high.
  const ideal = (from.rate * to.bin.weight - to.rate * from.bin.weight) / (from.bin.weight + to.bin.weight);
  const gainOf = (amount: number): number =>
    before - Math.max((from.rate - amount) / from.bin.weight, (to.rate + amount) / to.bin.weight);
  let best: Exchange | undefined;
  const offer = (amount: number, steps: Exchange["steps"]): void => {
    const gain = gainOf(amount);
    if (gain > (best?.gain ?? 0)) best = { gain, steps };
  };
  const returns = to.items.toSorted((a, b) => a.rate - b.rate);
  for (const item of from.items) {
    offer(item.rate, [[item, from, to]]);
    if (item.rate <= ideal) continue;
    // Until the one that comes back has paused too, the link that it leaves has both.
    const meanwhile = (to.rate + item.rate) / to.bin.weight - before;
    // What comes back should be as near to the surplus as can be.
    const at = lowerBound(returns, item.rate - ideal);
    for (const back of [returns[at - 1], returns[at]]) {
      if (!back || back.rate >= item.rate || gainOf(item.rate - back.rate) < PAYS * meanwhile) continue;
      offer(item.rate - back.rate, [
        [item, from, to],
        [back, to, from],
      ]);
    }
  }
  return best;
}

/** The first place whose rate is not below. */
function lowerBound(sorted: readonly Item[], rate: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.rate ?? 0) < rate) low = middle + 1;
    else high = middle;
  }
  return low;
}
