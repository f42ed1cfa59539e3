// Proves messages between hosts with packets on both sides: hosts that find each other by ARP and RDMA-CM through the
// bridge, requests and answers both ways, and what becomes of them when something goes.
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../fabric/until.ts";
import type { Bridge } from "./bridge.ts";
import { converse, InfinibandEnd, RoceEnd } from "./testing/ends.ts";
import type { Peer } from "./testing/ends.ts";
import { numbered, readNumber } from "../hosts/messages.ts";
import { bytesOf, ip, Stand } from "./testing/stand.ts";

const ROCE = "192.0.2.110";
const IB = "192.0.2.177";

let stand: Stand;
let bridge: Bridge;
let roce: RoceEnd;
let ib: InfinibandEnd;

beforeAll(async () => {
  stand = await Stand.build(7, 4);
  stand.addLink("mr1");
  roce = await RoceEnd.on("mr1", ROCE);
  ib = await InfinibandEnd.at(stand.place("H3"), IB);
  bridge = await stand.bridge("mb1", "H2", [], {
    messages: {
      immediateQpn: false,
      bounds: {},
      endpoints: [
        { address: bytesOf(ROCE), side: "ethernet", qpn: 0x77, qKey: 0x7777, alias: 0x88, farQKey: 0x8888 },
        { address: bytesOf(IB), side: "infiniband", qpn: 0x79, qKey: 0x7979 },
      ],
    },
  });
  await until("the bridge answers for hosts", () => bridge.messenger?.questions.wanted.answers ?? false);
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

describe("queue pairs of the file", () => {
  test("are reached without a request, and answer", async () => {
    roce.echo();
    ib.echo();
    const lid = bridge.infiniband.lid;
    ib.onMessage = undefined;
    const there = await converse(ib, { lid, qpn: 0x88, qKey: 0x8888 }, 0x71, numbered(3, 1));
    expect(there.from.qpn).toBe(0x88);
    ib.echo();
    roce.onMessage = undefined;
    const peer = (await roce.resolve(IB)) as Peer;
    const back = await converse(roce, { ...peer, qpn: 0x79, qKey: 0x7979 }, 0x61, numbered(3, 2));
    expect([back.payload, back.from.qpn]).toEqual([numbered(3, 2), 0x79]);
  });
});

describe("what changes", () => {
  test("a host that was started anew has other queue pairs, under the same service", async () => {
    let qpn = 0x300;
    ib.services.set(4713, () => ({ qpn, qKey: 0x1234 }));
    ib.onMessage = ({ from, qpn: at, payload }) => (at === qpn ? ib.send(from, at, payload) : undefined);
    const before = (await roce.ask(IB, 4713)) as Peer;
    await converse(roce, before, 0x62, numbered(4, 1));
    qpn = 0x301;
    const after = (await roce.ask(IB, 4713)) as Peer;
    expect([before.qpn, after.qpn]).toEqual([0x300, 0x301]);
    const answer = await converse(roce, after, 0x63, numbered(4, 2));
    expect([answer.from.qpn, answer.qpn]).toEqual([0x301, 0x63]);
  });

  test("a host with another card is found there, and its session goes on", async () => {
    ib.services.set(4714, () => ({ qpn: 0x51, qKey: 0x1234 }));
    ib.echo();
    const service = (await roce.ask(IB, 4714)) as Peer;
    await converse(roce, service, 0x64, numbered(5, 1));
    const before = roce.mac;
    ip("link set mr1 address 02:77:00:00:00:01");
    roce.mac = Uint8Array.of(2, 0x77, 0, 0, 0, 1);
    // The frames' new source is asked for; until its place is sure, nothing of it passes.
    const answer = await converse(roce, service, 0x64, numbered(5, 2));
    expect(answer.payload).toEqual(numbered(5, 2));
    const host = bridge.messenger?.hosts.find(bytesOf(ROCE), 0, 4);
    expect(host?.mac).toEqual(roce.mac);
    ip(`link set mr1 address ${Array.from(before, (byte) => byte.toString(16)).join(":")}`);
    roce.mac = before;
    await until("it is found where it was", async () => {
      await converse(roce, service, 0x64, numbered(5, 3));
      return host?.mac.join() === before.join();
    });
  });

  test("a host that says it is another gets nothing through", async () => {
    ib.services.set(4715, () => ({ qpn: 0x55, qKey: 0x1234 }));
    const service = (await roce.ask(IB, 4715)) as Peer;
    stand.addLink("mr2");
    using thief = await RoceEnd.on("mr2", "192.0.2.111");
    const spoofed = (): number => bridge.forwarder.toInfiniband.toJSON().drops.spoofed ?? 0;
    const before = spoofed();
    const frame = roce.frame(service, 0x65, numbered(6, 666));
    frame.set(thief.mac, 6);
    thief.sendFrame(frame);
    await until("it is counted", () => spoofed() > before);
    roce.send(service, 0x65, numbered(6, 1));
    await until("the host's own message comes", () => ib.messages.length > 0);
    expect(ib.messages.map(({ payload }) => readNumber(payload).number)).toEqual([1]);
  });

  test("two hosts with one address: neither gets anything, until one is gone", async () => {
    ib.services.set(4717, () => ({ qpn: 0x57, qKey: 0x1234 }));
    ib.echo();
    const service = (await roce.ask(IB, 4717)) as Peer;
    await converse(roce, service, 0x66, numbered(7, 1));
    const host = bridge.messenger?.hosts.find(bytesOf(ROCE), 0, 4);
    stand.addLink("mr3");
    const other = await RoceEnd.on("mr3", ROCE);
    await until("both are seen", () => {
      other.announce();
      return host?.state === "doubled";
    });
    other[Symbol.dispose]();
    const answer = await converse(roce, service, 0x66, numbered(7, 2));
    expect(answer.payload).toEqual(numbered(7, 2));
  });

  test("the subnet manager's memory: hosts are found after its restart", async () => {
    await stand.fabric.stopManager();
    await stand.fabric.startManager();
    await until("the other end is in the group of IPoIB again", async () => {
      await ib.rejoin().catch(() => {});
      ib.services.set(4716, () => ({ qpn: 0x56, qKey: 0x1234 }));
      return (await roce.ask(IB, 4716, 4)) !== undefined;
    });
  });
});
