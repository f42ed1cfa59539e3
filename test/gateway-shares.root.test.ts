// Owns the proof that two gateways work at once and stand in for each other: each has an address and hosts of its own.
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitFor } from "../src/lab/child.ts";
import { GatewayLab, MOVING, MOVING6, MOVING6_TOO, MOVING_TOO } from "./gateway-lab.ts";

const EACH = 2;
const FIRST = [...Object.values(MOVING), ...Object.values(MOVING6)];
const SECOND = [...Object.values(MOVING_TOO), ...Object.values(MOVING6_TOO)];

let lab: GatewayLab;
beforeAll(async () => {
  const versions = [4, 6] as const;
  const pace = { interval: "1s", return: "1s" };
  lab = await GatewayLab.up({ name: "gw-shares", workers: 2, gateways: 2, ...pace, shares: true, versions });
  for (const host of lab.gateways) await lab.start(host);
  await untilHeld(FIRST, SECOND);
  await lab.startTraffic(EACH);
}, 90_000);
afterAll(() => lab[Symbol.asyncDispose]());

async function untilHeld(first: readonly string[], second: readonly string[]): Promise<void> {
  await waitFor(`${first.join(", ")} at g1 and ${second.join(", ")} at g2`, async () => {
    const [a, b] = [await lab.held("g1"), await lab.held("g2")];
    // Each host's are told in an order of their own.
    return isSame(a, first) && isSame(b, second) ? true : undefined;
  });
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return String(some.toSorted()) === String(others.toSorted());
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
  const family = worker.includes(":") ? "ipv6" : "ipv4";
  const { stdout } = await lab.lab.exec(host, ["conntrack", "-L", "-f", family, "-p", "tcp", "-s", worker]);
  return [...new Set([...stdout.matchAll(/ dst=(\S+) sport=700\d/g)].map((match) => match[1] as string))];
}

async function expectSources(): Promise<void> {
  expect(await sourcesOf("g1", "10.20.1.1")).toEqual([MOVING.outside]);
  expect(await sourcesOf("g2", "10.20.2.2")).toEqual([MOVING_TOO.outside]);
  expect(await sourcesOf("g1", "fd00:20::1:1")).toEqual([MOVING6.outside]);
  expect(await sourcesOf("g2", "fd00:20::2:2")).toEqual([MOVING6_TOO.outside]);
}

test("each has its address, and its hosts appear under it", async () => {
  await expectSources();
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
    await expectSources();
  },
);
