// Proves requests for queue pairs: asked on the other side, answered when that has answered, with requests of real hosts.
import { beforeEach, describe, expect, test } from "vitest";
import { FAULT } from "../codec/fault.ts";
import { locateEthernet } from "../codec/locate.ts";
import { PacketParts } from "../codec/packet-parts.ts";
import { readPacket } from "../codec/read-packet.ts";
import type { PacketFields } from "../codec/build-packet.ts";
import { framesOf } from "../decode/testing/captures.ts";
import { REQUEST_RATE } from "./request-rate.ts";
import { MOST_EXCHANGES, SIDR_MS } from "./sidr.ts";
import { gsiMessage, IB, ibMessage, MessageStand, ROCE, sidrRep, sidrReq, toldBy } from "./testing/message-stand.ts";
import type { Asked, Place } from "./testing/message-stand.ts";

let stand: MessageStand;

beforeEach(() => {
  stand = new MessageStand();
  stand.answer(ROCE);
  stand.answer(IB);
});

/** The host on Ethernet asks the one on InfiniBand. */
function ask(asked: Asked = {}, from = ROCE, to = IB): unknown {
  return stand.take("ethernet", gsiMessage(from, to, sidrReq(from, to, asked)));
}

describe("a request", () => {
  test("is answered when the far host has answered, and with what it said", () => {
    expect(ask({ requestId: 0x1111, tid: 0x77 })).toBe("taken");
    const asked = stand.mad();
    expect(asked).toMatchObject({ to: IB.address, from: ROCE.address });
    // Under the bridge's own number, with everything else as it was.
    expect(toldBy(asked.mad)).toMatchObject({ requestId: 0x5000, tid: 0x5000 });
    expect(asked.mad.subarray(28)).toEqual(sidrReq(ROCE, IB).subarray(28));
    const reply = sidrRep(asked.mad, { qpn: 0x51, qKey: 0x8000_0005 });
    expect(stand.takeMad(reply, 9)).toBe("taken");
    const told = stand.mad();
    expect(told).toMatchObject({ to: ROCE.address, from: IB.address });
    expect(toldBy(told.mad)).toEqual({ requestId: 0x1111, tid: 0x77, status: 0, qpn: 0x51, qKey: 0x8000_0005 });
    // Private data too.
    expect(told.mad[130]).toBe(0xa5);
  });

  test.each([1, 2, 3, 5])("that is refused with status %i is refused, and opens nothing", (status) => {
    ask();
    stand.takeMad(sidrRep(stand.mad().mad, { status, qpn: 0x51 }), 9);
    expect(toldBy(stand.mad().mad)).toMatchObject({ status, qpn: 0, qKey: 0 });
    expect(stand.sessions.count).toBe(0);
  });

  test("that is redirected is refused: where to is a place of the other side", () => {
    ask();
    stand.takeMad(sidrRep(stand.mad().mad, { status: 4, informationBytes: 72 }), 9);
    expect(toldBy(stand.mad().mad)).toMatchObject({ status: 2 });
  });

  test("that comes again is asked again under one number, and answered from memory once there is an answer", () => {
    ask();
    const first = stand.mad().mad;
    stand.pass(SIDR_MS.again - 50);
    ask();
    expect(stand.mads).toEqual([]);
    stand.pass(4000);
    ask();
    expect(stand.mad().mad).toEqual(first);
    stand.takeMad(sidrRep(first, { qpn: 0x51 }), 9);
    const answer = stand.mad().mad;
    stand.pass(4300);
    // The answer was lost.
    ask();
    expect(stand.mad()).toEqual({ to: ROCE.address, from: IB.address, mad: answer });
    // The far host's answer to the repeated question.
    expect(stand.takeMad(sidrRep(first, { qpn: 0x52 }), 9)).toBe("late");
    stand.pass(SIDR_MS.answered);
    ask();
    expect(toldBy(stand.mad().mad).requestId).toBe(0x5001);
  });

  test("under a number that was used for another is another", () => {
    ask({ port: 4711 });
    const first = stand.mad().mad;
    stand.takeMad(sidrRep(first, { qpn: 0x51 }), 9);
    stand.mad();
    ask({ port: 4712 });
    const second = stand.mad().mad;
    expect(toldBy(second).requestId).toBe(0x5001);
    expect(stand.takeMad(sidrRep(first, { qpn: 0x51 }), 9)).toBe("late");
    stand.takeMad(sidrRep(second, { qpn: 0x53 }), 9);
    expect(toldBy(stand.mad().mad)).toMatchObject({ requestId: 0x1111, qpn: 0x53 });
  });

  test("of a client or to a server that is not found waits for that", () => {
    stand = new MessageStand();
    expect(ask()).toBe("taken");
    expect([stand.mads, stand.sought]).toEqual([[], [ROCE.address, IB.address]]);
    stand.answer(ROCE);
    expect(stand.mads).toEqual([]);
    stand.answer(IB);
    expect(stand.mad()).toMatchObject({ to: IB.address });
  });

  test("that nobody answers ends, without an answer", () => {
    ask();
    stand.mad();
    stand.pass(SIDR_MS.given + 100);
    expect([stand.sidr.count, stand.sidr.unanswered, stand.mads]).toEqual([0, 1, []]);
  });

  test("to a host that was started anew leads to its new queue pair; what it told before ends by itself", () => {
    ask();
    stand.takeMad(sidrRep(stand.mad().mad, { qpn: 0x51 }), 9);
    stand.mad();
    ask({ requestId: 0x2222 });
    stand.takeMad(sidrRep(stand.mad().mad, { qpn: 0x99 }), 9);
    expect(toldBy(stand.mad().mad)).toMatchObject({ requestId: 0x2222, qpn: 0x99 });
    // It may have had the number before, with another key.
    ask({ requestId: 0x3333 });
    stand.takeMad(sidrRep(stand.mad().mad, { qpn: 0x51, qKey: 5 }), 9);
    stand.mad();
    expect([...stand.sessions].map(({ server }) => [server.qpn, server.qKey])).toEqual([
      [0x51, 5],
      [0x99, 0x01234567],
    ]);
  });

  test("from InfiniBand is answered with an alias", () => {
    expect(stand.takeMad(sidrReq(IB, ROCE), 9)).toBe("taken");
    const asked = stand.mad();
    expect(asked).toMatchObject({ to: ROCE.address, from: IB.address });
    expect(stand.take("ethernet", gsiMessage(ROCE, IB, sidrRep(asked.mad, { qpn: 0x52 })))).toBe("taken");
    const told = toldBy(stand.mad().mad);
    expect(told).toMatchObject({ requestId: 0x1111, tid: 0x77, status: 0 });
    expect(stand.sessions.endpoints.find(told.qpn)).toMatchObject({ qpn: 0x52, host: { name: ROCE.address } });
  });
});

