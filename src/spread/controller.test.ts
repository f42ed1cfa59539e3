// Proves how the controller places buckets: evenly where flows pause, never those that do not, and without restlessness.
import { describe, expect, test } from "vitest";
import { Random } from "../../test/random.ts";
import { placeByWeight } from "../model/spread-placement.ts";
import { AT_ONCE } from "../model/spread-program.ts";
import { evenOut } from "./balance.ts";
import { beginControl, stepControl, USUAL_OPTIONS } from "./controller.ts";
import type { ControllerOptions, ControllerState, SpreadReading } from "./controller.ts";
import { leastUnevenness, simulate, unevenness } from "./simulation.ts";
import type { SimulatedFlow } from "./simulation.ts";

/** Sizes with a heavy tail, as flows have them. */
function pareto(random: Random, shape: number, count: number): number[] {
  return Array.from({ length: count }, () => 1e6 * (1 - random.next()) ** (-1 / shape));
}

const LINKS = (count: number): { number: number; weight: number }[] =>
  Array.from({ length: count }, (_, i) => ({ number: i + 1, weight: 1 }));

function run(by: "load" | "hash", sizes: readonly number[], links: number, random: Random, pauseEveryMs = 300) {
  const flows = sizes.map((rate): SimulatedFlow => ({ bucket: random.below(1024), rate, pauseEveryMs }));
  const members = LINKS(links);
  const chance = (): number => random.next();
  const end = simulate({ flows, members, by, windowMs: 100, windows: 80, counted: 20, chance });
  return { ...end, unevenness: unevenness(end.carried, members), flows };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

describe.each([
  { flows: 16, links: 2 },
  { flows: 64, links: 2 },
  { flows: 512, links: 2 },
  { flows: 16, links: 8 },
  { flows: 64, links: 8 },
  { flows: 512, links: 8 },
])("$flows flows that pause, on $links links", ({ flows, links }) => {
  test("come within 5 % of the best that whole flows allow, where a hash does not", () => {
    const load: number[] = [];
    const hash: number[] = [];
    for (let seed = 1; seed <= 7; seed++) {
      const sizes = pareto(new Random(seed), 1.2, flows);
      const least = leastUnevenness(sizes, links);
      load.push(run("load", sizes, links, new Random(100 + seed)).unevenness / least);
      hash.push(run("hash", sizes, links, new Random(100 + seed)).unevenness / least);
    }
    expect(median(load)).toBeLessThanOrEqual(1.05);
    expect(median(hash)).toBeGreaterThan(median(load));
  });
});

test("no bucket moves whose flows never pause", () => {
  const sizes = pareto(new Random(7), 1.2, 64);
  const { moves } = run("load", sizes, 2, new Random(8), Infinity);
  expect(moves).toBe(0);
});

test("what is even stays where it is", () => {
  const bins = LINKS(2).map((bin) => ({ ...bin, fixed: 0 }));
  const items = Array.from({ length: 40 }, (_, i) => ({ bucket: i, rate: 100 + (i % 3), member: (i % 2) + 1 }));
  expect(evenOut(bins, items, 0.01, 64)).toEqual([]);
});

test("small steps are taken for what they gain together, and not for less", () => {
  const bins = LINKS(2).map((bin) => ({ ...bin, fixed: 1000 }));
  const items = (rate: number) => Array.from({ length: 10 }, (_, bucket) => ({ bucket, rate, member: 1 }));
  // A hundredth of a link's fair share is a little more than ten.
  expect(evenOut(bins, items(4), 0.01, 64)).toHaveLength(5);
  expect(evenOut(bins, items(2), 0.01, 64)).toEqual([]);
});

test("many flows, each too small to be worth a step, leave the link of a large one", () => {
  const bins = [
    { number: 1, weight: 1, fixed: 1000 },
    { number: 2, weight: 1, fixed: 600 },
  ];
  const small = Array.from({ length: 200 }, (_, bucket) => ({ bucket, rate: 2, member: 1 }));
  expect(evenOut(bins, small, 0.01, 64)).toHaveLength(64);
});

test("who comes back in an exchange follows who goes", () => {
  const bins = LINKS(2).map((bin) => ({ ...bin, fixed: 0 }));
  const items = [60, 60, 40, 40].map((rate, i) => ({ bucket: 10 + i, rate, member: i < 2 ? 1 : 2 }));
  const [goes, comes, ...more] = evenOut(bins, items, 0.01, 64);
  expect(goes).toEqual({ bucket: 10, member: 2, after: [] });
  expect(comes).toMatchObject({ member: 1, after: [{ bucket: 10, member: 2 }] });
  expect(more).toEqual([]);
});

test("what is large is so by the weight of its link", () => {
  const bins = LINKS(2).map((bin) => ({ ...bin, weight: 100, fixed: 0 }));
  const rates = [60, 60, ...Array.from({ length: 40 }, () => 0.5), 40, 40];
  const items = rates.map((rate, bucket) => ({ bucket, rate, member: bucket < 42 ? 1 : 2 }));
  // 140 and 80: one of 60 for one of 40, and the rest in small ones, which are nobody's reason.
  const moves = evenOut(bins, items, 0.01, 64);
  const leads = new Set(moves.flatMap(({ after }) => after.map(({ bucket }) => bucket)));
  expect(moves.length).toBeGreaterThan(10);
  expect([...leads].every((bucket) => (rates[bucket] ?? 0) >= 40)).toBe(true);
});

test("who leaves a link because of one that is on its way follows that one", () => {
  const bins = [
    { number: 1, weight: 1, fixed: 60 },
    { number: 2, weight: 1, fixed: 60 },
  ];
  const items = [40, 40].map((rate, i) => ({ bucket: 12 + i, rate, member: 2 }));
  const going = [{ bucket: 10, rate: 60, from: 1, to: 2 }];
  const after = [{ bucket: 10, member: 2 }];
  expect(evenOut(bins, items, 0.01, 64, going)).toEqual([{ bucket: 12, member: 1, after }]);
  expect(evenOut(bins, items, 0.01, 64)).toEqual([{ bucket: 12, member: 1, after: [] }]);
});

test("small flows that cannot help their link keep nobody else from becoming even", () => {
  const bins = LINKS(3).map((bin) => ({ ...bin, fixed: 0 }));
  const rates = [
    [1500, ...Array.from({ length: 90 }, () => 0.13)],
    Array.from({ length: 20 }, () => 60),
    Array.from({ length: 10 }, () => 30),
  ];
  let bucket = 0;
  const items = rates.flatMap((own, i) => own.map((rate) => ({ bucket: bucket++, rate, member: i + 1 })));
  const moves = evenOut(bins, items, 0.01, 64);
  expect(moves.filter(({ member }) => member === 3).length).toBeGreaterThan(5);
});

test("two large ones do not change places for little: until both have, one link has both", () => {
  const bins = (fixed: number) => LINKS(2).map((bin, i) => ({ ...bin, fixed: i === 0 ? fixed : 0 }));
  const items = (a: number, b: number) => [a, b].map((rate, i) => ({ bucket: i, rate, member: i + 1 }));
  expect(evenOut(bins(60), items(1000, 980), 0.01, 64)).toEqual([]);
  expect(evenOut(bins(400), items(1000, 800), 0.01, 64)).toHaveLength(2);
});

test("who follows one that never pauses stays", () => {
  const members = LINKS(2);
  const placement = placeByWeight(members);
  const [first = [], second = []] = [1, 2].map((member) =>
    [...placement.keys()].filter((bucket) => placement[bucket] === member),
  );
  const flows = (pauseEveryMs: number) => [
    ...first.slice(0, 2).map((bucket) => ({ bucket, rate: 60e6, pauseEveryMs })),
    ...second.slice(0, 2).map((bucket) => ({ bucket, rate: 40e6, pauseEveryMs: 200 })),
  ];
  const movesOf = (pauseEveryMs: number): number => {
    const random = new Random(1);
    const how = { members, by: "load", windowMs: 100, windows: 300, counted: 1 } as const;
    return simulate({ ...how, flows: flows(pauseEveryMs), chance: () => random.next() }).moves;
  };
  expect([movesOf(200), movesOf(Infinity)]).toEqual([2, 0]);
});

describe("a move that waits for others", () => {
  /** Two large ones on the first link, two smaller ones on the second: of each one is to change places. */
  const FLOWS = [
    { bucket: 900, rate: 60e6, member: 1 },
    { bucket: 901, rate: 60e6, member: 1 },
    { bucket: 10, rate: 40e6, member: 2 },
    { bucket: 11, rate: 40e6, member: 2 },
  ];

  class Stage {
    atMs = 0;
    has = FLOWS.map(({ member }) => member);
    silent = new Set<number>();
    up: Set<number> = new Set([1, 2]);
    placement = Uint8Array.from({ length: 1024 }, (_, i) => FLOWS.find(({ bucket }) => bucket === i)?.member ?? 1);
    readonly bytes = FLOWS.map(() => 0);
    readonly options: ControllerOptions;
    #state: ControllerState;

    constructor(options: Partial<ControllerOptions> = {}) {
      this.options = { ...USUAL_OPTIONS, ...options };
      this.#state = beginControl(this.#read());
    }

    #read(): SpreadReading {
      const buckets = Array.from({ length: 1024 }, () => ({ bytes: 0, member: 1 }));
      for (const [i, { bucket }] of FLOWS.entries()) {
        buckets[bucket] = { bytes: this.bytes[i] ?? 0, member: this.has[i] ?? 0 };
      }
      const members = LINKS(2).map((one) => ({ ...one, up: this.up.has(one.number) }));
      return { atMs: this.atMs, members, placement: this.placement, buckets };
    }

    pass(ms: number): this {
      for (const end = this.atMs + ms; this.atMs < end;) {
        this.atMs += 100;
        for (const [i, { rate }] of FLOWS.entries()) {
          if (!this.silent.has(i)) this.bytes[i] = (this.bytes[i] ?? 0) + rate / 10;
        }
        const step = stepControl(this.#state, this.#read(), this.options);
        this.#state = step.state;
        this.placement = Uint8Array.from(step.placement);
      }
      return this;
    }

    /** Begins anew with what stands in the maps. */
    restart(): this {
      this.#state = beginControl(this.#read());
      return this;
    }

    get wished(): number[] {
      return FLOWS.map(({ bucket }) => this.placement[bucket] ?? 0);
    }
  }

  test("stays while they do not pause, goes when they have moved, and not before", () => {
    const stage = new Stage().pass(1500);
    expect(stage.wished).toEqual([2, 1, 2, 2]);
    stage.pass(1000);
    expect(stage.wished).toEqual([2, 1, 2, 2]);
    stage.has[0] = 2;
    expect(stage.pass(100).wished).toEqual([2, 1, 1, 2]);
  });

  test("is off when they are given up, though its bucket comes first", () => {
    const stage = new Stage().pass(1500);
    // The other large one is asked next, and so on; no smaller one ever is.
    for (let i = 0; i < 200; i++) expect(stage.pass(100).wished.slice(2)).toEqual([2, 2]);
    expect(stage.pass(60_000).wished.slice(2)).toEqual([2, 2]);
  });

  test("is off when they have no flow any more", () => {
    const stage = new Stage().pass(1500);
    stage.silent.add(0);
    stage.pass(20_000);
    // 60 and 80: nothing to gain.
    expect(stage.wished.slice(1)).toEqual([1, 2, 2]);
  });

  test("is off when its link is down", () => {
    const stage = new Stage().pass(1500);
    stage.up = new Set([2]);
    stage.has = [2, 2, 2, 2];
    expect(stage.pass(1000).wished.slice(2)).toEqual([2, 2]);
  });

  test("waits after a restart as well", () => {
    const stage = new Stage().pass(1500).restart().pass(2000);
    expect(stage.wished).toEqual([2, 1, 2, 2]);
    stage.has[0] = 2;
    expect(stage.pass(200).wished).toEqual([2, 1, 1, 2]);
  });

  test("goes at once when they have gone so, where time alone makes buckets move", () => {
    const stage = new Stage({ busyMs: 2000 }).pass(1500);
    stage.pass(2000);
    expect(stage.wished[0]).toBe(2 | AT_ONCE);
    stage.has[0] = 2;
    expect(stage.pass(200).wished[2]).toBe(1 | AT_ONCE);
  });
});

test("a link that one flow fills does not keep those behind it from becoming even", () => {
  const bins = LINKS(3).map((bin) => ({ ...bin, fixed: 0 }));
  const small = Array.from({ length: 10 }, (_, i) => ({ bucket: i + 1, rate: 30, member: 2 }));
  const moves = evenOut(bins, [{ bucket: 0, rate: 1000, member: 1 }, ...small], 0.01, 64);
  expect(moves.map(({ member }) => member)).toEqual([3, 3, 3, 3, 3]);
});

test("where it is asked for, a bucket that never pauses is told to move at once, and only after the time", () => {
  const members = LINKS(2).map((one) => ({ ...one, up: true }));
  const read = (atMs: number, placement: Uint8Array) => ({
    atMs,
    members,
    placement,
    // Two flows that never pause on the first link, and nothing on the second.
    buckets: Array.from({ length: 1024 }, (_, i) => ({ bytes: i < 2 ? atMs * 1000 : 0, member: i < 2 ? 1 : 0 })),
  });
  const placedAt = (busyMs: number | undefined): number | undefined => {
    let placement = new Uint8Array(1024).fill(1);
    let state = beginControl(read(0, placement));
    for (let atMs = 100; atMs <= 20_000; atMs += 100) {
      const options = busyMs === undefined ? USUAL_OPTIONS : { ...USUAL_OPTIONS, busyMs };
      const step = stepControl(state, read(atMs, placement), options);
      ({ state } = step);
      placement = Uint8Array.from(step.placement);
      if (placement.some((member) => member & AT_ONCE)) return atMs;
    }
    return undefined;
  };
  expect(placedAt(undefined)).toBeUndefined();
  expect(placedAt(3000)).toBeGreaterThan(3000);
  expect(placedAt(3000)).toBeLessThan(5000);
});
