// Proves two bridges side by side, as processes: four hosts on either fabric, a thousand groups, numbered messages. No
// message is lost, doubled or reordered in quiet times; none is doubled or reordered at any time.
import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { makeMgid } from "../bridge/mgid.ts";
import type { BridgeProcess } from "./testing/bridge-process.ts";
import { Crowd } from "./testing/crowd.ts";
import type { Account } from "../hosts/account.ts";
import type { InfinibandHost, RoceHost } from "../hosts/hosts.ts";
import { Stand } from "./testing/stand.ts";

const GROUPS = Array.from({ length: 1000 }, (_, i) => {
  const address = Uint8Array.of(239, 38, i >> 8, i & 0xff);
  return { address, mgid: makeMgid({ format: "rdma-cm", group: address, pKey: 0xffff, scope: 2 }) };
});
const MULTICAST = "[{ group: 239.38.0.0, count: 1000 }]";
const NOTHING = { missed: 0, doubled: 0, reordered: 0, damaged: 0 };

let stand: Stand;
let crowd: Crowd;
let bridges: [BridgeProcess, BridgeProcess];

beforeAll(async () => {
  stand = await Stand.build(1, 8);
  const roce: RoceHost[] = [];
  const infiniband: InfinibandHost[] = [];
  for (const name of ["pr1", "pr2", "pr3", "pr4"]) roce.push(await stand.roceHost(name));
  for (const node of ["H4", "H5", "H6", "H7"]) infiniband.push(await stand.infinibandHost(node));
  for (const { address, mgid } of GROUPS) {
    for (const host of roce) host.join(address);
    for (const host of infiniband) await host.join(mgid);
  }
  bridges = [stand.bridgeProcess("pb1", "H2", MULTICAST), stand.bridgeProcess("pb2", "H3", MULTICAST)];
  for (const bridge of bridges) bridge.start();
  for (const bridge of bridges) await bridge.active(1);
  crowd = new Crowd([...roce, ...infiniband], GROUPS);
  await crowd.settle();
  crowd.account();
  return () => stand[Symbol.asyncDispose]();
}, 120_000);

/** Both bridges have groups, and have passed some on. */
async function bothWork(): Promise<void> {
  for (const bridge of bridges) {
    const status = await bridge.status();
    expect(status?.toInfiniband.packets).toBeGreaterThan(0);
    expect(status?.toEthernet.packets).toBeGreaterThan(0);
    expect(status?.groups.filter(({ mine }) => mine).length).toBeGreaterThan(250);
  }
}

/** What the bridges say that they have lost, whatever the wire has. */
async function lostByBridges(): Promise<Record<string, number>> {
  const lost: Record<string, number> = {};
  for (const bridge of bridges) {
    const status = await bridge.status();
    const { overrun = 0, truncated = 0 } = status?.ethernet ?? {};
    for (const drops of [status?.toInfiniband.drops, status?.toEthernet.drops, { overrun, truncated }]) {
      for (const [reason, count] of Object.entries(drops ?? {})) lost[reason] = (lost[reason] ?? 0) + count;
    }
  }
  // These are messages that the other bridge has passed on, or shall.
  for (const reason of ["standby", "bridged", "own"]) delete lost[reason];
  return lost;
}

/**
 * What becomes of messages while all is well. What the wire loses on a busy machine is no bridge's, nor what a process
 * loses that the machine did not let run: then again. What the bridges lose is never excused.
 */
async function quiet(bursts: number): Promise<Account> {
  const before = await lostByBridges();
  for (let tries = 0; ; tries++) {
    await crowd.converse(bursts);
    await crowd.settle();
    const account = crowd.account();
    expect(await lostByBridges()).toEqual(before);
    if (account.missed === 0 || tries === 4) return account;
    // A gap is seen when the next message comes: what was lost just now is not to be counted the next time.
    await crowd.settle();
    crowd.account();
  }
}

test("nothing is lost, doubled or reordered", async () => {
  expect(await quiet(1000)).toMatchObject(NOTHING);
  await bothWork();
});
describe("adapters and switches that give back what was sent", () => {
  test("double nothing", async () => {
    for (const { link } of bridges) {
      execFileSync("bridge", ["link", "set", "dev", `sw-${link}`, "hairpin", "on"]);
    }
    stand.wire.mischief = () => "echo";
    const account = await quiet(250);
    stand.wire.mischief = undefined;
    for (const { link } of bridges) {
      execFileSync("bridge", ["link", "set", "dev", `sw-${link}`, "hairpin", "off"]);
    }
    expect(account).toMatchObject(NOTHING);
    // The bridges have heard themselves and each other: without that nothing would be shown.
    for (const bridge of bridges) {
      const status = await bridge.status();
      for (const way of [status?.toInfiniband, status?.toEthernet]) {
        expect(way?.drops).toMatchObject({ own: expect.any(Number), bridged: expect.any(Number) });
      }
    }
  });
});

describe("a bridge that", () => {
  const never = { doubled: 0, reordered: 0, damaged: 0 };

  test("is killed loses what it had to the other, and one that comes doubles nothing", async () => {
    const talking = crowd.talk(400, 80);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await bridges[0].end("SIGKILL");
    await bridges[1].active(0);
    await talking;
    await crowd.settle();
    const account = crowd.account();
    expect(account).toMatchObject(never);
    // The control: a kill is felt, so that what is counted would show doubles as well.
    expect(account.missed).toBeGreaterThan(0);

    // ibsim lets nobody have the place of one that went without a word.
    const another = stand.bridgeProcess("pb3", "H8", MULTICAST);
    const more = crowd.talk(400, 80);
    another.start();
    bridges = [another, bridges[1]];
    for (const bridge of bridges) await bridge.active(1);
    await more;
    await crowd.settle();
    expect(crowd.account()).toMatchObject(never);
    await bothWork();
  }, 60_000);

  test("is held up gives its groups up, and what waited for it", async () => {
    process.kill(bridges[1].pid, "SIGSTOP");
    try {
      await crowd.talk(240, 80);
      await bridges[0].active(0);
    } finally {
      process.kill(bridges[1].pid, "SIGCONT");
    }
    for (const bridge of bridges) await bridge.active(1);
    await crowd.settle();
    expect(crowd.account()).toMatchObject(never);
    const status = await bridges[1].status();
    expect(status?.toInfiniband.drops.standby).toBeGreaterThan(0);
  }, 60_000);

  test("ends hands its groups over", async () => {
    expect(await bridges[0].end("SIGTERM")).toBe(0);
    await bridges[1].active(0);
    crowd.account();
    expect(await quiet(250)).toMatchObject(NOTHING);
  });
});
