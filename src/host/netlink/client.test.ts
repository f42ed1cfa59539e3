// Proves how a socket behaves when the kernel is late, busy, out of memory or changing: what is rare on a real one.
import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { routeSocket } from "./client.ts";
import { NLM_F } from "./constants.ts";
import { Encoder } from "./encoder.ts";
import { NetlinkError } from "./errors.ts";
import { MalformedMessage } from "./packet.ts";
import { VERB, type RouteRequest } from "./requests.ts";
import { encodeRoute, type RouteMessage } from "./route.ts";
import { addressed, done, errorFor, ScriptedTransport } from "./testing/scripted-transport.ts";

const { ENOENT, ENOBUFS, EMSGSIZE, EPERM, EINVAL, EAGAIN, EEXIST } = constants.errno;

const route = (i: number): RouteMessage => ({
  family: 4,
  table: 100,
  to: `10.0.${i >> 8}.${i & 255}/32`,
  tos: 0,
  protocol: 72,
  scope: 0,
  type: "unicast",
  flags: 0,
  gateway: "10.9.0.2",
});

const request = (i: number): RouteRequest => ({ object: "route", type: "new", flags: VERB.create, message: route(i) });
const requests = (count: number) => Array.from({ length: count }, (_, i) => request(i));

function listed(sequence: number, i: number, flags = 0): Uint8Array {
  const encoder = new Encoder();
  encodeRoute(encoder, 24, NLM_F.MULTI | flags, sequence, route(i));
  return addressed(encoder.written());
}

/** Answers every send by acknowledging its last message, after the errors that `failing` names by message. */
function acknowledging(transport: ScriptedTransport, failing: (sequence: number) => number = () => 0): void {
  transport.answer = (messages) => {
    for (const { sequence } of messages) {
      const errno = failing(sequence);
      if (errno !== 0) transport.arrive(errorFor(sequence, errno, "no", 28));
    }
    const last = messages.at(-1)?.sequence ?? 0;
    if (failing(last) === 0) transport.arrive(errorFor(last, 0));
  };
}

function setUp() {
  const transport = new ScriptedTransport();
  return { transport, socket: routeSocket(transport) };
}

const IPV4 = { family: 4 } as const;

