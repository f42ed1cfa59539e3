// Proves that the controller of spreading rests while nothing flows, without looking, and is woken by traffic and by whoever
// knows more than it does.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runOnFrame } from "../host/bpf/load.ts";
import type { SpreadMaps } from "../host/bpf/spread.ts";
import { numberKey } from "../host/bpf/spread-maps.ts";
import { frameOf, packetOf } from "../host/bpf/testing/packets.ts";
import { SpreadStand, spreadOf } from "../host/bpf/testing/spread-stand.ts";
import { namespaceCookie } from "../host/native.ts";
import { runSpreading } from "./spread-run.ts";

let stand: SpreadStand;
let ended: AbortController;
let running: Promise<void>;
/** How often the controller has opened the maps, which it does for whatever it looks at. */
let looks: number;
let rested: number;
let look: () => void;
beforeEach(async () => {
  stand = await SpreadStand.make();
  await stand.write([spreadOf({ by: "load", mask: 0 })]);
  [looks, rested, ended] = [0, 0, new AbortController()];
  const open = (): SpreadMaps | undefined => {
    looks++;
    return stand.spreader.open();
  };
  const place = { cookie: namespaceCookie(stand.namespace.fd), runFolder: stand.folder };
  const hooks = {
    deadLinks: () => new Set<string>(),
    onSteps: () => {},
    onRest: (begins: boolean) => void (rested += Number(begins)),
  };
  const heed = (found: () => void): void => void (look = found);
  running = runSpreading({ spreader: { open }, ...place, ...hooks, heed }, ended.signal);
});
afterEach(async () => {
  ended.abort();
  await running;
  await stand[Symbol.asyncDispose]();
});

/** How many bytes may go by untold; 0 when the programs are not asked to tell. */
function untold(): number {
  using maps = stand.spreader.open();
  const bytes = maps?.maps.get("untold")?.lookup(numberKey(0));
  return bytes === undefined ? 0 : Number(new DataView(bytes.buffer).getBigUint64(0, true));
}

test("it does not look while nothing flows, and does as soon as something may", { timeout: 120_000 }, async () => {
  const soon = { timeout: 20_000 };
  await expect.poll(() => rested, { timeout: 60_000 }).toBe(1);
  // What was just written wants the first packet told.
  await expect.poll(untold, soon).toBeGreaterThan(1);
  await sleep(500);
  const before = looks;
  await sleep(1600);
  // One look may have been under way.
  expect(looks).toBeLessThanOrEqual(before + 1);
  look();
  await expect.poll(() => looks, soon).toBeGreaterThan(before + 1);

  const flow = { source: "10.0.1.10", destination: "10.0.2.11", protocol: 17, ports: { source: 1, destination: 2 } };
  const frame = frameOf(packetOf(flow, { payload: new Uint8Array(1000) }));
  using program = stand.program("tcx/ingress");
  const resting = looks;
  for (let left = untold(); left > 0; left -= frame.length) runOnFrame(program, frame);
  await expect.poll(() => looks, soon).toBeGreaterThan(resting + 10);
  await expect.poll(untold, { timeout: 60_000 }).toBeGreaterThan(1);
});
