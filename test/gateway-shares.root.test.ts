// Owns the proof that two gateways work at once and stand in for each other: each has an address and hosts of its own.
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitFor } from "../src/lab/child.ts";
import { GatewayLab, MOVING, MOVING_TOO } from "./gateway-lab.ts";

const EACH = 2;
const FIRST = Object.values(MOVING);
const SECOND = Object.values(MOVING_TOO);

let lab: GatewayLab;
beforeAll(async () => {
  lab = await GatewayLab.up({ name: "gw-shares", workers: 2, gateways: 2, interval: "1s", return: "1s", shares: true });
  for (const host of lab.gateways) await lab.start(host);
  await untilHeld(FIRST, SECOND);
  await lab.startTraffic(EACH);
}, 90_000);
afterAll(() => lab[Symbol.asyncDispose]());

async function untilHeld(first: readonly string[], second: readonly string[]): Promise<void> {
  await waitFor(`${first.join(", ")} at g1 and ${second.join(", ")} at g2`, async () => {
    const [a, b] = [await lab.held("g1"), await lab.held("g2")];
    return String(a) === String(first) && String(b) === String(second) ? true : undefined;
  });
}

async function expectSurvival(): Promise<void> {
  expect((await lab.report()).lost).toBe(0);
  await waitFor("the flows to go on", async () => {
    await lab.begin();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { gaps, alive } = await lab.report();
    return alive === 4 * EACH && Math.max(...Object.values(gaps)) < 250 ? true : undefined;
  });
  expect(await lab.wrongSources()).toBe(0);
}

/** The sources that a gateway gives to connections of the worker with this address. */
async function sourcesOf(host: string, worker: string): Promise<string[]> {
  const { stdout } = await lab.lab.exec(host, ["conntrack", "-L", "-p", "tcp", "-s", worker]);
  return [...new Set([...stdout.matchAll(/ dst=(\S+) sport=700\d/g)].map((match) => match[1] as string))];
}

test("each has its address, and its hosts appear under it", async () => {
  expect(await sourcesOf("g1", "10.20.1.1")).toEqual([MOVING.outside]);
  expect(await sourcesOf("g2", "10.20.2.2")).toEqual([MOVING_TOO.outside]);
});

test.each(["g1", "g2"] as const)(
  "without %s the other one does both, and gives the one back",
  { timeout: 120_000 },
  async (host) => {
    await lab.begin();
    await lab.lab.setLink(host, "eth9", "carrier-lost", { wait: false });
    if (host === "g1") await untilHeld([], [...FIRST, ...SECOND]);
    else await untilHeld([...FIRST, ...SECOND], []);
    await expectSurvival();
    await lab.lab.setLink(host, "eth9", "carrier-back");
    await untilHeld(FIRST, SECOND);
    await expectSurvival();
    expect(await sourcesOf("g1", "10.20.1.1")).toEqual([MOVING.outside]);
    expect(await sourcesOf("g2", "10.20.2.2")).toEqual([MOVING_TOO.outside]);
  },
);
