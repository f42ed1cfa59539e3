// Proves the bridge with packets on both sides: a switch that snoops, and the model of a fabric with the real OpenSM.
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { BridgedGroup } from "../bridge/group.ts";
import { until } from "../fabric/until.ts";
import type { Bridge } from "./bridge.ts";
import type { Heard, InfinibandHost, RoceHost } from "../hosts/hosts.ts";
import { numbered, readNumber, withImmediate } from "../hosts/messages.ts";
import { bridged, bytesOf, ip, Stand } from "./testing/stand.ts";

const IPV4 = bytesOf("239.37.0.1");
const IPV6 = bytesOf("ff05::37:1");
/** A group of each sort. */
const GROUPS = [
  bridged(0, "239.37.0.1", { hopLimit: 9 }),
  bridged(1, "ff05::37:1"),
  bridged(2, "239.37.0.3", { way: "to-infiniband" }),
  bridged(3, "239.37.0.4", { way: "to-ethernet" }),
  bridged(4, "239.37.0.5", { mgid: "ff15:a01b:ffff::3585:ef25:5" }),
  bridged(5, "239.37.0.6", { mgid: "ff12:401b:ffff::f25:6", ipoib: true }),
];
const [both, six, inward, outward, raw, ipoib] = GROUPS.map(({ group }) => group) as [
  BridgedGroup,
  BridgedGroup,
  BridgedGroup,
  BridgedGroup,
  BridgedGroup,
  BridgedGroup,
];

let stand: Stand;
let bridge: Bridge;
let roce: RoceHost;
let stranger: RoceHost;
let ib: InfinibandHost;

beforeAll(async () => {
  stand = await Stand.build(0, 4);
  roce = await stand.roceHost("r1");
  for (const group of [both, six, outward, raw, ipoib]) roce.join(group.ethernet.address);
  stranger = await stand.roceHost("r2");
  ib = await stand.infinibandHost("H3");
  for (const group of [both, six, raw]) await ib.join(group.mgid);
  bridge = await stand.bridge("b1", "H2", GROUPS);
  await ib.join(outward.mgid);
  // Only one who knows the broadcast group can make it, and the bridge has.
  await ib.join(ipoib.mgid, 1, {});
  await until("the bridge is active", () => bridge.election.state === "active");
  await until("the switch snoops", async () => {
    stranger.heard.length = 0;
    await settle();
    return stranger.heard.length === 0;
  });
  // The switch asks for members of IPv6 groups once it has an address to ask from.
  await until("messages to an IPv6 group pass", () => {
    roce.send(IPV6, numbered(6, marks));
    return ib.heard.some(({ fields }) => readNumber(fields.payload).sender === 6);
  });
  return () => stand[Symbol.asyncDispose]();
});

beforeEach(() => {
  for (const host of [roce, stranger, ib]) host.heard.length = 0;
});

let marks = 1_000_000;
/** Waits until a message comes through each way: what was sent before has come, or never comes. */
/** Packets that went to InfiniBand, those among them that the relay has passed on. */
function packetsOf({ toInfiniband }: BridgedGroup): number {
  bridge.forwarder.flows.fold(performance.now());
  return toInfiniband.packets;
}

async function settle(): Promise<void> {
  const [there, back] = [marks++, marks++];
  const has = (heard: readonly Heard[], number: number): boolean =>
    heard.some(({ fields }) => readNumber(fields.payload).number === number);
  await until("messages pass both ways", () => {
    roce.send(IPV4, numbered(0, there));
    ib.send(both.mgid, numbered(0, back));
    return has(ib.heard, there) && has(roce.heard, back);
  });
}

/** What a host has heard but for the marks. */
function heardBy({ heard }: { heard: readonly Heard[] }): Heard[] {
  return heard.filter(({ fields }) => readNumber(fields.payload).number < 1_000_000);
}

