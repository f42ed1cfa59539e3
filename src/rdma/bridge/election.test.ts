// Proves that of several bridges one at most passes a group's packets on, whatever happens to them, and that one does.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Election, ELECTION_MS } from "./election.ts";
import { hashText, HELLO_MAC, isHello, MOST_PEERS, readHello, writeHello } from "./hello.ts";
import type { Hello } from "./hello.ts";

const GROUPS = 40;
const HASHES = Array.from({ length: GROUPS }, (_, i) => hashText(`group ${i}`));
const STEP_MS = 10;
/** What a hello may take on its way, and in the queue of its reader. */
const LATEST_MS = ELECTION_MS.dead - ELECTION_MS.lease - 2 * STEP_MS;

/** What happens to a bridge, and when. */
interface Event {
  atMs: number;
  bridge: number;
  what: "stall" | "flap" | "restart";
  forMs: number;
}

/** Bridges that hear each other after a delay, each with moments in which its process stands still. */
class World {
  readonly bridges: Election[] = [];
  readonly #delay: () => number;
  readonly #mail: { to: number; atMs: number; hello: Hello }[] = [];
  readonly #latest = new Map<string, number>();
  readonly #stalledUntil: number[] = [];
  readonly #awayUntil: number[] = [];
  #ids = 1n;
  nowMs = 0;
  /** The most bridges that had one group at once. */
  most = 0;

  constructor(count: number, delay: () => number) {
    this.#delay = delay;
    for (let i = 0; i < count; i++) this.#start(i);
  }

  #start(bridge: number): void {
    this.bridges[bridge] = new Election((this.#ids++ * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn, 1, 2, HASHES);
  }

  #say(from: number, hello: Hello): void {
    for (let to = 0; to < this.bridges.length; to++) {
      if (to === from) continue;
      // No frame overtakes another on one way.
      const before = this.#latest.get(`${from} ${to}`) ?? 0;
      const atMs = Math.max(before, this.nowMs + this.#delay());
      this.#latest.set(`${from} ${to}`, atMs);
      this.#mail.push({ to, atMs, hello });
    }
  }

  happen({ bridge, what, forMs }: Event): void {
    if (what === "stall") this.#stalledUntil[bridge] = this.nowMs + forMs;
    else if (what === "flap") this.#awayUntil[bridge] = this.nowMs + forMs;
    // As after a kill: nobody is told.
    else this.#start(bridge);
  }

  step(): void {
    this.nowMs += STEP_MS;
    for (const [i, bridge] of this.bridges.entries()) {
      if ((this.#stalledUntil[i] ?? 0) > this.nowMs) continue;
      bridge.setReady((this.#awayUntil[i] ?? 0) <= this.nowMs, this.nowMs);
      // In the order of the wire, as from one socket.
      for (const one of this.#mail.filter(({ to, atMs }) => to === i && atMs <= this.nowMs)) {
        this.#mail.splice(this.#mail.indexOf(one), 1);
        if (bridge.hear(one.hello, this.nowMs)) this.#say(i, bridge.hello(this.nowMs));
        // Packets may come between hellos.
        this.#count();
      }
      if (bridge.tick(this.nowMs)) this.#say(i, bridge.hello(this.nowMs));
    }
    this.#count();
  }

  #count(): void {
    for (let group = 0; group < GROUPS; group++) this.most = Math.max(this.most, this.servers(group).length);
  }

  /** The bridges that would pass on a packet of the group if it came now. */
  servers(group: number): number[] {
    return this.bridges.flatMap((bridge, i) => {
      const runs = (this.#stalledUntil[i] ?? 0) <= this.nowMs;
      return runs && bridge.mayServe(this.nowMs) && bridge.serves(group, this.nowMs, bridge.generation) ? [i] : [];
    });
  }

  run(forMs: number, events: readonly Event[] = []): void {
    const end = this.nowMs + forMs;
    const rest = events.toSorted((a, b) => b.atMs - a.atMs);
    while (this.nowMs < end) {
      while ((rest.at(-1)?.atMs ?? Infinity) <= this.nowMs) this.happen(rest.pop() as Event);
      this.step();
    }
  }
}

const event = fc.record({
  atMs: fc.integer({ min: 0, max: 12_000 }),
  bridge: fc.nat({ max: 2 }),
  what: fc.constantFrom("stall" as const, "flap" as const, "restart" as const),
  forMs: fc.integer({ min: 10, max: 4000 }),
});

test("one at most has a group at any time, and one has it when all is quiet", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 3 }),
      fc.array(event, { maxLength: 6 }),
      fc.infiniteStream(fc.integer({ min: 0, max: LATEST_MS })),
      (count, events, delays) => {
        const world = new World(count, () => delays.next().value as number);
        world.run(
          16_000,
          events.filter(({ bridge }) => bridge < count),
        );
        expect(world.most).toBeLessThanOrEqual(1);
        world.run(8000);
        for (let group = 0; group < GROUPS; group++) expect(world.servers(group)).toHaveLength(1);
      },
    ),
    { numRuns: 60 },
  );
});

