// Owns the question which buckets should change their member so that the links carry what their weights say.
//
// Placing whole flows so that the busiest link has least is NP-hard (it is multiprocessor scheduling); moving and
// exchanging single buckets while that helps comes within a few per cent of the best, and disturbs little.

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

/** A bucket and the member that it shall have. */
export interface Move {
  bucket: number;
  member: number;
  /** Buckets that have to have moved before: without their move this one would make it worse. */
  after: readonly number[];
}

interface Load {
  bin: Bin;
  items: Item[];
  rate: number;
}

/** What an exchange has to gain, as a part of what it makes worse until both have moved. */
const PAYS = 1 / 20;
/** What a single step has to gain where little is to be had, as a part of what all of them together have to. */
const FINE = 1 / 3;
/** The same where much is to be had: what fills a link may be many small ones. */
const FINEST = 1 / 100;

/**
 * Moves that even the load per weight, at most `most`. None where all of them together would lower no link, counted from
 * the busiest, by more than `worth` of a link's fair share, so that measuring errors move nothing. Where they would, single steps may be
 * smaller: with many links and few large flows it is many small steps that make the difference.
 *
 * Buckets move when they pause, each in its own time. So who leaves a link because a large one comes to it follows that
 * one, and so does who comes to a link because a large one leaves it.
 */
export function evenOut(bins: readonly Bin[], items: readonly Item[], worth: number, most: number): Move[] {
  const loads = bins.map((bin): Load => {
    const own = items.filter(({ member, rate }) => member === bin.number && rate > 0);
    return { bin, items: own, rate: bin.fixed + sum(own.map(({ rate }) => rate)) };
  });
  const total = sum(loads.map(({ rate }) => rate));
  const weights = sum(bins.map(({ weight }) => weight));
  if (bins.length < 2 || total === 0) return [];
  const least = (worth * total) / weights;
  const heights = (): number[] => loads.map(height).sort((a, b) => b - a);
  const before = heights();
  const moves = new Map<number, number>();
  const order = new Order();
  for (let step = 0; step < most; step++) {
    const best = bestExchange(loads, least);
    if (!best) break;
    for (const [item, from, to] of best.steps) {
      from.items = from.items.filter((one) => one !== item);
      to.items.push(item);
      from.rate -= item.rate;
      to.rate += item.rate;
      moves.set(item.bucket, to.bin.number);
      order.note(item, from, to, item.rate > least);
    }
  }
  const after = heights();
  // The busiest may carry a single flow, and cannot be helped: then those behind it count.
  if (before.every((one, rank) => one - (after[rank] ?? 0) <= least)) return [];
  const had = new Map(items.map(({ bucket, member }) => [bucket, member]));
  const moved = [...moves].filter(([bucket, member]) => had.get(bucket) !== member);
  const buckets = new Set(moved.map(([bucket]) => bucket));
  return moved.map(([bucket, member]) => ({ bucket, member, after: order.before(bucket, buckets) }));
}

/** Who follows whom. */
class Order {
  /** Large ones that came to a link, or left it. */
  readonly #came = new Map<Load, Item[]>();
  readonly #left = new Map<Load, Item[]>();
  readonly #leads = new Map<number, Set<number>>();

  note(item: Item, from: Load, to: Load, isLarge: boolean): void {
    const leads = this.#leads.get(item.bucket) ?? new Set<number>();
    this.#leads.set(item.bucket, leads);
    for (const { bucket, rate } of [...(this.#came.get(from) ?? []), ...(this.#left.get(to) ?? [])]) {
      // What is much smaller than the one that moves is no reason for it.
      if (2 * rate >= item.rate && !this.#follows(bucket, item.bucket)) leads.add(bucket);
    }
    if (!isLarge) return;
    this.#came.set(to, [...(this.#came.get(to) ?? []), item]);
    this.#left.set(from, [...(this.#left.get(from) ?? []), item]);
  }

  /** Whom a bucket follows of those that move. */
  before(bucket: number, moving: ReadonlySet<number>): number[] {
    return [...(this.#leads.get(bucket) ?? [])].filter((lead) => moving.has(lead));
  }

  /** Whether one is another, or follows it, directly or not: a bucket may be moved twice. */
  #follows(one: number, other: number): boolean {
    if (one === other) return true;
    return [...(this.#leads.get(one) ?? [])].some((lead) => this.#follows(lead, other));
  }
}

type Exchange = { gain: number; steps: [item: Item, from: Load, to: Load][] };

const height = ({ rate, bin }: Load): number => rate / bin.weight;

/**
 * The move or exchange between the busiest link and another that lowers the busier of the two most. `worth` is what a
 * link has to have too much of before small steps are taken.
 */
function bestExchange(loads: readonly Load[], worth: number): Exchange | undefined {
  // A link that carries most through a single bucket cannot be helped, but those below it can.
  const busiest = loads.toSorted((a, b) => height(b) - height(a));
  for (const [rank, from] of busiest.slice(0, -1).entries()) {
    const others = busiest.slice(rank);
    const even = sum(others.map(({ rate }) => rate)) / sum(others.map(({ bin }) => bin.weight));
    const least = worth * (height(from) - even > worth ? FINEST : FINE);
    let best: Exchange | undefined;
    for (const to of others) {
      if (height(to) >= height(from)) continue;
      const found = between(from, to);
      if (found && found.gain > least && (!best || found.gain > best.gain)) best = found;
    }
    if (best) return best;
  }
  return undefined;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

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
