// Proves that a flow goes with whatever it was based on, and that only whole packets of it are passed on.
import { beforeEach, describe, expect, test } from "vitest";
import { FlowTable, monotonicMs } from "../../host/flow-table.ts";
import { setU16, u16 } from "../codec/bytes.ts";
import { DROP } from "../bridge/drops.ts";
import { Flows } from "../bridge/flows.ts";
import { Forwarder } from "../bridge/forwarder.ts";
import type { Host } from "../bridge/hosts.ts";
import { ROOM_BYTES } from "../bridge/rewrite.ts";
import type { Session } from "../bridge/sessions.ts";
import { gidOf, IB, ibMessage, MessageStand, QKEY, ROCE, roceMessage } from "../bridge/testing/message-stand.ts";
import { bytesOf, group } from "../bridge/testing/packets.ts";

type Way = "toInfiniband" | "toEthernet";

const TEXT = new Uint8Array(61).fill(7);
const ONE = group(0, "239.37.0.1");

let stand: MessageStand;
let tables: Record<Way, FlowTable>;
let client: Host;
let server: Host;
let session: Session;
/** From the client to the server, and back. */
let there: Uint8Array;
let back: Uint8Array;

beforeEach(() => {
  stand = new MessageStand();
  const { flows, messages } = stand;
  const { ethernet, infiniband } = stand.forwarder;
  Object.assign(stand, { forwarder: new Forwarder([ONE], ethernet, infiniband, { serves: () => true }) });
  const { forwarder } = stand;
  Object.assign(forwarder, { flows, messages });
  tables = {
    toInfiniband: new FlowTable(16, { native: false }, forwarder.sequences.infiniband.next),
    toEthernet: new FlowTable(16, { native: true }, forwarder.sequences.ethernet.next),
  };
  for (const way of ["toInfiniband", "toEthernet"] as const) flows[way] = new Flows(tables[way], way, forwarder[way]);
  client = stand.answer(ROCE);
  server = stand.answer(IB);
  session = stand.sessions.open(client, server, 0x51, QKEY, stand.nowMs) as Session;
  there = roceMessage(ROCE, IB, TEXT, ({ bth }) => (bth.destQp = 0x51));
  stand.take("ethernet", there);
  const [own] = [...client.endpoints.values()];
  back = ibMessage(IB, own?.alias ?? 0, TEXT, ({ deth }) => (deth.srcQp = 0x51));
  stand.take("infiniband", back);
});

/** Whether the table passes a packet on, with `more` bytes behind it. */
function passes(way: Way, packet: Uint8Array, more = 0): boolean {
  const slot = new Uint8Array(2 * ROOM_BYTES + packet.length + more);
  slot.set(packet, ROOM_BYTES);
  return tables[way].pass(slot, ROOM_BYTES, packet.length + more) !== undefined;
}

const both = (): boolean[] => [passes("toInfiniband", there), passes("toEthernet", back)];

test("both ways are known after one message each", () => {
  expect(both()).toEqual([true, true]);
});

describe("a flow goes", () => {
  test.each<[string, () => void]>([
    ["with its session", () => stand.sessions.close(session)],
    ["when the queue pair has another key", () => stand.sessions.open(client, server, 0x51, QKEY + 1, stand.nowMs)],
    ["when its host has crossed", () => stand.sessions.closeOf(client)],
    ["with all", () => stand.flows.clear()],
  ])("%s", (_, change) => {
    change();
    expect(both()).toEqual([false, false]);
  });

  test("when a session the other way has its own key", () => {
    const qpn = [...client.endpoints.keys()][0] as number;
    // Somebody else knows it by that key, so that it does not change any more.
    stand.sessions.open(stand.answer({ address: "192.0.2.79", lid: 10 }), client, qpn, QKEY + 1, stand.nowMs);
    stand.take("infiniband", back);
    expect(both()[1]).toBe(true);
    stand.sessions.open(server, client, qpn, QKEY + 1, stand.nowMs);
    expect(both()[1]).toBe(false);
    expect(stand.take("infiniband", back)).toBe("q-key");
  });

  test("when the way to its host is another", () => {
    stand.hosts.setPath(server, gidOf(9), { lid: 9, sl: 3, mtu: 2048 });
    expect(both()).toEqual([false, false]);
  });

  test("when another host comes to the same LID", () => {
    stand.answer({ address: "192.0.2.78", lid: 9 });
    expect(both()[1]).toBe(false);
  });

  test("when another host at the same LID has a session first", () => {
    // The one that had it comes behind the other in the list.
    const other = stand.answer({ address: "192.0.2.78", lid: 9 });
    stand.hosts.setPath(server, server.gid, { lid: 10, sl: 2, mtu: 2048 });
    stand.hosts.setPath(server, server.gid, { lid: 9, sl: 2, mtu: 2048 });
    const qpn = [...client.endpoints.keys()][0] as number;
    stand.sessions.open(stand.answer({ address: "192.0.2.79", lid: 11 }), client, qpn, QKEY, stand.nowMs);
    stand.take("infiniband", back);
    expect(both()[1]).toBe(true);
    const opened = stand.sessions.open(other, client, qpn, QKEY, stand.nowMs);
    expect(both()[1]).toBe(false);
    stand.take("infiniband", back);
    expect(opened?.toEthernet.packets).toBe(1);
  });

  test("when it was not used for long, and not before", () => {
    stand.flows.fold(70_000);
    stand.take("ethernet", there);
    stand.flows.fold(129_000);
    expect(stand.flows.toInfiniband?.count).toBe(1);
    stand.flows.fold(130_000);
    expect([stand.flows.toInfiniband?.count, stand.flows.toEthernet?.count]).toEqual([0, 0]);
  });
});

