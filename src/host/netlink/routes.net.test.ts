// Proves routes against iproute2 and the kernel, both ways: what we ask for is what ip shows, and what ip asks for is
// what we list. Two namespaces are made alike; one is filled by us, the other by ip from the same random routes. A
// field that we wrote and read wrongly alike would differ in what ip shows; one that we forgot, in what we list.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sysctl } from "../native.ts";
import { openRouteSocket, type RouteSocket } from "./client.ts";
import { VERB, type Request } from "./requests.ts";
import type { RouteMessage } from "./route.ts";
import { kernelRoutes } from "./testing/kernel-routes.ts";
import { holdsAsync } from "./testing/seeds.ts";
import { indexOf, testNamespace, THREE_LINKS, type TestNamespace } from "./testing/test-namespace.ts";

let ours: TestNamespace;
let theirs: TestNamespace;
let us: RouteSocket;
let them: RouteSocket;

beforeEach(() => {
  ours = testNamespace(THREE_LINKS);
  theirs = testNamespace(THREE_LINKS);
  us = openRouteSocket({ namespace: ours.fd });
  them = openRouteSocket({ namespace: theirs.fd });
});

afterEach(() => {
  us.close();
  them.close();
  ours.close();
  theirs.close();
});

function create(message: RouteMessage): Request {
  return { object: "route", type: "new", flags: VERB.create, message };
}

function remove(message: RouteMessage): Request {
  return { object: "route", type: "delete", flags: 0, message };
}

const key = ({ table, to, from, tos, priority }: RouteMessage) => `${table} ${to} ${from} ${tos} ${priority}`;