describe("a bridge", () => {
  test("that is alone has all groups once it has listened, and none before", () => {
    const world = new World(1, () => 0);
    world.run(ELECTION_MS.listen - STEP_MS);
    expect(world.most).toBe(0);
    world.run(ELECTION_MS.pause + 10 * STEP_MS);
    for (let group = 0; group < GROUPS; group++) expect(world.servers(group)).toEqual([0]);
  });

  test("shares with another, and takes over what that one had", () => {
    const world = new World(2, () => 1);
    world.run(5000);
    const had = HASHES.map((_, group) => world.servers(group)[0]);
    expect(had.filter((bridge) => bridge === 0).length).toBeGreaterThan(GROUPS / 4);
    expect(had.filter((bridge) => bridge === 1).length).toBeGreaterThan(GROUPS / 4);
    world.happen({ atMs: 0, bridge: 1, what: "stall", forMs: 60_000 });
    world.run(ELECTION_MS.dead + 200);
    for (let group = 0; group < GROUPS; group++) expect(world.servers(group)).toEqual([0]);
    expect(world.most).toBe(1);
  });

  test("that ends hands its groups over at once", () => {
    const [a, b] = [new Election(1n, 1, 2, HASHES), new Election(2n, 1, 2, HASHES)];
    for (const one of [a, b]) one.setReady(true, 0);
    for (let nowMs = 0; nowMs < 4000; nowMs += 50) {
      if (a.tick(nowMs)) b.hear(a.hello(nowMs), nowMs);
      if (b.tick(nowMs)) a.hear(b.hello(nowMs), nowMs);
    }
    const emptied = b.generation;
    const own = (nowMs: number, generation: number): number =>
      HASHES.filter((_, i) => b.mayServe(nowMs) && b.serves(i, nowMs, generation)).length;
    const before = own(4000, emptied);
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(GROUPS);
    b.hear(a.resign(4000), 4000);
    expect(a.mayServe(4000)).toBe(false);
    const pausedMs = 4000 + ELECTION_MS.pause;
    // What it had goes on; what it gets waits, and what has waited in a socket is not passed on.
    expect([own(4000, b.generation), own(pausedMs, emptied), own(pausedMs, b.generation)]).toEqual([
      before,
      before,
      GROUPS,
    ]);
  });

  test("that comes stops nobody before it knows of the others", () => {
    const a = new Election(1n, 1, 2, HASHES);
    a.setReady(true, 0);
    for (let nowMs = 0; nowMs < 3000; nowMs += 50) if (a.tick(nowMs)) a.hello(nowMs);
    const hello = { id: 2n, active: false, name: 1, groups: 2, peers: [] };
    const all = (nowMs: number): boolean =>
      a.mayServe(nowMs) && HASHES.every((_, i) => a.serves(i, nowMs, a.generation));
    for (let nowMs = 3000; nowMs < 3000 + ELECTION_MS.lease; nowMs += 50) {
      a.hear(hello, nowMs);
      if (a.tick(nowMs)) a.hello(nowMs);
      expect(all(nowMs)).toBe(true);
    }
    // One that never hears us may take anything.
    a.hear(hello, 3000 + ELECTION_MS.lease);
    expect(all(3000 + ELECTION_MS.lease)).toBe(false);
  });

  test("of another name is nobody's rival", () => {
    const bridge = new Election(1n, 1, 2, HASHES);
    expect(bridge.hear({ id: 2n, active: true, name: 9, groups: 2, peers: [] }, 0)).toBe(false);
    expect(bridge.peers).toEqual([]);
  });

  test("keeps still where there are too many", () => {
    const bridge = new Election(1n, 1, 2, HASHES);
    bridge.setReady(true, 0);
    for (let nowMs = 0; nowMs <= 3000; nowMs += 50) {
      for (let id = 2n; id < 40n; id++) bridge.hear({ id, active: false, name: 1, groups: 2, peers: [1n] }, nowMs);
      if (bridge.tick(nowMs)) bridge.hello(nowMs);
    }
    expect([bridge.state, HASHES.some((_, i) => bridge.has(i))]).toEqual(["crowded", false]);
    expect(bridge.peers).toHaveLength(MOST_PEERS + 1);
  });
});

describe("a hello", () => {
  const hello: Hello = { id: 0x1122334455667788n, active: true, name: 3, groups: 4, peers: [1n, 2n ** 64n - 1n] };
  const source = Uint8Array.of(2, 0, 0, 0, 0, 5);

  test("is read as it was written", () => {
    const frame = writeHello(hello, source);
    expect(frame.subarray(0, 12)).toEqual(Uint8Array.of(...HELLO_MAC, ...source));
    expect(isHello(frame, 0, frame.length)).toBe(true);
    expect(readHello(frame, 0, frame.length)).toEqual(hello);
  });

  test("that is broken is none, whatever it says", () => {
    const frame = writeHello(hello, source);
    for (let to = 0; to < frame.length; to++) expect(readHello(frame, 0, to)).toBeUndefined();
    const many = frame.slice();
    many[20] = MOST_PEERS + 1;
    expect(readHello(many, 0, 4096)).toBeUndefined();
    const other = frame.slice();
    other[18] = 2;
    expect(readHello(other, 0, other.length)).toBeUndefined();
  });
});
