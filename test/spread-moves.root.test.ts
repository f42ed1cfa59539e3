// Proves that flows move without being reordered, and only when they pause; that a link's loss moves its flows alone; and
// that everything goes on while nobody controls it. Order is judged by the numbers in datagrams, ways by frames.
import { closeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { writePlacement } from "../src/host/bpf/spread-watch.ts";
import type { Spreader } from "../src/host/bpf/spread.ts";
import { namespaceCookie, openNamespace } from "../src/host/native.ts";
import { secondsSinceBoot, signalsFolder, writeSignals } from "../src/host/signals.ts";
import type { Lab } from "../src/lab/lab.ts";
import type { Signal } from "../src/model/signals.ts";
import {
  applySpread,
  Flows,
  heddle,
  linksOfFlows,
  NODES,
  readNow,
  runController,
  spreaderOf,
  until,
  upSpreadLab,
} from "./spread-lab.ts";

const flows = new Flows();
afterAll(() => flows[Symbol.dispose]());

const NODE = NODES.node11[4];

/** Asks every bucket to go to one member. */
function askAll(spreader: Spreader, member: number): void {
  using maps = spreader.open();
  if (!maps) throw new Error("nothing is spread");
  writePlacement(maps, 0, new Uint8Array(1024).fill(member));
}

describe("a flow whose link holds packets back", () => {
  let lab: Lab;
  let spreader: Spreader;
  beforeAll(async () => {
    lab = await upSpreadLab("spread-moves", 2);
    // A queue of up to 200 ms on the link that flows leave, none on the one that they go to.
    const limit = "rate 8mbit burst 2kb latency 200ms".split(" ");
    await lab.exec("router", ["tc", "qdisc", "add", "dev", "ib1", "root", "tbf", ...limit]);
    spreader = spreaderOf(lab);
  }, 60_000);
  afterAll(() => lab.down());

  /** Sends 4 flows by ib1, asks for ib2 in the middle, and gives the numbers that came out of order and how many moved. */
  async function moveAmidst(gapMs: number, how: { burst?: { rounds: number; pauseUs: number } }) {
    await applySpread(lab, "links: [ib1, ib2]", "by: hash", `gap: ${gapMs}`, "mechanism: mark");
    askAll(spreader, 1);
    await flows.send(lab, "sender", NODE, { flows: 4, rounds: 1, from: 20_000 });
    await using receiver = await flows.receive(lab, "node11");
    const before = readNow(spreader).buckets.reduce((sum, { moves }) => sum + moves, 0);
    const sending = flows.send(lab, "sender", NODE, {
      flows: 4,
      rounds: 600,
      size: 800,
      pauseUs: 1500,
      from: 20_000,
      ...how,
    });
    const packets = (): number => readNow(spreader).buckets.reduce((sum, one) => sum + one.packets, 0);
    const start = packets();
    await until(() => packets() > start + 600, "the queue to fill");
    askAll(spreader, 2);
    await sending;
    const counted = [...(await receiver.counted()).values()];
    const moves = readNow(spreader).buckets.reduce((sum, one) => sum + one.moves, 0) - before;
    return { reordered: counted.reduce((sum, { reordered }) => sum + reordered, 0), flows: counted.length, moves };
  }

  test("is not moved while it does not pause, and is not reordered", async () => {
    expect(await moveAmidst(50, {})).toEqual({ reordered: 0, flows: 4, moves: 0 });
  });

  test("is moved when it pauses for longer than the queue lasts, and is not reordered", async () => {
    const burst = { rounds: 250, pauseUs: 400_000 };
    expect(await moveAmidst(300, { burst })).toEqual({ reordered: 0, flows: 4, moves: 4 });
  });

  test("would be reordered if the gap were shorter than the queue", async () => {
    const { reordered, moves } = await moveAmidst(1, {});
    expect(moves).toBeGreaterThan(0);
    expect(reordered).toBeGreaterThan(0);
  });
});

describe.each(["mark", "redirect"])("three links by %s", (mechanism) => {
  const names = ["ib1", "ib2", "ib3"];
  let lab: Lab;
  beforeEach(async () => {
    lab = await upSpreadLab("spread-loss", 3);
    const links = `links: [${names.join(", ")}]`;
    await applySpread(lab, links, "to: 10.0.2.0/24", "by: hash", `mechanism: ${mechanism}`);
  }, 60_000);
  afterEach(() => lab.down());

  /** The link of each of 96 flows, by source port; undefined for those of which nothing came out. */
  async function ways(among: readonly string[] = names): Promise<Map<string, string>> {
    await using capture = await lab.capture(among.map((link) => ({ host: "router", link })));
    await flows.send(lab, "sender", NODE, { flows: 96, rounds: 2, from: 20_000, pauseUs: 2000 });
    const seen = linksOfFlows(await capture.take());
    return new Map([...seen].map(([flow, links]) => [flow, [...links].sort().join("+")]));
  }

  let dead: Disposable | undefined;
  const losses: [name: string, lose: () => Promise<void>, bring: () => Promise<void>, ...by: "agent"[]][] = [
    ["goes down", () => lab.setLink("router", "ib2", "down"), () => lab.setLink("router", "ib2", "up")],
    [
      "loses its carrier",
      () => lab.setLink("router", "ib2", "carrier-lost"),
      () => lab.setLink("router", "ib2", "carrier-back"),
      "agent",
    ],
    ["is told to be dead", async () => void (dead = tellDead()), async () => dead?.[Symbol.dispose]()],
  ];

  /** Rows of whoever asks far ends, for as long as they are not disposed of: they are believed for some seconds. */
  function tellDead(): Disposable {
    const namespace = openNamespace(lab.netns("router"));
    const folder = signalsFolder(join(lab.folder, "hosts", "router", "run"), namespaceCookie(namespace));
    closeSync(namespace);
    const write = (): void => {
      const row = { kind: "probe", name: "spread/opa 192.0.2.1", link: "ib2", at: secondsSinceBoot(), well: false };
      void writeSignals(folder, "probes", [row as Signal]);
    };
    write();
    const timer = setInterval(write, 1000);
    return {
      [Symbol.dispose]: () => {
        clearInterval(timer);
        void writeSignals(folder, "probes", []);
      },
    };
  }

  test.each(losses)(
    "one that %s loses its flows to the others, which keep theirs, and gets them back",
    async (_name, lose, bring, ...by) => {
      await using _controller = await runController(lab, ...by);
      // Beside either of them, no other one begins.
      await heddle(lab, ["spread", "run"], 4);
      const spreader = spreaderOf(lab);
      const upNow = (): string => readNow(spreader).up.join();
      const before = await ways();
      expect(before.size).toBe(96);
      expect([...new Set(before.values())].sort()).toEqual(names);
      await lose();
      await until(() => upNow() === "1,3", "the loss to be told");
      const during = await ways(["ib1", "ib3"]);
      const expected = (flow: string): readonly string[] => {
        const link = before.get(flow) ?? "";
        return link === "ib2" ? ["ib1", "ib3"] : [link];
      };
      expect([...during].filter(([flow, link]) => !expected(flow).includes(link))).toEqual([]);
      expect(during.size).toBe(96);
      const moved = [...during].filter(([flow]) => before.get(flow) === "ib2").map(([, link]) => link);
      expect(new Set(moved)).toEqual(new Set(["ib1", "ib3"]));
      await bring();
      await until(() => upNow() === "1,2,3", "the return to be told");
      // With the link its routes have to come back, if they went.
      await heddle(lab, ["apply"]);
      expect(await ways()).toEqual(before);
    },
  );
});

describe("by load", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await upSpreadLab("spread-load", 2);
    await applySpread(lab, "links: [ib1, ib2]", "mechanism: mark");
  }, 60_000);
  afterAll(() => lab.down());

  const sizes = [40, 30, 20, 12, 9, 7, 5, 4, 3, 3, 2, 2, 1, 1, 1, 1];
  const how = { flows: sizes, size: 500, pauseUs: 2000, burst: { rounds: 20, pauseUs: 60_000 } };

  /** Packets by member since some counts. */
  function carried(spreader: Spreader, since: ReturnType<typeof readNow>): number[] {
    const { buckets } = readNow(spreader);
    const sums = [0, 0, 0];
    for (const [i, { member, packets }] of buckets.entries()) {
      sums[member] = (sums[member] ?? 0) + packets - (since.buckets[i]?.packets ?? 0);
    }
    return sums.slice(1);
  }

  test("unequal flows come to weigh the same on both links, none reordered; it lasts without the controller", async () => {
    const spreader = spreaderOf(lab);
    // The worst beginning: everything on one link.
    askAll(spreader, 1);
    await flows.send(lab, "sender", NODE, { flows: 16, rounds: 1, from: 21_000 });
    await using receiver = await flows.receive(lab, "node11");
    const controller = await runController(lab);
    const sending = flows.send(lab, "sender", NODE, { ...how, rounds: 1500, from: 21_000 });
    let since = readNow(spreader);
    await until(async () => {
      since = readNow(spreader);
      await new Promise((resolve) => setTimeout(resolve, 500));
      const [one = 0, two = 0] = carried(spreader, since);
      return one > 500 && Math.max(one, two) / (one + two) < 0.53;
    }, "the links to be even");
    // Whoever is killed says nothing any more, and nothing changes.
    controller.kill("SIGKILL");
    await until(() => controller.ended, "the controller to end");
    const { placement } = readNow(spreader);
    since = readNow(spreader);
    await sending;
    const [one = 0, two = 0] = carried(spreader, since);
    expect(Math.max(one, two) / (one + two)).toBeLessThan(0.55);
    expect(readNow(spreader).placement).toEqual(placement);
    const counted = await receiver.counted();
    expect(counted.size).toBe(16);
    expect([...counted.values()].reduce((sum, { reordered }) => sum + reordered, 0)).toBe(0);
    // The next controller takes it up as it stands: at most each flow moves once, as measuring errors have it.
    const moves = readNow(spreader).buckets.reduce((sum, bucket) => sum + bucket.moves, 0);
    await using _next = await runController(lab);
    await flows.send(lab, "sender", NODE, { ...how, rounds: 400, from: 21_000 });
    const later = readNow(spreader).buckets.reduce((sum, bucket) => sum + bucket.moves, 0);
    expect(later - moves).toBeLessThanOrEqual(16);
  });
});
