// Owns the proof that an event of the kernel's is taken for what it means to heddle, and noise for nothing.
import { expect, test } from "vitest";
import { parseConfig } from "../config/config.ts";
import { FakeHost } from "../host/fake/fake-host.ts";
import type { AddressMessage } from "../host/netlink/address.ts";
import type { LinkMessage } from "../host/netlink/link.ts";
import type { RouteMessage } from "../host/netlink/route.ts";
import type { NetlinkEvent } from "../host/netlink/watch.ts";
import { emptyLedger } from "../model/plan.ts";
import { emptyNumbers } from "../plan/numbers.ts";
import { noKnownOwners } from "../plan/recall-owners.ts";
import { ROLES } from "../roles/index.ts";
import { Interest } from "./interest.ts";
import { lookAndPlan } from "./look.ts";

async function interest(text: string): Promise<Interest> {
  const host = new FakeHost();
  host.addLink("ib0", ["172.16.34.1/16"]);
  host.addLink("eth0", ["10.0.0.5/24"]);
  const { value } = parseConfig(`version: 1\n${text}`, "heddle.yaml", ROLES);
  const { look } = value
    ? await lookAndPlan(value, host, { ledger: emptyLedger(), numbers: emptyNumbers(), known: noKnownOwners() })
    : {};
  if (!look) throw new Error("there is no plan");
  return new Interest(look);
}

const ROUTES =
  "static: { s: { routes: [{ to: 10.1.0.0/16, link: ib0, table: 77 }], rules: [{ from: 10.9.0.0/16, table: 77, priority: 5 }] } }";
const of = (object: string, message: object, type: "new" | "del" = "new"): NetlinkEvent =>
  ({ type, object, message, by: 0 }) as unknown as NetlinkEvent;

test("routes: heddle's own, and what stands under a key that it wants; nobody else's", async () => {
  const subject = await interest(ROUTES);
  const route = (more: Partial<RouteMessage>): RouteMessage => ({
    family: 4,
    table: 77,
    to: "10.1.0.0/16",
    tos: 0,
    protocol: 4,
    scope: 253,
    type: "unicast",
    flags: 0,
    oif: 2,
    ...more,
  });
  const urgent = { changed: "route", urgency: "urgent" };
  expect(subject.tables).toEqual([77]);
  expect(subject.hintOf(of("route", route({ protocol: 72, table: 9 }), "del"))).toEqual(urgent);
  expect(subject.hintOf(of("route", route({})))).toEqual(urgent);
  expect(subject.hintOf(of("route", route({ to: "10.2.0.0/16" })))).toBeUndefined();
  expect(subject.hintOf(of("route", route({ table: 78 })))).toBeUndefined();
  expect(subject.hintOf(of("route", route({ priority: 5 })))).toBeUndefined();
});

test("rules, nexthops and neighbours alike", async () => {
  const subject = await interest(
    `${ROUTES.slice(0, -4)}, nexthops: { a: { via: 172.16.0.8 } }, neighbours: [{ address: 172.16.0.8, link: ib0, lladdr: "02:00:00:00:00:08" }] } }`,
  );
  const rule = { family: 4, action: "table", table: 77, priority: 5, from: "10.9.0.0/16" };
  expect(subject.hintOf(of("rule", rule, "del"))).toMatchObject({ urgency: "urgent" });
  expect(subject.hintOf(of("rule", { ...rule, priority: 6 }, "del"))).toBeUndefined();
  expect(subject.hintOf(of("rule", { ...rule, priority: 6, protocol: 72 }))).toMatchObject({ changed: "rule" });
  expect(subject.hintOf(of("nexthop", { id: 7000, protocol: 4 }))).toMatchObject({ changed: "nexthop" });
  expect(subject.hintOf(of("nexthop", { id: 6, protocol: 4 }))).toBeUndefined();
  const neighbour = { family: 4, index: 2, destination: "172.16.0.8", state: 2, flags: 0, type: 1 };
  expect(subject.neighbours).toBe(true);
  expect(subject.hintOf(of("neighbour", neighbour, "del"))).toMatchObject({ changed: "neighbour" });
  expect(subject.hintOf(of("neighbour", { ...neighbour, destination: "172.16.0.9" }))).toBeUndefined();
  expect(subject.hintOf(of("neighbour", { ...neighbour, index: 3 }))).toBeUndefined();
});

