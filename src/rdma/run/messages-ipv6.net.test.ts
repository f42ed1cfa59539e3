// Proves messages between hosts by IPv6 addresses, with packets on both sides: hosts that find each other by neighbour
// discovery and RDMA-CM through the bridge, and addresses that are claimed.
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../fabric/until.ts";
import { numbered } from "../hosts/messages.ts";
import type { Bridge } from "./bridge.ts";
import { converse, InfinibandEnd, RoceEnd } from "./testing/ends.ts";
import type { Peer } from "./testing/ends.ts";
import { bytesOf, ip, Stand } from "./testing/stand.ts";

const [ROCE, IB] = ["fd00:2::a10", "fd00:2::b77"];

let stand: Stand;
let bridge: Bridge;
let roce: RoceEnd;
let ib: InfinibandEnd;

beforeAll(async () => {
  stand = await Stand.build(9, 4);
  // The hosts of the test are not the kernel's, which would tell the switch of the groups that they listen to.
  ip("link set sw9 type bridge mcast_snooping 0");
  stand.addLink("m61");
  roce = await RoceEnd.on("m61", ROCE);
  ib = await InfinibandEnd.at(stand.place("H3"), IB);
  bridge = await stand.bridge("m62", "H2", [], {
    messages: { immediateQpn: false, bounds: {}, endpoints: [], registered: [bytesOf(ROCE)] },
  });
  await until("the bridge answers for hosts", () => bridge.messenger?.questions.wanted.answers ?? false);
});

afterAll(async () => {
  roce[Symbol.dispose]();
  await ib[Symbol.asyncDispose]();
  await stand[Symbol.asyncDispose]();
});

test("from Ethernet to InfiniBand and back", async () => {
  ib.services.set(4711, () => ({ qpn: 0x51, qKey: 0x1234 }));
  ib.echo();
  const service = await roce.ask(IB, 4711);
  expect(service).toMatchObject({ status: 0, qpn: 0x51, qKey: 0x1234, mac: bridge.link?.mac });
  const answer = await converse(roce, service as Peer, 0x61, numbered(1, 7, 300));
  expect(answer).toMatchObject({ payload: numbered(1, 7, 300), icrc: true, qpn: 0x61 });
  // As from the host itself.
  expect([...(answer.from.ip ?? [])]).toEqual([...bytesOf(IB)]);
});

test("from InfiniBand to Ethernet, for a host that is registered", async () => {
  const status = () => bridge.messenger?.registrations.status.map(({ state }) => state).join();
  await until("it is registered", () => status() === "registered");
  roce.services.set(4712, () => ({ qpn: 0x52, qKey: 0x4321 }));
  roce.echo();
  ib.onMessage = undefined;
  let service: (Peer & { status: number }) | undefined;
  await until("it is found", async () => (service = await ib.ask(ROCE, 4712)) !== undefined);
  expect(service).toMatchObject({ status: 0, qKey: 0x4321, lid: bridge.infiniband.lid });
  const answer = await converse(ib, service as Peer, 0x71, numbered(2, 8, 300));
  expect(answer).toMatchObject({ payload: numbered(2, 8, 300), icrc: true, qpn: 0x71 });
});

test("an address that somebody on the other side has cannot be taken, from either", async () => {
  using twin = await RoceEnd.on("m61", IB);
  await until("the host on InfiniBand objects", () => {
    twin.claim();
    return twin.objections > 0;
  });
  await using other = await InfinibandEnd.at(stand.place("H4"), ROCE);
  await until("the host on Ethernet objects", async () => {
    await other.claim();
    return other.objections > 0;
  });
});

test("one that nobody has can be taken, and nobody is answered for who is not there", async () => {
  using free = await RoceEnd.on("m61", "fd00:2::a99");
  free.claim();
  expect(await free.resolve("fd00:2::b99")).toBeUndefined();
  // What was asked later is answered: the silence is none of the bridge's.
  expect(await free.resolve(IB)).toBeDefined();
  expect(free.objections).toBe(0);
});
