// Proves that the programs tell of traffic when so many bytes have gone by, once for each time that they are asked, and
// not while nobody asks: packets at a link, and sockets that are made.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SpreadSpec } from "../../model/spread-program.ts";
import { runOnFrame } from "./load.ts";
import { SpreadEar } from "./spread-ear.ts";
import { numberKey } from "./spread-maps.ts";
import { frameOf, packetOf } from "./testing/packets.ts";
import { SpreadStand, spreadOf } from "./testing/spread-stand.ts";

let stand: SpreadStand;
let heard: number;
let ear: SpreadEar;
beforeEach(async () => {
  stand = await SpreadStand.make();
  heard = 0;
  ear = new SpreadEar(() => heard++);
});
afterEach(async () => {
  ear[Symbol.dispose]();
  await stand[Symbol.asyncDispose]();
});

const FRAME = frameOf(
  packetOf({ source: "10.0.1.10", destination: "10.0.2.11", protocol: 17, ports: { source: 1, destination: 2 } }),
);

/** A spread by load whose packets keep no mark, so that they are judged again and again. */
const byLoad = (instead: Partial<SpreadSpec> = {}): SpreadSpec => spreadOf({ by: "load", mask: 0, ...instead });

function listen(bytes: number): boolean {
  using maps = stand.spreader.open();
  return maps !== undefined && ear.listen(maps, bytes);
}

/** How many bytes may still go by untold. */
function left(): number {
  using maps = stand.spreader.open();
  const bytes = maps?.maps.get("untold")?.lookup(numberKey(0));
  return Number(new DataView(bytes?.buffer ?? new ArrayBuffer(8)).getBigUint64(0, true));
}

/** Lets so many frames come in at ib0. */
function pass(frames: number): void {
  using program = stand.program("tcx/ingress");
  for (let i = 0; i < frames; i++) runOnFrame(program, FRAME);
}

/** What has been heard when everything that was told before has been. */
async function hearAll(): Promise<number> {
  // The kernel wakes who waits before the system call of the test run is left, so that two rounds of the loop suffice.
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  return heard;
}

test("the first packet of what was just written is told of, and no other until it is asked for", async () => {
  await stand.write([byLoad()]);
  expect(left()).toBe(1);
  // Nobody has heard that; it waits in the ring.
  pass(3);
  expect(left()).toBe(0);
  expect(listen(1_000_000)).toBe(true);
  await expect.poll(hearAll).toBe(1);
  pass(3);
  expect(left()).toBe(1_000_000 - 3 * FRAME.length);
  expect(await hearAll()).toBe(1);
});

test("it is told when the bytes have gone by, once, and again when it is asked for again", async () => {
  await stand.write([byLoad()]);
  pass(1);
  listen(3 * FRAME.length);
  await expect.poll(hearAll).toBe(1);
  pass(2);
  expect([left(), await hearAll()]).toEqual([FRAME.length, 1]);
  pass(1);
  await expect.poll(hearAll).toBe(2);
  pass(10);
  expect([left(), await hearAll()]).toEqual([0, 2]);
  // More often than the ring has room for, while nobody hears.
  using maps = stand.spreader.open();
  using program = stand.program("tcx/ingress");
  for (let i = 0; i < 5000; i++) {
    if (maps) ear.listen(maps, 1);
    runOnFrame(program, FRAME);
  }
  await expect.poll(hearAll).toBeGreaterThan(2);
  const before = await hearAll();
  listen(1);
  pass(1);
  await expect.poll(hearAll).toBeGreaterThan(before);
});

test("sockets of this host are told of when a few have been made, since none of their packets are counted", async () => {
  const open = (): string => {
    const join = `echo $$ > ${stand.cgroup}/cgroup.procs`;
    return stand.namespace.run("bash", "-c", `${join}; exec 3<>/dev/udp/10.0.2.11/9`);
  };
  await stand.write([byLoad({ local: true, mask: 0x3000000 })]);
  // It gets a member when it is made, and another one when it is known where to: 4096 bytes for each time.
  listen(4 * 4096);
  open();
  expect(left()).toBe(2 * 4096);
  expect(await hearAll()).toBe(0);
  open();
  await expect.poll(hearAll).toBe(1);
});

test("nobody is told of what is spread by hash, nor after the ear is gone", async () => {
  await stand.write([byLoad({ by: "hash" })]);
  expect(listen(1)).toBe(true);
  pass(2);
  expect([left(), await hearAll()]).toEqual([0, 0]);
  await stand.write([byLoad()]);
  listen(1);
  ear[Symbol.dispose]();
  pass(2);
  expect(await hearAll()).toBe(0);
});

test("maps that were made anew are heard from then on", async () => {
  await stand.write([byLoad()]);
  listen(1);
  await stand.spreader.remove();
  expect(listen(1)).toBe(false);
  await stand.write([byLoad()]);
  listen(FRAME.length);
  pass(1);
  await expect.poll(hearAll).toBe(1);
});
