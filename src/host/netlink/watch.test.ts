// Proves that a watcher tells what it missed, holds no more than it may, and ends.
import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { Encoder } from "./encoder.ts";
import { encodeLink } from "./link.ts";
import { encodeNexthop } from "./nexthop.ts";
import { encodeRoute } from "./route.ts";
import { ScriptedTransport } from "./testing/scripted-transport.ts";
import { watchTransport } from "./watch.ts";

function routeEvent(i: number, type = 24): Uint8Array {
  const encoder = new Encoder();
  encodeRoute(encoder, type, 0, 0, {
    family: 4,
    table: i,
    to: "10.0.0.0/8",
    tos: 0,
    protocol: 72,
    scope: 0,
    type: "unicast",
    flags: 0,
  });
  return encoder.written();
}

const LOST = { type: "lost-sync" };

async function take(events: AsyncIterator<unknown>, count: number): Promise<unknown[]> {
  const taken: unknown[] = [];
  for (let i = 0; i < count; i++) taken.push((await events.next()).value);
  return taken;
}

describe("a watcher", () => {
  it("gives events in order, whether they were waited for or not", async () => {
    const transport = new ScriptedTransport();
    const events = watchTransport(transport, {});
    const early = events.next();
    transport.arrive(routeEvent(1), routeEvent(2, 25));
    transport.arrive(routeEvent(3));
    expect(await early).toMatchObject({ done: false, value: { type: "new", object: "route", message: { table: 1 } } });
    expect(await take(events, 2)).toMatchObject([
      { type: "del", object: "route", message: { table: 2 } },
      { type: "new", object: "route", message: { table: 3 } },
    ]);
    await events.return?.();
    expect(transport.closed).toBe(true);
  });

  it("makes one lost-sync of events that nobody takes", async () => {
    const transport = new ScriptedTransport();
    const events = watchTransport(transport, { mostWaiting: 3 });
    for (let i = 1; i <= 5; i++) transport.arrive(routeEvent(i));
    expect(await take(events, 2)).toMatchObject([LOST, { message: { table: 5 } }]);
    await events.return?.();
  });

  it("says once that something was lost or cannot be read", async () => {
    const transport = new ScriptedTransport();
    const events = watchTransport(transport, {});
    transport.receiver?.trouble(constants.errno.ENOBUFS);
    transport.receiver?.trouble(constants.errno.EMSGSIZE);
    transport.arrive(routeEvent(1));
    const broken = routeEvent(2);
    broken[28] = 255;
    transport.arrive(broken);
    const cut = routeEvent(3);
    cut[0] = 200;
    transport.arrive(cut);
    transport.arrive(routeEvent(4));
    expect(await take(events, 4)).toMatchObject([LOST, { message: { table: 1 } }, LOST, { message: { table: 4 } }]);
    await events.return?.();
  });

  it("passes over what is no object of its own", async () => {
    const transport = new ScriptedTransport();
    const events = watchTransport(transport, {});
    const encoder = new Encoder();
    encodeLink(encoder, 17, 0, 0, { index: 3, type: 1, flags: 0 });
    const ofBridge = encoder.written().slice();
    ofBridge[16] = 7;
    const object = new Encoder();
    const nexthop = { id: 7, family: 4, scope: 0, protocol: 72, flags: 0, gateway: "10.9.0.9" } as const;
    encodeNexthop(object, 104, 0, 0, nexthop);
    transport.arrive(ofBridge, encoder.written(), object.written());
    expect(await take(events, 2)).toMatchObject([
      { type: "del", object: "link", message: { index: 3 } },
      { type: "new", object: "nexthop", message: nexthop },
    ]);
    await events.return?.();
  });

  it("ends with its signal, also for who waits, and with its loop", async () => {
    const abort = new AbortController();
    const transport = new ScriptedTransport();
    const events = watchTransport(transport, {}, abort.signal);
    const waiting = events.next();
    abort.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await events.next()).toEqual({ done: true, value: undefined });
    expect(transport.closed).toBe(true);

    const second = new ScriptedTransport();
    const loop = watchTransport(second, {});
    second.arrive(routeEvent(1), routeEvent(2));
    for await (const event of loop) {
      expect(event).toMatchObject({ message: { table: 1 } });
      break;
    }
    expect(second.closed).toBe(true);
    const late = watchTransport(new ScriptedTransport(), {}, AbortSignal.abort());
    expect(await late.next()).toEqual({ done: true, value: undefined });
  });
});