describe("lists", () => {
  it("are asked for again when they were interrupted", async () => {
    const { transport, socket } = setUp();
    let asked = 0;
    transport.answer = ([question]) => {
      const { sequence } = question ?? { sequence: 0 };
      const broken = asked++ < 3;
      transport.arrive(listed(sequence, 1), listed(sequence, asked, asked === 2 ? NLM_F.DUMP_INTR : 0));
      transport.arrive(done(sequence, broken && asked !== 2 ? NLM_F.DUMP_INTR : 0));
    };
    expect((await socket.listRoutes(IPV4)).map(({ to }) => to)).toEqual(["10.0.0.1/32", "10.0.0.4/32"]);
    expect(asked).toBe(4);
  });

  it("are given up when they are interrupted every time", async () => {
    const { transport, socket } = setUp();
    transport.answer = ([question]) => transport.arrive(done(question?.sequence ?? 0, NLM_F.DUMP_INTR));
    await expect(socket.listRules(IPV4)).rejects.toMatchObject({ errno: EAGAIN, object: "IPv4 rules" });
    expect(transport.sent).toHaveLength(20);
    expect(transport.held).toBe(false);
  });

  it("are asked for again when messages were lost", async () => {
    const { transport, socket } = setUp();
    let asked = 0;
    transport.answer = ([question]) => {
      if (asked++ === 0) transport.receiver?.trouble(ENOBUFS);
      transport.arrive(listed(question?.sequence ?? 0, asked), done(question?.sequence ?? 0));
    };
    expect(await socket.listRoutes(IPV4)).toHaveLength(1);
    expect(asked).toBe(2);
  });

  it("fail with what ends them, and a table that is not there is empty", async () => {
    const { transport, socket } = setUp();
    transport.answer = ([question]) => transport.arrive(done(question?.sequence ?? 0, 0, EINVAL));
    await expect(socket.listRoutes(IPV4)).rejects.toMatchObject({ code: "EINVAL" });
    transport.answer = ([question]) => transport.arrive(errorFor(question?.sequence ?? 0, ENOENT, "no table"));
    expect(await socket.listRoutes({ family: 4, table: 5 })).toEqual([]);
    await expect(socket.listRules(IPV4)).rejects.toMatchObject({ code: "ENOENT", kernelMessage: "no table" });
  });

  it("are filtered here when the kernel does not", async () => {
    const { transport, socket } = setUp();
    transport.answer = ([question]) => {
      const { sequence } = question ?? { sequence: 0 };
      transport.arrive(listed(sequence, 1), done(sequence));
    };
    expect(await socket.listRoutes({ family: 4, table: 100, protocol: 72 })).toHaveLength(1);
    expect(await socket.listRoutes({ family: 4, table: 101 })).toHaveLength(0);
    expect(await socket.listRoutes({ family: 4, protocol: 3 })).toHaveLength(0);
    expect(await socket.listRoutes({ family: 4, oif: 3 })).toHaveLength(0);
  });

  it("heed neither late answers nor those for others", async () => {
    const { transport, socket } = setUp();
    transport.answer = ([question]) => {
      const { sequence } = question ?? { sequence: 0 };
      transport.arrive(listed(sequence - 1, 1), done(sequence + 1), addressed(done(sequence), 99));
      transport.arrive(addressed(listed(sequence, 1), 99), listed(sequence, 2), done(sequence));
    };
    expect((await socket.listRoutes(IPV4)).map(({ to }) => to)).toEqual(["10.0.0.2/32"]);
  });

  it("fail when a message cannot be read, and the socket goes on", async () => {
    const { transport, socket } = setUp();
    transport.answer = ([question]) => {
      const { sequence } = question ?? { sequence: 0 };
      const message = listed(sequence, 1);
      message[28] = 200;
      transport.arrive(message);
      transport.arrive(done(sequence));
    };
    await expect(socket.listRoutes(IPV4)).rejects.toBeInstanceOf(MalformedMessage);
    transport.answer = ([question]) => transport.arrive(done(question?.sequence ?? 0));
    expect(await socket.listRoutes(IPV4)).toEqual([]);
  });

  it("stop on a signal, and the next one waits for the kernel to have finished", async () => {
    const { transport, socket } = setUp();
    const abort = new AbortController();
    const waiting = new AbortController();
    const first = socket.listRoutes(IPV4, abort.signal);
    const second = socket.listRules(IPV4, waiting.signal);
    const third = socket.listRules(IPV4);
    abort.abort(new Error("enough"));
    waiting.abort(new Error("no more"));
    await expect(first).rejects.toThrow("enough");
    await expect(second).rejects.toThrow("no more");
    expect(transport.sent).toHaveLength(1);
    const begun = transport.sent[0]?.[0]?.sequence ?? 0;
    transport.arrive(listed(begun, 1), done(begun, NLM_F.DUMP_INTR));
    expect(transport.sent).toHaveLength(2);
    transport.arrive(done(transport.sent[1]?.[0]?.sequence ?? 0));
    expect(await third).toEqual([]);
    await expect(socket.listLinks(AbortSignal.abort(new Error("late")))).rejects.toThrow("late");
  });
});

