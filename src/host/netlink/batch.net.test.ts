// Proves what a socket promises of batches, errors and lists on a real kernel that is busy.
import { readlinkSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { namespaceId, openNamespace } from "../native.ts";
import { openRouteSocket, type RouteSocket } from "./client.ts";
import { VERB, type Request } from "./requests.ts";
import type { RouteMessage } from "./route.ts";
import type { RuleMessage } from "./rule.ts";
import { indexOf, testNamespace, THREE_LINKS, type TestNamespace } from "./testing/test-namespace.ts";

let namespace: TestNamespace;
let socket: RouteSocket;

beforeEach(() => {
  namespace = testNamespace(THREE_LINKS);
  socket = openRouteSocket({ namespace: namespace.fd });
});

afterEach(() => {
  socket.close();
  namespace.close();
});

function route(i: number, gateway = "10.9.0.2"): RouteMessage {
  const to = `20.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`;
  return {
    family: 4,
    table: 1000,
    to,
    tos: 0,
    protocol: 72,
    scope: 0,
    type: "unicast",
    flags: 0,
    gateway,
    oif: indexOf(0),
  };
}

const create = (message: RouteMessage): Request => ({ object: "route", type: "new", flags: VERB.create, message });
const remove = (message: RouteMessage): Request => ({ object: "route", type: "delete", flags: 0, message });
const count = (length: number) => Array.from({ length }, (_, i) => i);

describe("5,000 requests", () => {
  it("with errors among them: each is told by its place, in the kernel's words, and the others are done", async () => {
    const invalid = (i: number) => i % 7 === 3;
    const results = await socket.perform(
      count(5000).map((i) => create(route(i, invalid(i) ? "172.31.0.1" : "10.9.0.2"))),
    );
    expect(results).toHaveLength(5000);
    for (const [i, result] of results.entries()) {
      expect(result?.code, `request ${i}`).toBe(invalid(i) ? "ENETUNREACH" : undefined);
    }
    expect(results[3]).toMatchObject({
      kernelMessage: "Nexthop has invalid gateway",
      object: `route ${route(3).to} table 1000`,
      message: `route ${route(3).to} table 1000: ENETUNREACH (Nexthop has invalid gateway)`,
    });
    const listed = await socket.listRoutes({ table: 1000 });
    expect(listed.map(({ to }) => to).toSorted()).toEqual(
      count(5000)
        .filter((i) => !invalid(i))
        .map((i) => route(i).to)
        .toSorted(),
    );
  });

  it("that all fail are all told, however small the receive buffer is", async () => {
    const narrow = openRouteSocket({ namespace: namespace.fd, receiveBuffer: 4096, sendBuffer: 8192 });
    const results = await narrow.perform(count(5000).map((i) => remove(route(i))));
    expect(new Set(results.map((result) => result?.code))).toEqual(new Set(["ESRCH"]));
    narrow.close();
  });
});

describe("errors", () => {
  it("name the attribute that is to blame", async () => {
    // A priority of 3 bytes: the attribute is raw, so that only the kernel objects.
    const request = create({ ...route(1), unknown: [{ type: 6, bytes: Uint8Array.of(1, 2, 3) }] });
    const [error] = await socket.perform([request]);
    expect(error).toMatchObject({ code: "ERANGE", blame: { attribute: 6 } });
    expect(error?.blame.offset).toBeGreaterThan(28);
  });

  it("of a group of hops and of rules carry the kernel's words", async () => {
    const hops = [{ oif: indexOf(0), gateway: "172.31.0.1", weight: 1, flags: 0 }];
    const { gateway: _, oif: __, ...bare } = route(1);
    const rule: RuleMessage = { family: 4, priority: 9, action: "goto", goto: 5, flags: 0 };
    const [first, second] = await socket.perform([
      create({ ...bare, hops }),
      { object: "rule", type: "new", flags: VERB.create, message: rule },
    ]);
    expect(first?.kernelMessage).toBe("Nexthop has invalid gateway");
    expect(second).toMatchObject({ code: "EINVAL", kernelMessage: "Backward goto not supported" });
  });

  it("of a socket that cannot be opened are thrown", () => {
    expect(() => openRouteSocket({ namespace: 999_999 })).toThrow(/EBADF/);
    expect(() => openRouteSocket({ namespace: 1.5 })).toThrow(RangeError);
  });
});

describe("lists", () => {
  it("are whole while what is listed changes", async () => {
    const rule = (priority: number): RuleMessage => ({ family: 4, priority, action: "table", table: 7, flags: 0 });
    const make = (priority: number): Request => ({
      object: "rule",
      type: "new",
      flags: VERB.create,
      message: rule(priority),
    });
    expect((await socket.perform(count(3000).map((i) => make(2000 + i)))).every((result) => result === undefined)).toBe(
      true,
    );
    const other = openRouteSocket({ namespace: namespace.fd });
    const churn = count(300).flatMap((i): Request[] => [
      make(10_000 + i),
      { object: "rule", type: "delete", flags: 0, message: rule(10_000 + i) },
    ]);
    const [listed] = await Promise.all([socket.listRules({ family: 4 }), other.perform(churn)]);
    const steady = listed.map(({ priority = 0 }) => priority).filter((priority) => priority >= 2000 && priority < 5000);
    expect(steady).toEqual(count(3000).map((i) => 2000 + i));
    other.close();
  });

  it("and changes of many callers at once do not mix", async () => {
    const calls = count(20).map(async (i) => {
      if (i % 2 === 0) return socket.perform(count(50).map((k) => create(route(i * 100 + k))));
      return socket.listRoutes({ family: 4, table: 254 });
    });
    const answers = await Promise.all(calls);
    for (const [i, answer] of answers.entries()) expect(answer).toHaveLength(i % 2 === 0 ? 50 : 3);
    expect(await socket.listRoutes({ table: 1000 })).toHaveLength(500);
  });
});

describe("namespaces", () => {
  it("are those of the descriptors, and the process stays where it is", async () => {
    const before = readlinkSync("/proc/thread-self/ns/net");
    const other = testNamespace(["link add elsewhere type bridge"]);
    const there = openRouteSocket({ namespace: other.fd });
    other.close();
    expect((await there.listLinks()).map(({ name }) => name)).toEqual(["lo", "elsewhere"]);
    expect((await socket.listLinks()).map(({ name }) => name)).toContain("v0");
    there.close();
    const own = openNamespace("/proc/self/ns/net");
    expect(`net:[${namespaceId(own)}]`).toBe(before);
    expect(readlinkSync("/proc/thread-self/ns/net")).toBe(before);
    expect(namespaceId(namespace.fd)).not.toBe(namespaceId(own));
  });
});
