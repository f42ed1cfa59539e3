// Proves that the model's switch drops what a real one drops, and passes the rest on by OpenSM's tables.
import { beforeAll, describe, expect, test } from "vitest";
import { FrameQueue, FrameSocket } from "../../host/frames.ts";
import { parseAddress } from "../../model/ip.ts";
import type { InfinibandHost } from "../hosts/hosts.ts";
import { numbered } from "../hosts/messages.ts";
import { Stand } from "../run/testing/stand.ts";
import { hostSockets } from "./model-switch.ts";
import { until } from "./until.ts";

const MGID = parseAddress("ff12:4001:ffff::f2a:1") as Uint8Array;

let stand: Stand;
let sender: InfinibandHost;
let member: InfinibandHost;
let other: InfinibandHost;

beforeAll(async () => {
  stand = await Stand.build(4, 4);
  sender = await stand.infinibandHost("H2");
  member = await stand.infinibandHost("H3");
  other = await stand.infinibandHost("H4");
  for (const host of [sender, member]) await host.join(MGID);
  // What would not be the switch's doing, but the adapter's.
  other.port.attach({ mgid: MGID, mlid: member.port.lid, qKey: 0x01234567 });
  await marker();
  return () => stand[Symbol.asyncDispose]();
});

/** Waits until a message comes through: what was sent before has come, or never comes. */
async function marker(): Promise<void> {
  const before = member.heard.length;
  await until("a message passes", () => {
    sender.send(MGID, numbered(0, 1));
    return member.heard.length > before;
  });
}

test("a message goes to the members' ports, but for the one that it came by, and to no other", async () => {
  const passed = stand.wire.counts.passed;
  await marker();
  expect(stand.wire.counts.passed).toBeGreaterThan(passed);
  expect(sender.heard).toEqual([]);
  expect(other.heard).toEqual([]);
  expect(Object.values(other.port.drops).every((count) => count === 0)).toBe(true);
});

test("a datagram goes to the port that has the LID", async () => {
  const { lid } = other.port;
  sender.send(MGID, numbered(1, 2), ({ lrh }) => (lrh.dlid = lid));
  await until("it came", () => other.heard.length > 0);
  expect(other.heard[0]?.fields.lrh).toMatchObject({ dlid: lid, slid: sender.port.lid });
});

describe("is dropped, and counted", () => {
  test("to a LID that nobody has", async () => {
    const before = stand.wire.counts.unknown;
    sender.send(MGID, numbered(1, 3), ({ lrh }) => (lrh.dlid = 40));
    sender.send(MGID, numbered(1, 3), ({ lrh }) => (lrh.dlid = 0xc3ff));
    await marker();
    expect(stand.wire.counts.unknown).toBe(before + 2);
  });

  test("from a LID that is another port's", async () => {
    const before = stand.wire.counts.source;
    sender.send(MGID, numbered(1, 4), ({ lrh }) => (lrh.slid = member.port.lid));
    await marker();
    expect(stand.wire.counts.source).toBe(before + 1);
  });

  test("with a wrong VCRC, and what is no packet", async () => {
    // Past the port, which would make the VCRC right.
    await other[Symbol.asyncDispose]();
    const { host, wire } = hostSockets(stand.folder, "H4");
    const raw = FrameSocket.atPath(host);
    try {
      await until("the switch sees it", () => raw.connect(wire));
      const { broken, vcrc } = stand.wire.counts;
      const packet = sender.packet(MGID, numbered(1, 5));
      const bytes = new Uint8Array(packet.length + 12);
      bytes.set(packet);
      const queue = new FrameQueue();
      queue.add(0, packet.length + 2);
      queue.add(0, packet.length);
      queue.add(0, 5);
      expect(raw.send(bytes, queue)).toBe(3);
      await until("all are counted", () => stand.wire.counts.broken + stand.wire.counts.vcrc >= broken + vcrc + 3);
      expect(stand.wire.counts).toMatchObject({ broken: broken + 2, vcrc: vcrc + 1 });
    } finally {
      raw.close();
    }
  });
});
