// Proves messages between hosts: who may send to whom, under which numbers, and what is dropped for what.
import { beforeEach, describe, expect, test } from "vitest";
import { GRH_BYTES } from "../codec/grh.ts";
import { HOST_MS } from "./hosts.ts";
import {
  BRIDGE_LID,
  gidOf,
  gsiMessage,
  IB,
  ibMessage,
  MessageStand,
  QKEY,
  ROCE,
  roceMessage,
  sidrRep,
  sidrReq,
  toldBy,
  withOwnQpn,
} from "./testing/message-stand.ts";
import type { Place } from "./testing/message-stand.ts";
import { bytesOf, GID, MAC } from "./testing/packets.ts";
import type { Passed } from "./testing/packets.ts";

const TEXT = new TextEncoder().encode("to one host");
const OTHER: Place = { address: "192.0.2.11", mac: Uint8Array.of(2, 0, 0, 0, 0, 0x11) };

let stand: MessageStand;

beforeEach(() => {
  stand = new MessageStand();
  stand.answer(ROCE);
  stand.answer(IB);
});

function whole(passed: Passed): Exclude<Passed, string> {
  if (typeof passed === "string") throw new Error(`dropped: ${passed}`);
  return passed;
}

/** The host on Ethernet asks for the service of the one on InfiniBand, which has queue pair 0x51. */
function openToInfiniband(): void {
  expect(stand.take("ethernet", gsiMessage(ROCE, IB, sidrReq(ROCE, IB)))).toBe("taken");
  stand.takeMad(sidrRep(stand.mad().mad, { qpn: 0x51 }), IB.lid as number);
  stand.mad();
}

/** The host on InfiniBand asks for the service of the one on Ethernet, which has queue pair 0x52: gives its alias. */
function openToEthernet(): number {
  expect(stand.takeMad(sidrReq(IB, ROCE), IB.lid as number)).toBe("taken");
  stand.take("ethernet", gsiMessage(ROCE, IB, sidrRep(stand.mad().mad, { qpn: 0x52 })));
  return toldBy(stand.mad().mad).qpn;
}

describe("a session from Ethernet", () => {
  test("passes messages both ways: on Ethernet with the hosts' own addresses and numbers", () => {
    openToInfiniband();
    const there = whole(
      stand.take(
        "ethernet",
        roceMessage(ROCE, IB, TEXT, (fields) => {
          fields.bth.destQp = 0x51;
          fields.deth.srcQp = 0x61;
          fields.ipv4.tos = 0x28;
          fields.bth.solicited = true;
        }),
      ),
    );
    expect(there.icrc).toBe(true);
    expect(there.fields.payload).toEqual(TEXT);
    expect(there.fields.lrh).toMatchObject({ dlid: IB.lid, slid: BRIDGE_LID, sl: 2 });
    expect(there.fields.grh).toMatchObject({ sgid: GID, dgid: gidOf(9), trafficClass: 0x28 });
    expect(there.fields.bth).toMatchObject({ destQp: 0x51, solicited: true });
    const alias = there.fields.deth.srcQp;
    expect([alias >= 0x400000, there.fields.deth.qKey]).toEqual([true, QKEY]);

    for (const wire of ["ib-local", "ib-global"] as const) {
      const change = ({ deth }: { deth: { srcQp: number } }): void => void (deth.srcQp = 0x51);
      const back = whole(stand.take("infiniband", ibMessage(IB, alias, TEXT, change, wire)));
      expect(back.icrc).toBe(true);
      expect(back.fields.payload).toEqual(TEXT);
      expect(back.fields.ethernet).toMatchObject({ source: MAC, destination: ROCE.mac });
      expect(back.fields.ipv4).toMatchObject({ source: bytesOf(IB.address), destination: bytesOf(ROCE.address) });
      expect([back.fields.bth.destQp, back.fields.deth.srcQp]).toEqual([0x61, 0x51]);
    }
    const [session] = stand.sessions;
    expect(session?.toInfiniband.toJSON()).toMatchObject({ packets: 1, bytes: TEXT.length });
    expect(session?.toEthernet.toJSON()).toMatchObject({ packets: 2, bytes: 2 * TEXT.length });
  });

  test("is the asker's: nobody else sends by it, and to no other queue pair", () => {
    openToInfiniband();
    stand.answer(OTHER);
    const to = (from: Place, destQp: number): Passed =>
      stand.take(
        "ethernet",
        roceMessage(from, IB, TEXT, ({ bth }) => (bth.destQp = destQp)),
      );
    expect(to(OTHER, 0x51)).toBe("no-session");
    expect(to(ROCE, 0x50)).toBe("no-session");
    whole(to(ROCE, 0x51));
  });

  test("ends when it is not used, with its numbers", () => {
    openToInfiniband();
    const send = (): Passed =>
      stand.take(
        "ethernet",
        roceMessage(ROCE, IB, TEXT, ({ bth }) => (bth.destQp = 0x51)),
      );
    const alias = whole(send()).fields.deth.srcQp;
    for (let i = 0; i < 3; i++) {
      stand.pass(400_000);
      stand.answer(ROCE);
      stand.answer(IB);
      whole(send());
    }
    stand.pass(600_100);
    expect(stand.sessions.count).toBe(0);
    stand.answer(ROCE);
    stand.answer(IB);
    expect(send()).toBe("no-session");
    expect(stand.take("infiniband", ibMessage(IB, alias, TEXT))).toBe("wrong-qp");
    // Another gets another number, so that what is on its way to the first does not come to it.
    openToInfiniband();
    expect(whole(send()).fields.deth.srcQp).not.toBe(alias);
  });
});

