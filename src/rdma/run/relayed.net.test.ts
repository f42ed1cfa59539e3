// Proves that a running bridge passes on what it knows without JavaScript, in its order, counts it where it belongs, and
// looks again at what has changed.
import { beforeAll, expect, test } from "vitest";
import { until } from "../fabric/until.ts";
import { numbered, readNumber } from "../hosts/messages.ts";
import type { Bridge } from "./bridge.ts";
import { statusOf } from "./status.ts";
import { converse, InfinibandEnd, RoceEnd } from "./testing/ends.ts";
import type { Peer } from "./testing/ends.ts";
import { Stand } from "./testing/stand.ts";

const ROCE = "192.0.2.110";
const IB = "192.0.2.177";
const MESSAGES = 200;

let bridge: Bridge;
let roce: RoceEnd;
let ib: InfinibandEnd;

beforeAll(async () => {
  const stand = await Stand.build(12, 4);
  stand.addLink("rr1");
  roce = await RoceEnd.on("rr1", ROCE);
  ib = await InfinibandEnd.at(stand.place("H3"), IB);
  bridge = await stand.bridge("rb1", "H2", [], { messages: { immediateQpn: false, bounds: {}, endpoints: [] } });
  await until("the bridge answers for hosts", () => bridge.messenger?.questions.wanted.answers ?? false);
  return async () => {
    roce[Symbol.dispose]();
    await ib[Symbol.asyncDispose]();
    await stand[Symbol.asyncDispose]();
  };
});

function flowsOf(): (number | undefined)[] {
  const { toInfiniband, toEthernet } = bridge.forwarder.flows;
  return [toInfiniband?.count, toEthernet?.count];
}

/** Counts the messages that come to JavaScript from now on. */
function lookedAt(): { count: number } {
  const seen = { count: 0 };
  const { forwarder } = bridge;
  const pass = forwarder.fromEthernet.bind(forwarder);
  forwarder.fromEthernet = (bytes, at, to) => {
    seen.count++;
    return pass(bytes, at, to);
  };
  return seen;
}

/** Of the messages that a host has got, those that `converse` has sent left out. */
function numbersOf({ messages }: RoceEnd): number[] {
  return messages.map(({ payload }) => readNumber(payload).number).filter((number) => number > 0);
}

test("messages of a session, both ways", async () => {
  ib.services.set(4711, () => ({ qpn: 0x51, qKey: 0x1234 }));
  ib.echo();
  const service = (await roce.ask(IB, 4711)) as Peer;
  await converse(roce, service, 0x61, numbered(1, 0, 300));
  await until("both ways are known", () => flowsOf().every((count) => count === 1));
  const before = statusOf(bridge);
  const seen = lookedAt();
  roce.messages.length = 0;
  for (let i = 1; i <= MESSAGES; i++) roce.send(service, 0x61, numbered(1, i, 300 + i));
  await until("all have come back", () => numbersOf(roce).length >= MESSAGES);
  expect(numbersOf(roce)).toEqual(Array.from({ length: MESSAGES }, (_, i) => i + 1));
  expect(roce.messages.every(({ icrc }) => icrc)).toBe(true);
  expect(seen.count).toBe(0);
  const { toInfiniband, toEthernet } = statusOf(bridge);
  expect(toInfiniband.packets).toBeGreaterThanOrEqual(before.toInfiniband.packets + MESSAGES);
  expect(toEthernet.packets).toBeGreaterThanOrEqual(before.toEthernet.packets + MESSAGES);
  const [session] = bridge.messenger?.sessions ?? [];
  expect(session?.toInfiniband.packets).toBeGreaterThan(MESSAGES);
  expect(session?.toEthernet.packets).toBeGreaterThan(MESSAGES);
});

test("nothing passes by a session that has ended", async () => {
  const service = (await roce.ask(IB, 4711)) as Peer;
  await converse(roce, service, 0x61, numbered(1, 0));
  const [session] = bridge.messenger?.sessions ?? [];
  if (session === undefined) throw new Error("there is no session");
  const dropped = (): number => bridge.forwarder.toInfiniband.toJSON().drops["no-session"] ?? 0;
  const before = dropped();
  bridge.messenger?.sessions.close(session);
  expect(flowsOf()).toEqual([0, 0]);
  roce.messages.length = 0;
  roce.send(service, 0x61, numbered(1, 1));
  await until("it is dropped", () => dropped() === before + 1);
  expect(roce.messages).toEqual([]);
});
