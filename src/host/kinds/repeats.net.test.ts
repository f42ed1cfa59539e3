// Owns the proof that routes are read once, though a table comes while they are read.
import { afterEach, beforeEach, expect, test } from "vitest";
import { TestNamespace } from "../../../test/namespace.ts";
import { HEDDLE_PROTOCOL } from "../../model/kinds.ts";
import { openRouteSocket } from "../netlink/client.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { VERB } from "../netlink/requests.ts";
import type { RouteRequest } from "../netlink/requests.ts";
import { routeDriver } from "./netlink-drivers.ts";

const TABLE = 7000;
const MANY = 20_000;
/** As often as not a table that comes at the first turn of the loop comes in the middle of the dump. */
const ROUNDS = 20;

let namespace: TestNamespace;
let reading: RouteSocket;
let changing: RouteSocket;

beforeEach(() => {
  namespace = new TestNamespace();
  namespace.addLink("ib0", []);
  reading = openRouteSocket({ namespace: namespace.fd });
  changing = openRouteSocket({ namespace: namespace.fd });
  return () => namespace[Symbol.dispose]();
});
afterEach(() => {
  reading.close();
  changing.close();
});

function route(table: number, n: number, oif: number): RouteRequest {
  const to = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}/32`;
  const message = {
    family: 4,
    table,
    to,
    protocol: HEDDLE_PROTOCOL,
    tos: 0,
    scope: 253,
    type: "unicast",
    flags: 0,
    oif,
  } as const;
  return { object: "route", type: "new", flags: VERB.create, message };
}

test("a table that comes meanwhile makes the kernel say routes twice, and the driver says them once", async () => {
  const oif = (await reading.listLinks()).find(({ name }) => name === "ib0")?.index ?? 0;
  await changing.perform(Array.from({ length: MANY }, (_, n) => route(TABLE, n, oif)));
  let tables = 0;
  const whileATableComes = async <T>(read: Promise<T>): Promise<T> => {
    await new Promise((resolve) => setImmediate(resolve));
    // In the same bucket of the kernel's hash.
    await changing.perform([route(TABLE + 256 * ++tables, 1, oif)]);
    return read;
  };
  let repeated = 0;
  const driver = routeDriver(reading);
  for (let round = 0; round < ROUNDS; round++) {
    const said = (await whileATableComes(reading.listRoutes())).filter(({ table }) => table === TABLE);
    if (said.length > MANY) repeated++;
    const listed = await whileATableComes(driver.list([], { sysctls: [] }));
    expect(listed.filter(({ spec }) => spec.table === TABLE)).toHaveLength(MANY);
  }
  expect(repeated, "the kernel was seen to repeat itself").toBeGreaterThan(0);
});