describe("a session from InfiniBand", () => {
  test("passes messages to an alias, and back under it", () => {
    const alias = openToEthernet();
    const there = whole(
      stand.take(
        "infiniband",
        ibMessage(IB, alias, TEXT, ({ deth }) => (deth.srcQp = 0x71)),
      ),
    );
    expect(there.fields.ipv4).toMatchObject({ source: bytesOf(IB.address), destination: bytesOf(ROCE.address) });
    expect([there.fields.bth.destQp, there.fields.deth.srcQp, there.fields.deth.qKey]).toEqual([0x52, 0x71, QKEY]);
    const back = whole(
      stand.take(
        "ethernet",
        roceMessage(ROCE, IB, TEXT, (fields) => {
          fields.bth.destQp = 0x71;
          fields.deth.srcQp = 0x52;
        }),
      ),
    );
    expect([back.fields.bth.destQp, back.fields.deth.srcQp, back.fields.lrh.dlid]).toEqual([0x71, alias, IB.lid]);
  });

  test("with IPv6", () => {
    const [roce, ib] = [
      { ...ROCE, address: "fd00:2::10" },
      { ...IB, address: "fd00:2::77" },
    ];
    stand.answer(roce);
    stand.answer(ib);
    expect(stand.takeMad(sidrReq(ib, roce), 9)).toBe("taken");
    stand.take("ethernet", gsiMessage(roce, ib, sidrRep(stand.mad().mad, { qpn: 0x52 })));
    const { fields, bytes } = whole(stand.take("infiniband", ibMessage(IB, toldBy(stand.mad().mad).qpn, TEXT)));
    expect(fields.grh).toMatchObject({ sgid: bytesOf(ib.address), dgid: bytesOf(roce.address) });
    expect(fields.udp.checksum).not.toBe(0);
    expect(bytes.length).toBe(14 + GRH_BYTES + 8 + 12 + 8 + 12 + 4);
  });
});

describe("dropped", () => {
  /** A message by the session from Ethernet, changed. */
  const send = (change: Parameters<typeof roceMessage>[3]): Passed =>
    stand.take(
      "ethernet",
      roceMessage(ROCE, IB, TEXT, (fields) => {
        fields.bth.destQp = 0x51;
        change?.(fields);
      }),
    );

  beforeEach(openToInfiniband);

  test.each([
    ["q-key", (fields) => (fields.deth.qKey = 1)],
    ["p-key", (fields) => (fields.bth.pKey = 0x1234)],
    ["not-ud", (fields) => (fields.bth.opcode = 0x04)],
    ["not-ud", (fields) => (fields.bth.opcode = 0xff)],
    ["wrong-qp", (fields) => (fields.bth.destQp = 0)],
    ["wrong-qp", (fields) => (fields.deth.srcQp = 1)],
    ["q-key", (fields) => (fields.bth.destQp = fields.deth.srcQp = 1)],
    ["spoofed", (fields) => fields.ethernet.source.set([2, 9, 9, 9, 9, 9])],
    ["spoofed", (fields) => fields.ipv4.source.set(bytesOf("192.0.2.1"))],
    ["own", (fields) => fields.ethernet.source.set(MAC)],
    ["bridged", (fields) => (fields.udp.sourcePort = 4791)],
    ["no-host", (fields) => fields.ipv4.destination.set(bytesOf("192.0.2.99"))],
    ["no-host", (fields) => fields.ipv4.source.set(bytesOf("192.0.2.98"))],
  ] as [string, Parameters<typeof roceMessage>[3]][])("on Ethernet as %s", (reason, change) => {
    expect(send(change)).toBe(reason);
    expect(stand.forwarder.toInfiniband.toJSON()).toMatchObject({ packets: 0, drops: { [reason]: 1 } });
  });

  test("on Ethernet as too big, by the way's MTU", () => {
    const of = (bytes: number): Passed =>
      stand.take(
        "ethernet",
        roceMessage(ROCE, IB, new Uint8Array(bytes), ({ bth }) => (bth.destQp = 0x51)),
      );
    expect(of(2049)).toBe("too-big");
    whole(of(2048));
  });

  test("on InfiniBand", () => {
    const alias = whole(send(undefined)).fields.deth.srcQp;
    const back = (change: Parameters<typeof ibMessage>[3], from = IB, qpn = alias): Passed =>
      stand.take(
        "infiniband",
        ibMessage(from, qpn, TEXT, (fields) => {
          fields.deth.srcQp = 0x51;
          change?.(fields);
        }),
      );
    whole(back(undefined));
    stand.answer({ address: "192.0.2.78", lid: 11 });
    expect(back(undefined, { ...IB, lid: 11 })).toBe("no-session");
    expect(back(undefined, { ...IB, lid: 12 })).toBe("no-host");
    expect(back(undefined, { ...IB, lid: BRIDGE_LID })).toBe("spoofed");
    expect(back(undefined, IB, 0x300)).toBe("wrong-qp");
    expect(back(undefined, IB, alias + 0x8000)).toBe("wrong-qp");
    expect(back(({ bth }) => (bth.destQp = 1))).toBe("wrong-qp");
    expect(back(({ deth }) => (deth.srcQp = 0x50))).toBe("no-session");
    expect(back(({ bth }) => (bth.pKey = 0x1234))).toBe("p-key");
    const foreign = ibMessage(IB, alias, TEXT, ({ grh }) => grh.sgid.set(gidOf(33)), "ib-global");
    expect(stand.take("infiniband", foreign)).toBe("spoofed");
  });

  test("while the port has no LID", () => {
    stand.forwarder.infiniband.lid = 0;
    expect(send(undefined)).toBe("not-joined");
  });

  test("to a host that has gone elsewhere, until it is found there", () => {
    stand.answer({ address: ROCE.address, lid: 20 });
    // The place that was known is asked once more, and holds on meanwhile.
    whole(send(undefined));
    stand.pass(HOST_MS.rival + 1100);
    expect(stand.left).toEqual([`${ROCE.address} crossed`]);
    expect(send(undefined)).toBe("spoofed");
  });

  test("to and from hosts that have one address", () => {
    stand.answer({ address: ROCE.address, lid: 20 });
    stand.answer(ROCE);
    expect(stand.left).toEqual([`${ROCE.address} doubled`]);
    expect(send(undefined)).toBe("spoofed");
    stand.pass(HOST_MS.doubled + 1100);
    stand.answer(ROCE);
    whole(send(undefined));
  });
});

