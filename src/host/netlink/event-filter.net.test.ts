// Owns the proof on the real kernel that the filter of events drops what nobody waits for, and nothing else.
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../test/contract-steps.ts";
import { TestNamespace } from "../../../test/namespace.ts";
import { openRouteSocket } from "./client.ts";
import { routeEventFilter } from "./event-filter.ts";
import { VERB } from "./requests.ts";
import { watch } from "./watch.ts";
import type { EventWatch, NetlinkEvent } from "./watch.ts";

let namespace: TestNamespace;
let events: EventWatch;

beforeEach(async () => {
  namespace = new TestNamespace();
  namespace.addLink("v0", ["192.0.2.1/24"]);
  // What the kernel does in its own time once a link is up is not to be heard below.
  await until(
    async () =>
      namespace.ip("-6 route show dev v0").includes("fe80::/64") && namespace.ip("link show v0").includes("state UP"),
  );
});
afterEach(async () => {
  await events.return?.();
  namespace[Symbol.dispose]();
});

function listen(filter: Uint8Array): void {
  events = watch({ namespace: namespace.fd, groups: ["link", "route", "rule"], filter });
}

/** Routes and rules that are told up to a marker: a rule with priority 1. */
async function told(): Promise<string[]> {
  namespace.ip("rule add priority 1 table 1");
  const seen: string[] = [];
  for await (const event of events) {
    if (isMarker(event)) break;
    if (event.type === "lost-sync") seen.push("lost");
    else if (event.object === "route") seen.push(`${event.type} ${event.message.to} table ${event.message.table}`);
    else seen.push(`${event.type} ${event.object}`);
  }
  return seen;
}

function isMarker(event: NetlinkEvent): boolean {
  return event.type !== "lost-sync" && event.object === "rule" && event.message.priority === 1;
}

test("others' routes come through in the tables that are named, heddle's in every one, and the rest as ever", async () => {
  // 254 is said in the header, 7000 and 4000000000 in an attribute only.
  listen(routeEventFilter(0xdeadbeef, [7000, 254, 4_000_000_000]));
  for (const table of [7000, 254, 4_000_000_000, 7001, 77]) namespace.ip(`route add 10.1.0.0/16 dev v0 table ${table}`);
  namespace.ip("route add 10.2.0.0/16 dev v0 table 77 proto 72");
  namespace.ip("-6 route add fd01::/64 dev v0 table 7001");
  namespace.ip("-6 route add fd01::/64 dev v0 table 7000");
  namespace.ip("route flush table 7000");
  namespace.ip("link set v0 mtu 1400");
  namespace.ip("rule add from 10.0.0.0/8 table 77");
  expect(await told()).toEqual([
    "new 10.1.0.0/16 table 7000",
    "new 10.1.0.0/16 table 254",
    "new 10.1.0.0/16 table 4000000000",
    "new 10.2.0.0/16 table 77",
    "new fd01::/64 table 7000",
    "del 10.1.0.0/16 table 7000",
    "new link",
    "new rule",
  ]);
});

test("what the named port does is not told, and what the kernel does because of it is", async () => {
  const socket = openRouteSocket({ namespace: namespace.fd });
  listen(routeEventFilter(socket.port, [254]));
  const index = (await socket.listLinks()).find(({ name }) => name === "v0")?.index ?? 0;
  const rule = { family: 4, action: "table", table: 77, priority: 900, flags: 0 } as const;
  const address = { family: 4, index, address: "192.0.2.1", prefixLength: 24, scope: 0, flags: 0 } as const;
  await socket.perform([
    { object: "rule", type: "new", flags: VERB.create, message: rule },
    { object: "address", type: "delete", flags: 0, message: address },
  ]);
  socket.close();
  namespace.ip("rule add priority 901 table 77");
  expect(await told()).toEqual(["del 192.0.2.0/24 table 254", "new rule"]);
});

test("a filter takes the place of the one before; with very many tables every route comes through", async () => {
  listen(routeEventFilter(1, []));
  namespace.ip("route add 10.1.0.0/16 dev v0 table 7000");
  events.filter(
    routeEventFilter(
      1,
      Array.from({ length: 128 }, (_, i) => 7000 + i),
    ),
  );
  namespace.ip("route add 10.2.0.0/16 dev v0 table 7127");
  namespace.ip("route add 10.2.0.0/16 dev v0 table 7128");
  events.filter(
    routeEventFilter(
      1,
      Array.from({ length: 129 }, (_, i) => i + 1),
    ),
  );
  namespace.ip("route add 10.3.0.0/16 dev v0 table 9999");
  expect(await told()).toEqual(["new 10.2.0.0/16 table 7127", "new 10.3.0.0/16 table 9999"]);
});