describe("dropped", () => {
  const other: Place = { address: "192.0.2.11", mac: Uint8Array.of(2, 0, 0, 0, 0, 0x11) };

  test("a request that says that it is another's, or for another", () => {
    const says = sidrReq(other, IB);
    expect(stand.take("ethernet", gsiMessage(ROCE, IB, says))).toBe("spoofed");
    expect(stand.take("ethernet", gsiMessage(ROCE, IB, sidrReq(ROCE, { address: "192.0.2.79" })))).toBe("spoofed");
    // On InfiniBand the LID tells.
    expect(stand.takeMad(sidrReq(IB, ROCE), 10)).toBe("spoofed");
    expect(stand.takeMad(sidrReq(IB, ROCE), 7)).toBe("spoofed");
    expect(stand.mads).toEqual([]);
  });

  test("an answer of another host than was asked, or about another service, or to another client", () => {
    ask();
    const { mad } = stand.mad();
    stand.answer({ address: "192.0.2.78", lid: 11 });
    expect(stand.takeMad(sidrRep(mad, { qpn: 1 }), 11)).toBe("spoofed");
    expect(stand.takeMad(sidrRep(mad, { qpn: 1 }), 12)).toBe("no-host");
    expect(stand.takeMad(sidrRep(mad, { qpn: 1, serviceIdLow: 5 }), 9)).toBe("spoofed");
    stand.takeMad(sidrReq(IB, ROCE), 9);
    const asked = stand.mad().mad;
    expect(stand.take("ethernet", gsiMessage(ROCE, { address: "192.0.2.78" }, sidrRep(asked, {})))).toBe("spoofed");
    expect(stand.take("ethernet", gsiMessage(ROCE, { address: "192.0.2.79" }, sidrRep(asked, {})))).toBe("late");
  });

  test("a service that is not bridged", () => {
    stand = new MessageStand({ ports: [4711] });
    expect(ask({ port: 4712 })).toBe("service");
    expect(ask({ port: 4711 })).toBe("taken");
  });

  test("other management, and what is damaged, or has the wrong length or key", () => {
    const connect = sidrReq(ROCE, IB);
    connect[17] = 0x10;
    const get = sidrReq(ROCE, IB);
    get[3] = 0x01;
    const version = sidrReq(ROCE, IB);
    version[2] = 1;
    for (const mad of [connect, get, version]) {
      expect(stand.take("ethernet", gsiMessage(ROCE, IB, mad))).toBe("wrong-qp");
      expect(stand.takeMad(mad, 9)).toBe("wrong-qp");
    }
    expect(stand.takeMad(sidrReq(IB, ROCE).subarray(0, 255), 9)).toBe("wrong-qp");
    expect(stand.take("ethernet", gsiMessage(ROCE, IB, sidrReq(ROCE, IB).subarray(0, 252)))).toBe("broken");
    const key = ({ deth }: PacketFields): void => void (deth.qKey = 0x01234567);
    expect(stand.take("ethernet", gsiMessage(ROCE, IB, sidrReq(ROCE, IB), key))).toBe("q-key");
    const damaged = gsiMessage(ROCE, IB, sidrReq(ROCE, IB));
    damaged[200] = 0xff;
    expect(stand.take("ethernet", damaged)).toBe("icrc");
    const noIp = sidrReq(ROCE, IB);
    noIp[41] = 0x50;
    expect(stand.take("ethernet", gsiMessage(ROCE, IB, noIp))).toBe("service");
    expect(stand.sidr.count).toBe(0);
  });

  test("a flood, from one host only", () => {
    const became = new Map<unknown, number>();
    for (let i = 0; i < 1000; i++) {
      const reason = ask({ requestId: i });
      became.set(reason, (became.get(reason) ?? 0) + 1);
    }
    expect(became.get("taken")).toBe(REQUEST_RATE.burst);
    expect(became.get("flood")).toBe(1000 - REQUEST_RATE.burst);
    stand.answer(other);
    expect(ask({}, other)).toBe("taken");
    stand.pass(1000);
    expect(ask({ requestId: 5000 })).toBe("taken");
  });

  test("requests of more hosts than there is room for", () => {
    let full = 0;
    for (let i = 0; i < MOST_EXCHANGES + 100; i++) {
      const from = { address: `192.0.${3 + (i >> 8)}.${i & 255}`, mac: Uint8Array.of(2, 0, 0, 1, i >> 8, i) };
      stand.answer(from);
      if (ask({}, from) === "full") full++;
    }
    expect([stand.sidr.count, full]).toEqual([MOST_EXCHANGES, 100]);
  });
});