describe("changes", () => {
  it("go in one send, acknowledged once, errors told apart", async () => {
    const { transport, socket } = setUp();
    acknowledging(transport, (sequence) => (sequence % 100 === 0 ? EEXIST : 0));
    const results = await socket.perform(requests(400));
    expect(transport.sent).toHaveLength(1);
    expect(transport.sent[0]?.map(({ flags }) => (flags & NLM_F.ACK) !== 0).indexOf(true)).toBe(399);
    expect(results.flatMap((result, i) => (result === undefined ? [] : [i]))).toEqual([99, 199, 299, 399]);
    expect(results[99]).toMatchObject({
      code: "EEXIST",
      kernelMessage: "no",
      object: "route 10.0.0.99/32 table 100",
      blame: { offset: 28, attribute: 15 },
    });
    expect(results[99]).toBeInstanceOf(NetlinkError);
  });

  it("go in chunks that the buffers take", async () => {
    const { transport, socket } = setUp();
    acknowledging(transport);
    transport.sendBuffer = 64 + 10 * 52;
    expect((await socket.perform(requests(25))).every((result) => result === undefined)).toBe(true);
    expect(transport.sent.map((send) => send.length)).toEqual([10, 10, 5]);
    transport.sendBuffer = 1 << 20;
    transport.receiveBuffer = 4 * 2048;
    transport.sent = [];
    await socket.perform(requests(9));
    expect(transport.sent.map((send) => send.length)).toEqual([4, 4, 1]);
  });

  it("are halved when the kernel finds them too long, and one that is too long alone is told so", async () => {
    const { transport, socket } = setUp();
    acknowledging(transport);
    transport.refuse = (bytes) => (bytes > 60 ? -EMSGSIZE : undefined);
    const long = { ...request(1), message: { ...route(1), encap: new Uint8Array(100) } };
    const results = await socket.perform([...requests(3), long, request(4)]);
    expect(results.map((result) => result?.code)).toEqual([undefined, undefined, undefined, "EMSGSIZE", undefined]);
  });

  it("are all told when nothing can be sent", async () => {
    const { transport, socket } = setUp();
    transport.refuse = () => -EPERM;
    expect((await socket.perform(requests(3))).map((result) => result?.code)).toEqual(["EPERM", "EPERM", "EPERM"]);
  });

  it("say so when the answers were lost, and go on", async () => {
    const { transport, socket } = setUp();
    transport.receiveBuffer = 2 * 2048;
    transport.answer = (messages) => {
      const last = messages.at(-1)?.sequence ?? 0;
      if (last === 2) transport.receiver?.trouble(ENOBUFS);
      else transport.arrive(errorFor(last, 0));
    };
    const results = await socket.perform(requests(4));
    expect(results.map((result) => result?.code)).toEqual(["ENOBUFS", "ENOBUFS", undefined, undefined]);
  });

  it("do nothing at all when a value does not fit", async () => {
    const { transport, socket } = setUp();
    const bad = { ...request(1), message: { ...route(1), tos: 256 } };
    await expect(socket.perform([request(0), bad])).rejects.toBeInstanceOf(RangeError);
    expect(transport.sent).toEqual([]);
    expect(await socket.perform([])).toEqual([]);
  });
});

describe("a socket", () => {
  it("serves calls in turn and is held only while it waits", async () => {
    const { transport, socket } = setUp();
    expect(transport.held).toBe(false);
    const all = Promise.all([socket.listRules(IPV4), socket.perform(requests(2)), socket.listLinks()]);
    expect(transport.sent).toHaveLength(1);
    expect(transport.held).toBe(true);
    transport.arrive(done(transport.sent[0]?.[0]?.sequence ?? 0));
    expect(transport.sent).toHaveLength(2);
    transport.arrive(errorFor(transport.sent[1]?.[1]?.sequence ?? 0, 0));
    transport.arrive(done(transport.sent[2]?.[0]?.sequence ?? 0));
    expect(await all).toEqual([[], [undefined, undefined], []]);
    expect(transport.held).toBe(false);
  });

  it("rejects what is pending and what comes when it is closed", async () => {
    const { transport, socket } = setUp();
    const pending = [socket.listRules(IPV4), socket.perform(requests(1)), socket.lookUp({ destination: "10.0.0.1" })];
    socket.close();
    socket.close();
    expect(transport.closed).toBe(true);
    for (const call of pending) await expect(call).rejects.toMatchObject({ code: "EBADF" });
    await expect(socket.listLinks()).rejects.toMatchObject({ code: "EBADF" });
  });
});