describe("no flow passes on", () => {
  /** The lengths in a frame of IPv4, changed. */
  function lengthened(ip: number, udp: number): Uint8Array {
    const frame = there.slice();
    setU16(frame, 16, u16(frame, 16) + ip);
    setU16(frame, 38, u16(frame, 38) + udp);
    return frame;
  }

  test("what is not as long as it says", () => {
    expect(passes("toInfiniband", there.subarray(0, there.length - 1))).toBe(false);
    expect(passes("toInfiniband", lengthened(4, 4))).toBe(false);
    expect(passes("toInfiniband", lengthened(4, 4), 4)).toBe(true);
    // Ethernet fills frames up.
    expect(passes("toInfiniband", there, 9)).toBe(true);
  });

  test("what is no multiple of four, differs in its lengths, or ends within its headers", () => {
    expect(passes("toInfiniband", lengthened(-2, -2))).toBe(false);
    expect(passes("toInfiniband", lengthened(0, -4))).toBe(false);
    expect(passes("toInfiniband", lengthened(-64, -64))).toBe(false);
    expect(passes("toInfiniband", lengthened(-u16(there, 16), -u16(there, 38)))).toBe(false);
  });

  test("what is longer than the other side's packets may be", () => {
    const long = (bytes: number): Uint8Array =>
      roceMessage(ROCE, IB, new Uint8Array(bytes), ({ bth }) => (bth.destQp = 0x51));
    expect([passes("toInfiniband", long(2048)), passes("toInfiniband", long(2049))]).toEqual([true, false]);
    const native = (bytes: number): Uint8Array =>
      ibMessage(
        IB,
        [...client.endpoints.values()][0]?.alias ?? 0,
        new Uint8Array(bytes),
        ({ deth }) => (deth.srcQp = 0x51),
      );
    expect([passes("toEthernet", native(1448)), passes("toEthernet", native(1449))]).toEqual([true, false]);
  });
});

test("a group's flow holds as long as the lease, counts up, and counts its sender", () => {
  const frame = roceMessage(ROCE, { address: "239.37.0.1" }, TEXT, ({ bth }) => (bth.destQp = 0xffffff));
  stand.take("ethernet", frame);
  const before = stand.forwarder.sequences.infiniband.next[0] as number;
  expect(passes("toInfiniband", frame)).toBe(false);
  tables.toInfiniband.lease(monotonicMs() + 60_000);
  expect([passes("toInfiniband", frame), passes("toInfiniband", frame)]).toEqual([true, true]);
  expect(stand.forwarder.sequences.infiniband.next[0]).toBe(before + 2);
  tables.toInfiniband.lease(monotonicMs());
  expect(passes("toInfiniband", frame)).toBe(false);
  tables.toInfiniband.lease(monotonicMs() + 60_000);
  stand.flows.clearLeased();
  expect([passes("toInfiniband", frame), passes("toInfiniband", there)]).toEqual([false, true]);
  expect(ONE.senders.ethernet.all).toEqual([{ address: bytesOf(ROCE.address), packets: 3 }]);
  expect(ONE.toInfiniband.packets).toBe(3);
});

test("what is passed on is counted for the session and in all, and keeps it in use", () => {
  for (let i = 0; i < 5; i++) passes("toInfiniband", there);
  stand.flows.fold(77_000);
  expect(session.toInfiniband.toJSON()).toEqual({ packets: 6, bytes: 6 * TEXT.length, drops: {} });
  expect(stand.forwarder.toInfiniband.packets).toBe(6);
  expect([session.usedMs, client.usedMs, server.usedMs, session.server.usedMs]).toEqual([
    77_000, 77_000, 77_000, 77_000,
  ]);
  expect(stand.forwarder.toInfiniband.drops[DROP.unsent]).toBe(0);
});

test("a session has no more than some flows, so that others have theirs", () => {
  tables.toInfiniband = new FlowTable(1024, { native: false }, new Uint32Array(1));
  stand.flows.toInfiniband = new Flows(tables.toInfiniband, "toInfiniband", stand.forwarder.toInfiniband);
  for (let tos = 0; tos < 256; tos++) {
    const frame = roceMessage(ROCE, IB, TEXT, ({ bth, ipv4 }) => {
      bth.destQp = 0x51;
      ipv4.tos = tos;
    });
    stand.take("ethernet", frame);
  }
  expect(stand.flows.toInfiniband.count).toBe(64);
});