describe("immediate data that is the sender's queue pair", () => {
  test.each([true, false])("is translated: %s", (immediateQpn) => {
    stand = new MessageStand({ rules: { immediateQpn } });
    stand.answer(ROCE);
    stand.answer(IB);
    openToInfiniband();
    const { fields, icrc } = whole(
      stand.take(
        "ethernet",
        roceMessage(ROCE, IB, TEXT, (one) => {
          Object.assign(one.bth, { destQp: 0x51 });
          one.deth.srcQp = 0x61;
          withOwnQpn(one);
        }),
      ),
    );
    expect(icrc).toBe(true);
    expect(fields.immediate).toBe(immediateQpn ? fields.deth.srcQp : 0x61);
  });
});

describe("bounds", () => {
  test("of sessions of a host, and in all", () => {
    stand = new MessageStand({ bounds: { mostOfHost: 3, most: 5 } });
    stand.answer(IB);
    const ask = (from: Place, qpn: number): number => {
      stand.take("ethernet", gsiMessage(from, IB, sidrReq(from, IB, { requestId: qpn })));
      stand.takeMad(sidrRep(stand.mad().mad, { qpn }), 9);
      return toldBy(stand.mad().mad).status;
    };
    stand.answer(ROCE);
    stand.answer(OTHER);
    // The server's host may have no more queue pairs either.
    expect([1, 2, 3, 4].map((i) => ask(ROCE, 0x50 + i))).toEqual([0, 0, 0, 2]);
    expect([1, 2, 3].map((i) => ask(OTHER, 0x50 + i))).toEqual([0, 0, 2]);
    expect(stand.sessions.count).toBe(5);
    expect(stand.sessions.endpoints.count).toBe(3);
  });

  test("of hosts: who asks stays, and who is asked", () => {
    stand = new MessageStand({ mostHosts: 2 });
    stand.answer(ROCE);
    stand.pass(100);
    stand.answer(OTHER);
    stand.pass(100);
    expect(stand.take("ethernet", gsiMessage(ROCE, IB, sidrReq(ROCE, IB)))).toBe("taken");
    expect(stand.takeMad(sidrReq(IB, ROCE), 9)).toBe("taken");
    expect([...stand.hosts].map(({ name, requests, asked }) => [name, requests, asked])).toEqual([
      [ROCE.address, 1, 1],
      [IB.address, 1, 1],
    ]);
  });

  test("of hosts: who has sessions stays", () => {
    stand = new MessageStand({ mostHosts: 4 });
    stand.answer(ROCE);
    stand.answer(IB);
    openToInfiniband();
    for (let i = 0; i < 100; i++) {
      stand.pass(100);
      const spoofer = { address: `192.0.3.${i}`, mac: Uint8Array.of(2, 0, 0, 0, 1, i) };
      stand.take("ethernet", gsiMessage(spoofer, IB, sidrReq(spoofer, IB, { requestId: i })));
    }
    expect(stand.hosts.count).toBe(4);
    whole(
      stand.take(
        "ethernet",
        roceMessage(ROCE, IB, TEXT, ({ bth }) => (bth.destQp = 0x51)),
      ),
    );
  });
});