describe("what real hosts sent", () => {
  const frames = (name: string): { frame: Uint8Array; fields: PacketFields }[] => {
    const parts = new PacketParts();
    return framesOf(name).flatMap((frame) =>
      locateEthernet(parts, frame, 0, frame.length) === FAULT.none ? [{ frame, fields: readPacket(parts, frame) }] : [],
    );
  };
  const client = { address: "192.168.77.2", mac: new Uint8Array(6) };
  const server = { address: "192.168.77.1", lid: 9 };

  /** As if the server were on InfiniBand. */
  function stage(immediateQpn = true): void {
    stand = new MessageStand({ rules: { immediateQpn } });
    stand.answer(server);
  }

  test("udaddy's request and messages come through, its number in the immediate data as well", () => {
    stage();
    const [request, reply, ...messages] = frames("udaddy.pcap") as [
      { frame: Uint8Array; fields: PacketFields },
      { frame: Uint8Array; fields: PacketFields },
      ...{ frame: Uint8Array; fields: PacketFields }[],
    ];
    stand.answer({ ...client, mac: request.fields.ethernet.source });
    expect(stand.take("ethernet", request.frame)).toBe("taken");
    const asked = stand.mad();
    const answer = reply.fields.payload.slice();
    answer.set(asked.mad.subarray(24, 28), 24);
    expect(stand.takeMad(answer, 9)).toBe("taken");
    // The client gets, to the byte but for reserved ones, what the server would have told it.
    expect(stand.mad().mad).toEqual(reply.fields.payload);
    let alias = 0;
    for (const { frame, fields } of messages) {
      if (fields.ipv4.source[3] === 2) {
        const passed = stand.take("ethernet", frame);
        if (typeof passed === "string") throw new Error(passed);
        alias = passed.fields.deth.srcQp;
        expect(passed.fields).toMatchObject({ immediate: alias, payload: fields.payload, bth: { destQp: 0x12 } });
        expect(passed.icrc).toBe(true);
      } else {
        const passed = stand.take(
          "infiniband",
          ibMessage(server, alias, fields.payload, (one) => {
            Object.assign(one.bth, { opcode: fields.bth.opcode, psn: fields.bth.psn });
            Object.assign(one, { immediate: fields.immediate });
            one.deth.srcQp = 0x12;
          }),
        );
        if (typeof passed === "string") throw new Error(passed);
        expect(passed.fields).toMatchObject({ immediate: 0x12, payload: fields.payload });
        expect(passed.fields.bth).toMatchObject({ destQp: 0x12, psn: fields.bth.psn });
      }
    }
    const [session] = stand.sessions;
    expect([session?.toInfiniband.packets, session?.toEthernet.packets]).toEqual([5, 5]);
  });

  test("where nobody listens, the refusal comes back as it was", () => {
    stage();
    const [request, reply] = frames("udaddy-nolistener.pcap") as [
      { frame: Uint8Array; fields: PacketFields },
      { frame: Uint8Array; fields: PacketFields },
    ];
    stand.answer({ ...client, mac: request.fields.ethernet.source });
    stand.take("ethernet", request.frame);
    const answer = reply.fields.payload.slice();
    answer.set(stand.mad().mad.subarray(24, 28), 24);
    stand.takeMad(answer, 9);
    expect(toldBy(stand.mad().mad).status).toBe(1);
  });

  test("repeated requests to a silent host are asked under one number", () => {
    stage();
    const silent = { address: "192.168.77.3", lid: 10 };
    stand.answer(silent);
    const requests = frames("udaddy-sidr-retry.pcap");
    stand.answer({ ...client, mac: requests[0]?.fields.ethernet.source as Uint8Array });
    for (const { frame } of requests) {
      expect(stand.take("ethernet", frame)).toBe("taken");
      stand.pass(4300);
    }
    expect(requests.length).toBeGreaterThan(2);
    expect(stand.mads.map(({ to, mad }) => [to, toldBy(mad).requestId])).toEqual(
      requests.map(() => [silent.address, 0x5000]),
    );
  });
});
