// Proves messages between hosts with packets on both sides: hosts that find each other by ARP and RDMA-CM through the
// bridge, requests and answers both ways, and what becomes of them when something goes.
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../sa/testing/fabric.ts";
import type { Bridge } from "./bridge.ts";
import { converse, InfinibandEnd, RoceEnd } from "./testing/ends.ts";
import { numbered } from "./testing/messages.ts";
import { Stand } from "./testing/stand.ts";

const ROCE = "192.0.2.110";
const IB = "192.0.2.177";

let stand: Stand;
let bridge: Bridge;
let roce: RoceEnd;
let ib: InfinibandEnd;

beforeAll(async () => {
  stand = await Stand.build(3, 4);
  stand.addLink("mr1");
  roce = await RoceEnd.on("mr1", ROCE);
  ib = await InfinibandEnd.at(stand.place("H3"), IB);
  bridge = await stand.bridge("mb1", "H2", [], {
    messages: { immediateQpn: false, bounds: {}, endpoints: [] },
  });
  await until("the bridge answers for hosts", () => bridge.messenger?.questions.answers ?? false);
  return async () => {
    roce[Symbol.dispose]();
    await ib[Symbol.asyncDispose]();
    await stand[Symbol.asyncDispose]();
  };
});

beforeEach(() => {
  for (const host of [roce, ib]) {
    host.messages.length = 0;
    host.onMessage = undefined;
  }
});

describe("request and answer", () => {
  test("from Ethernet to InfiniBand", async () => {
    ib.services.set(4711, () => ({ qpn: 0x51, qKey: 0x1234 }));
    ib.echo();
    const service = await roce.ask(IB, 4711);
    expect(service).toMatchObject({ status: 0, qpn: 0x51, qKey: 0x1234, mac: bridge.link?.mac });
    const answer = await converse(roce, service as never, 0x61, numbered(1, 7, 300));
    expect(answer).toMatchObject({ payload: numbered(1, 7, 300), icrc: true, qpn: 0x61 });
    // As from the host itself.
    expect([...(answer.from.ip ?? [])].join(".")).toBe(IB);
    expect(answer.from.qpn).toBe(0x51);
  });

  test("from InfiniBand to Ethernet", async () => {
    roce.services.set(4712, () => ({ qpn: 0x52, qKey: 0x4321 }));
    roce.echo();
    const service = await ib.ask(ROCE, 4712);
    expect(service).toMatchObject({ status: 0, qKey: 0x4321, lid: bridge.infiniband.lid });
    expect(service?.qpn).toBeGreaterThanOrEqual(0x400000);
    const answer = await converse(ib, service as never, 0x71, numbered(2, 8, 300));
    expect(answer).toMatchObject({ payload: numbered(2, 8, 300), icrc: true, qpn: 0x71 });
    expect(answer.from.qpn).toBe(service?.qpn);
  });

  test("a refusal comes back, and nobody there stays unanswered", async () => {
    expect(await roce.ask(IB, 9)).toMatchObject({ status: 1 });
    expect(await ib.ask(ROCE, 9)).toMatchObject({ status: 1 });
    expect(await roce.ask("192.0.2.250", 9)).toBeUndefined();
  });
});