describe("a message", () => {
  test("from Ethernet comes as the group's record on InfiniBand says", async () => {
    roce.send(IPV4, numbered(1, 7, 253), (fields) => {
      fields.ipv4.tos = 0x28;
      withImmediate(fields, 0xcafe);
    });
    await settle();
    const [one, ...more] = heardBy(ib);
    expect(more).toEqual([]);
    const { mlid, hopLimit } = both.infiniband as { mlid: number; hopLimit: number };
    expect(one?.icrc).toBe(true);
    expect(one?.fields).toMatchObject({ payload: numbered(1, 7, 253), immediate: 0xcafe });
    expect(one?.fields.lrh).toMatchObject({ dlid: mlid, slid: bridge.infiniband.lid });
    expect(one?.fields.grh).toMatchObject({ hopLimit, trafficClass: 0x28, sgid: bridge.infiniband.gid });
  });

  test("from InfiniBand comes as the file says, to members only", async () => {
    ib.send(both.mgid, numbered(2, 2, 100), (fields) => withImmediate(fields, 5));
    await settle();
    const [one, ...more] = heardBy(roce);
    expect(more).toEqual([]);
    expect(one?.icrc).toBe(true);
    expect(one?.fields).toMatchObject({ payload: numbered(2, 2, 100), immediate: 5 });
    expect(one?.fields.ipv4).toMatchObject({ ttl: 9, destination: IPV4, source: bridge.link?.ipv4 });
    expect(stranger.heard).toEqual([]);
    stranger.join(IPV4);
    await until("the stranger is one no more", async () => {
      await settle();
      return stranger.heard.length > 0;
    });
  });

  test("to an IPv6 group, and to an MGID of another sort", async () => {
    roce.send(IPV6, numbered(1, 1));
    ib.send(six.mgid, numbered(2, 2));
    roce.send(raw.ethernet.address, numbered(1, 3));
    ib.send(raw.mgid, numbered(2, 4));
    roce.send(ipoib.ethernet.address, numbered(1, 5));
    ib.send(ipoib.mgid, numbered(2, 6));
    await settle();
    const numbers = (host: { heard: Heard[] }): number[] =>
      heardBy(host).map(({ fields }) => readNumber(fields.payload).number);
    expect([numbers(ib), numbers(roce)]).toEqual([
      [1, 3, 5],
      [2, 4, 6],
    ]);
    expect(heardBy(ib).every(({ icrc }) => icrc)).toBe(true);
    expect(heardBy(roce).every(({ icrc }) => icrc)).toBe(true);
  });

  test("that is too long for the other side is dropped and counted", async () => {
    const before = both.toEthernet.toJSON().drops["too-big"] ?? 0;
    ib.send(both.mgid, numbered(2, 1, 1449));
    ib.send(both.mgid, numbered(2, 2, 1448));
    await settle();
    expect(heardBy(roce).map(({ fields }) => readNumber(fields.payload).number)).toEqual([2]);
    expect(both.toEthernet.toJSON().drops["too-big"]).toBe(before + 1);
  });

  test("whose payload was damaged before the bridge is damaged for its receiver", async () => {
    const damage = (bytes: Uint8Array, fromEnd: number): Uint8Array => {
      const place = bytes.length - fromEnd;
      bytes[place] = (bytes[place] as number) ^ 1;
      return bytes;
    };
    const [before, passed] = [ib.port.drops["icrc"] as number, packetsOf(both)];
    roce.sendFrames([damage(roce.frame(IPV4, numbered(1, 1)), 10)]);
    await settle();
    // The bridge has passed it on, and the receiver's adapter has seen it.
    expect(packetsOf(both)).toBeGreaterThan(passed + 1);
    expect([heardBy(ib), ib.port.drops["icrc"]]).toEqual([[], before + 1]);

    const own = bridge.infiniband.drops["icrc"] as number;
    ib.sendPackets([damage(ib.packet(both.mgid, numbered(2, 1)), 10)]);
    await settle();
    expect([heardBy(roce), bridge.infiniband.drops["icrc"]]).toEqual([[], own + 1]);
  });
});

describe("one way", () => {
  test("to InfiniBand, by a bridge that only sends: the group is the hosts'", async () => {
    expect(inward.infiniband).toBeUndefined();
    roce.send(inward.ethernet.address, numbered(1, 1));
    await settle();
    expect(inward.toInfiniband.toJSON().drops).toEqual({ "not-joined": 1 });
    await ib.join(inward.mgid);
    // By the manager's report, long before the bridge would ask again by itself.
    await until("the bridge has joined", () => inward.infiniband !== undefined);
    await until("it passes", () => {
      roce.send(inward.ethernet.address, numbered(1, 2));
      return heardBy(ib).length > 0;
    });
    ib.send(inward.mgid, numbered(2, 3));
    await settle();
    expect(heardBy(roce)).toEqual([]);
    // Not a member that receives: the wire does not bring it there.
    expect(inward.toEthernet.toJSON().drops).toEqual({});
  });

  test("to InfiniBand, when the group goes with its last member, and another has its place", async () => {
    const before = inward.infiniband;
    await ib.leave(inward.mgid);
    const other = bytesOf("ff12:4001:ffff::f25:ff");
    // It gets the number that has become free.
    await ib.join(other);
    await until("the bridge has noticed", () => inward.infiniband === undefined);
    await ib.join(inward.mgid);
    await until("the bridge has joined", () => inward.infiniband !== undefined);
    expect(inward.infiniband?.mlid).not.toBe(before?.mlid);
    await until("it passes", () => {
      roce.send(inward.ethernet.address, numbered(1, 4));
      return heardBy(ib).length > 0;
    });
    await ib.leave(other);
  });

  test("to Ethernet", async () => {
    ib.send(outward.mgid, numbered(2, 1));
    roce.send(outward.ethernet.address, numbered(1, 2));
    await settle();
    expect(heardBy(roce).map(({ fields }) => readNumber(fields.payload).number)).toEqual([1]);
    // Messages of the tests before, which were sent until one came, may still arrive.
    expect(heardBy(ib).map(({ fields }) => readNumber(fields.payload).number)).not.toContain(2);
    expect(outward.toInfiniband.packets).toBe(0);
  });
});

describe("memberships are had again", () => {
  test("when the subnet manager has forgotten them", async () => {
    await stand.fabric.stopManager();
    await stand.fabric.startManager();
    await until("the groups are there again", async () => {
      try {
        await ib.join(both.mgid);
        return stand.wire.portsOf(both.infiniband?.mlid ?? 0) > 0;
      } catch {
        return false;
      }
    });
    await settle();
  });

  test("when the link goes down and comes up", async () => {
    ip("link set b1 down");
    await until("the bridge rests", () => bridge.election.state === "waiting");
    ip("link set b1 up");
    ip("addr replace fd00:2::3/64 dev b1 nodad");
    await until("the bridge is active", () => bridge.election.state === "active");
    await settle();
  });

  test("when the link is another of the same name", async () => {
    const { index } = bridge.link as { index: number };
    ip("link del b1");
    await until("it is missed", () => bridge.link === undefined);
    stand.addLink("b1");
    await until("the bridge is active", () => bridge.election.state === "active");
    expect(bridge.link?.index).not.toBe(index);
    await settle();
  });
});