test("links: what a look would see changed; urgently where the file names the link", async () => {
  const subject = await interest(ROUTES);
  const UP = 0x10043;
  const link = (more: Partial<LinkMessage>): LinkMessage => ({
    index: 2,
    name: "ib0",
    type: 1,
    flags: UP,
    carrier: true,
    mtu: 1500,
    ...more,
  });
  expect(subject.hintOf(of("link", link({})))).toBeUndefined();
  expect(subject.hintOf(of("link", link({ carrierChanges: 5 })))).toBeUndefined();
  // A look that is under way may have seen the link down before it came up again.
  expect(subject.hintOf(of("link", link({})), true)).toEqual({ changed: "link", urgency: "urgent", link: "ib0" });
  for (const more of [{ flags: UP & ~1 }, { carrier: false }, { mtu: 2044 }, { name: "ib7" }, { altNames: ["a"] }]) {
    expect(subject.hintOf(of("link", link(more)))).toEqual({ changed: "link", urgency: "urgent", link: "ib0" });
  }
  expect(subject.hintOf(of("link", link({}), "del"))).toMatchObject({ urgency: "urgent", link: "ib0" });
  expect(subject.hintOf(of("link", link({ index: 3, name: "eth0", carrier: false })))).toMatchObject({
    urgency: "calm",
  });
  expect(subject.hintOf(of("link", link({ index: 9, name: "ib0" })))).toMatchObject({ urgency: "urgent" });
  expect(subject.hintOf(of("link", link({ index: 9, name: "veth1" })))).toMatchObject({ urgency: "calm" });
});

test("addresses: not the lease that is renewed", async () => {
  const subject = await interest(ROUTES);
  const address = (more: Partial<AddressMessage>): AddressMessage => ({
    family: 4,
    index: 2,
    address: "172.16.34.1",
    prefixLength: 16,
    scope: 0,
    flags: 0x80,
    ...more,
  });
  expect(subject.hintOf(of("address", address({})))).toBeUndefined();
  expect(subject.hintOf(of("address", address({})), true)).toMatchObject({ urgency: "urgent" });
  expect(subject.hintOf(of("address", address({}), "del"))).toEqual({
    changed: "address",
    urgency: "urgent",
    link: "ib0",
  });
  expect(subject.hintOf(of("address", address({ address: "172.16.34.9" })))).toMatchObject({ urgency: "urgent" });
  expect(subject.hintOf(of("address", address({ index: 3 })))).toMatchObject({ urgency: "calm", link: "eth0" });
  expect(subject.hintOf(of("address", address({ index: 9 })))).toEqual({ changed: "link", urgency: "calm" });
});

test("tables of nftables are listened for where one is remembered, and neighbours where one is wanted", async () => {
  const nothing = { snapshot: { links: [], observed: [] }, want: { objects: [] }, cgroups: [] };
  const remembers = { ...emptyLedger(), applied: { "nftTable inet heddle-egress-a": "{}" } };
  expect(new Interest({ ...nothing, ledger: remembers })).toMatchObject({ nftTables: true, neighbours: false });
  expect(new Interest({ ...nothing, ledger: emptyLedger() })).toMatchObject({ nftTables: false, tables: [] });
});

test("what was lost may have been anything", async () => {
  expect((await interest(ROUTES)).hintOf({ type: "lost-sync" })).toEqual({ changed: "everything", urgency: "lost" });
});