/** Sorted, without the counters that no one asked for, and without what was there before. */
function comparable(routes: readonly RouteMessage[]): RouteMessage[] {
  return routes
    .filter(({ protocol }) => protocol !== 2)
    .map((route) => {
      const { cacheInfo: _, ...rest } = route;
      return rest;
    })
    .toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

describe.each([4 as const, 6 as const])("random IPv%i routes", (family) => {
  it("are the same by our hand and by ip's, to our eyes and to ip's", async () => {
    await holdsAsync(
      fc.asyncProperty(kernelRoutes(family, 120), async (routes) => {
        const results = await us.perform(routes.map(({ message }) => create(message)));
        expect(results.filter((result) => result !== undefined)).toEqual([]);
        theirs.batch(
          routes.map(({ command }) => command),
          family,
        );

        const wanted = comparable(routes.map((route) => route.listed));
        expect(comparable(await us.listRoutes({ family }))).toEqual(wanted);
        expect(comparable(await them.listRoutes({ family }))).toEqual(wanted);
        const show = `-${family} route show table all`;
        // The kernel's own routes stand in the order in which links came up, some time after they were told to.
        const shown = ours.json(show).filter(({ protocol }) => protocol !== "kernel");
        expect(shown.length).toBeGreaterThanOrEqual(routes.length);
        expect(shown).toEqual(theirs.json(show).filter(({ protocol }) => protocol !== "kernel"));

        for (const socket of [us, them]) {
          // As asked for, not as listed: beside a nexthop's id the kernel lists hops, and does not take them back.
          const gone = await socket.perform(routes.map(({ message }) => remove(message)));
          expect(gone.filter((result) => result !== undefined)).toEqual([]);
          expect(comparable(await socket.listRoutes({ family }))).toEqual([]);
        }
      }),
      3,
    );
  });
});

const base = {
  family: 4,
  table: 100,
  to: "10.1.0.0/16",
  tos: 0,
  protocol: 72,
  scope: 0,
  type: "unicast",
  flags: 0,
} as const;
const first: RouteMessage = { ...base, gateway: "10.9.0.2", oif: indexOf(0) };
const second: RouteMessage = { ...base, gateway: "10.9.1.2", oif: indexOf(1) };

describe("verbs", () => {
  const ask = (flags: number, message: RouteMessage): Request => ({ object: "route", type: "new", flags, message });
  const gateways = async () => (await us.listRoutes({ table: 100 })).map(({ gateway }) => gateway);

  it("create refuses what is there, replace and change take its place, append and prepend stand beside it", async () => {
    const codes = async (requests: Request[]) => (await us.perform(requests)).map((result) => result?.code);
    expect(await codes([ask(VERB.change, first)])).toEqual(["ENOENT"]);
    expect(await codes([ask(VERB.create, first), ask(VERB.create, second)])).toEqual([undefined, "EEXIST"]);
    expect(await gateways()).toEqual(["10.9.0.2"]);
    expect(await codes([ask(VERB.replace, second)])).toEqual([undefined]);
    expect(await gateways()).toEqual(["10.9.1.2"]);
    expect(await codes([ask(VERB.append, first)])).toEqual([undefined]);
    expect(await gateways()).toEqual(["10.9.1.2", "10.9.0.2"]);
    expect(await codes([remove(first), ask(VERB.prepend, first)])).toEqual([undefined, undefined]);
    expect(await gateways()).toEqual(["10.9.0.2", "10.9.1.2"]);
    expect(await codes([remove(first), remove(second), remove(second)])).toEqual([undefined, undefined, "ESRCH"]);
  });
});

describe("filters", () => {
  it("by table, protocol and link give what they say", async () => {
    const routes: RouteMessage[] = [first, { ...second, to: "10.2.0.0/16", table: 70_000, protocol: 4 }];
    expect(await us.perform(routes.map(create))).toEqual([undefined, undefined]);
    const to = async (filter: object) => (await us.listRoutes(filter)).map((route) => route.to);
    expect(await to({ table: 100 })).toEqual(["10.1.0.0/16"]);
    expect(await to({ table: 70_000 })).toEqual(["10.2.0.0/16"]);
    expect(await to({ table: 99 })).toEqual([]);
    expect(await to({ family: 6, table: 99 })).toEqual([]);
    expect(await to({ protocol: 72 })).toEqual(["10.1.0.0/16"]);
    expect(await to({ table: 70_000, oif: indexOf(1) })).toEqual(["10.2.0.0/16"]);
    expect(await to({ table: 70_000, oif: indexOf(0) })).toEqual([]);
    expect(await to({ family: 4, oif: 4711 })).toEqual([]);
  });
});

describe("look-ups", () => {
  it("answer as ip route get does", async () => {
    ours.batch([
      "route add 10.1.0.0/16 via 10.9.0.2 table 100",
      "route add 10.1.0.0/16 via 10.9.1.2 table 70000",
      "rule add pref 100 fwmark 5 table 100",
      "rule add pref 101 uidrange 0-0 ipproto tcp dport 80 table 70000",
      "route add 2001:db8::/32 via fd00::2",
    ]);
    const byMark = await us.lookUp({ destination: "10.1.2.3", mark: 5 });
    expect(byMark).toMatchObject({ gateway: "10.9.0.2", table: 100, oif: indexOf(0), source: "10.9.0.1" });
    const ports = { uid: 0, ipProtocol: 6, destinationPort: 80, sourcePort: 5 };
    expect(await us.lookUp({ destination: "10.1.2.3", ...ports })).toMatchObject({
      gateway: "10.9.1.2",
      table: 70_000,
    });
    expect(await us.lookUp({ destination: "10.1.2.3", mark: 5, match: true })).toMatchObject({ to: "10.1.0.0/16" });
    expect(await us.lookUp({ destination: "2001:db8::1" })).toMatchObject({ gateway: "fd00::2" });
    expect(sysctl(ours.fd, [{ path: "net/ipv4/ip_forward", value: "1" }])).toEqual([{}]);
    const fromOutside = us.lookUp({ destination: "10.9.1.5", source: "10.9.0.7", iif: indexOf(0) });
    expect(await fromOutside).toMatchObject({ oif: indexOf(1) });
    await expect(us.lookUp({ destination: "10.1.2.3" })).rejects.toMatchObject({ code: "ENETUNREACH" });
    expect(ours.json("route get 10.1.2.3 mark 5")[0]).toMatchObject({ gateway: byMark.gateway, dev: "v0" });
  });
});
