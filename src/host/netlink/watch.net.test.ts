// Proves events against a real kernel: what changes is told, and what was missed is admitted.
import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openRouteSocket } from "./client.ts";
import { VERB, type Request } from "./requests.ts";
import { indexOf, refuseOnHost, testNamespace, THREE_LINKS, type TestNamespace } from "./testing/test-namespace.ts";
import { watch, type NetlinkEvent, type WatchedObject } from "./watch.ts";

const EVERYTHING: readonly WatchedObject[] = ["link", "address", "neighbour", "route", "rule", "nexthop"];

let namespace: TestNamespace;
let stop: AbortController;

beforeEach(() => {
  namespace = testNamespace(THREE_LINKS);
  stop = new AbortController();
});

afterEach(() => {
  stop.abort();
  namespace.close();
});

/** Events up to and with the first that is wanted. */
async function until(events: AsyncIterator<NetlinkEvent>, wanted: (event: NetlinkEvent) => boolean) {
  const seen: NetlinkEvent[] = [];
  for (;;) {
    const { value, done } = await events.next();
    if (done === true) throw new Error("the events ended");
    seen.push(value);
    if (wanted(value)) return seen;
  }
}

/** Whether the event tells of the link that is added last. */
function isLast(event: NetlinkEvent): boolean {
  return event.type === "new" && event.object === "link" && event.message.name === "last";
}

describe("events", () => {
  it("tell of every object, made and deleted", async () => {
    const events = watch({ namespace: namespace.fd, groups: EVERYTHING }, stop.signal);
    namespace.batch([
      "addr add 10.8.0.1/24 dev v1",
      "route add 10.1.0.0/16 via 10.8.0.2 table 70000 proto 72",
      "rule add pref 500 fwmark 5 table 70000",
      "neigh add 10.8.0.9 lladdr 02:00:00:00:00:09 dev v1",
      "nexthop add id 90 via 10.8.0.2 dev v1",
      "rule del pref 500",
      "route del 10.1.0.0/16 table 70000",
      "link add last type bridge",
    ]);
    const seen = await until(events, isLast);
    const named = seen.map((event) => (event.type === "lost-sync" ? event.type : `${event.type} ${event.object}`));
    for (const kind of ["address", "route", "rule", "neighbour", "nexthop", "link"])
      expect(named).toContain(`new ${kind}`);
    expect(named).toContain("del rule");
    expect(seen).toContainEqual(
      expect.objectContaining({
        type: "del",
        object: "route",
        message: expect.objectContaining({ to: "10.1.0.0/16", table: 70_000, protocol: 72, oif: indexOf(1) }),
      }),
    );
    expect(named).not.toContain("lost-sync");
  });

  it("of a link that goes down come when its routes go without one", async () => {
    namespace.batch(["route add 10.1.0.0/16 via 10.9.1.2"]);
    const events = watch({ namespace: namespace.fd, groups: ["link", "route"] }, stop.signal);
    namespace.batch(["link set v1 down", "link add last type bridge"]);
    const seen = await until(events, isLast);
    const ofRoutes = seen.filter(
      (event) => event.type === "del" && event.object === "route" && event.message.family === 4,
    );
    expect(ofRoutes).toEqual([]);
    expect(seen).toContainEqual(
      expect.objectContaining({ type: "new", object: "link", message: expect.objectContaining({ name: "v1" }) }),
    );
  });

  it("that the buffer has no room for are admitted, and later ones are told", async () => {
    const events = watch({ namespace: namespace.fd, groups: ["route", "rule"], receiveBuffer: 2048 }, stop.signal);
    const socket = openRouteSocket({ namespace: namespace.fd });
    const requests = Array.from({ length: 3000 }, (_, i): Request => ({
      object: "route",
      type: "new",
      flags: VERB.create,
      message: {
        family: 4,
        table: 1000,
        to: `20.0.${i >> 8}.${i & 255}/32`,
        tos: 0,
        protocol: 72,
        scope: 0,
        type: "blackhole",
        flags: 0,
      },
    }));
    await socket.perform(requests);
    const seen = await until(events, (event) => event.type === "lost-sync");
    expect(seen.length).toBeLessThan(3000);
    // At once, while nothing else runs: what happens after the word is told, since the socket was emptied before it.
    namespace.batch(["rule add pref 600 table 9"]);
    await until(events, (event) => event.type === "new" && event.object === "rule" && event.message.priority === 600);
    socket.close();
  });

  it("end with the signal", async () => {
    const events = watch({ namespace: namespace.fd, groups: ["link"] }, stop.signal);
    const waiting = events.next();
    stop.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});

describe("a process", () => {
  const run = (body: string) => {
    refuseOnHost();
    const here = new URL("./", import.meta.url).href;
    const source = `const { watch } = await import("${here}watch.ts"); const { openRouteSocket } = await import("${here}client.ts"); ${body}`;
    return execFileSync(process.execPath, ["--input-type=module", "--expose-gc", "-e", source], {
      encoding: "utf8",
      timeout: 20_000,
    });
  };

  it("is not kept alive by idle sockets and watchers, and is while it waits for an answer", () => {
    const body = `
      const socket = openRouteSocket(); const events = watch({ groups: ["link"] });
      events.next(); console.log((await socket.listLinks()).length > 0);`;
    expect(run(body).trim()).toBe("true");
  });

  it("leaks no descriptor, whether sockets are closed or forgotten, also in workers", () => {
    const body = `
      import { readdirSync, readlinkSync } from "node:fs";
      import { setTimeout } from "node:timers/promises";
      import { Worker } from "node:worker_threads";
      const count = () => readdirSync("/proc/self/fd").filter((fd) => {
        try { return readlinkSync("/proc/self/fd/" + fd).startsWith("socket:"); } catch { return false; }
      }).length;
      const before = count();
      // The last one cannot have been collected.
      let during = 0;
      async function forget() {
        for (let i = 0; i < 50; i++) {
          globalThis.last = openRouteSocket();
          await last.listRules({ family: 4 });
          during = Math.max(during, count() - before);
        }
        globalThis.last = undefined;
      }
      async function close() {
        for (let i = 0; i < 50; i++) { const s = openRouteSocket(); await s.listLinks(); s.close(); s.close(); }
      }
      await forget(); await close();
      for (let i = 0; i < 500 && count() > before; i++) { gc(); await setTimeout(10); }
      console.log(during > 0, count() - before);
      const events = watch({ groups: ["link"] });
      events.next();
      for (let i = 0; i < 5; i++) { gc(); await setTimeout(5); }
      console.log(count() - before);
      const client = ${JSON.stringify(new URL("./client.ts", import.meta.url).href)};
      const work = 'const { openRouteSocket } = await import("' + client + '"); globalThis.kept = openRouteSocket(); await kept.listLinks();';
      const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent(work)));
      await new Promise((resolve, reject) => worker.on("exit", resolve).on("error", reject));
      console.log(count() - before);`;
    expect(run(body).trim().split("\n")).toEqual(["true 0", "1", "1"]);
  });
});
