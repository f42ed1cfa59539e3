// Owns the proof on the real kernel that managed addresses and what is built on them come in one apply, and come back
// when the kernel took them away, with the probe for duplicates as it is on every host.
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../test/contract-steps.ts";
import { MemoryStore } from "../../test/memory-store.ts";
import { TestNamespace } from "../../test/namespace.ts";
import { parseConfig } from "../config/config.ts";
import type { Host } from "../host/host.ts";
import { openHost } from "../host/kernel.ts";
import { describeObject, describeStep } from "../plan/kinds/index.ts";
import { ROLES } from "../roles/index.ts";
import { applyPlan } from "./apply.ts";
import type { Applied } from "./apply.ts";
import { lookAndPlan } from "./look.ts";
import type { Look } from "./look.ts";

let namespace: TestNamespace;
let host: Host;
let store: MemoryStore;

beforeEach(() => {
  namespace = new TestNamespace();
  namespace.addLink("ib0", []);
  namespace.addLink("ib1", []);
  for (const name of ["ib0", "ib1"]) namespace.run("sysctl", "-qw", `net.ipv6.conf.${name}.accept_dad=1`);
  host = openHost(namespace.fd);
  store = new MemoryStore();
});

afterEach(() => {
  host.close();
  namespace[Symbol.dispose]();
});

async function look(text: string): Promise<Look> {
  const { value, diagnostics } = parseConfig(text, "heddle.yaml", ROLES);
  if (!value) throw new Error(diagnostics.map(({ summary }) => summary).join("; "));
  const outcome = await lookAndPlan(value, host, store.memory);
  if (!outcome.look) throw new Error(outcome.diagnostics.map(({ summary }) => summary).join("; "));
  return outcome.look;
}

async function apply(text: string): Promise<Applied> {
  return applyPlan(await look(text), host, store);
}

async function left(text: string): Promise<{ steps: string[]; blocked: string[] }> {
  const { plan } = await look(text);
  const blocked = plan.blocked.map(({ desired, why }) => `${describeObject(desired)}: ${why}`);
  return { steps: plan.steps.map(describeStep), blocked };
}

const NOTHING = { steps: [], blocked: [] };
const CARDS = `
version: 1
links:
  ib0: { addresses: [172.16.34.1/16, "fd00:16::1/64"] }
  ib1: { addresses: [172.16.34.2/16, 172.16.34.3/16, "fd00:16::2/64"] }
multihome:
  ib: { links: [{ subnet: 172.16.0.0/16 }] }
static:
  s:
    nexthops:
      a: { via: 172.16.0.8 }
      six: { via: "fd00:16::9", link: ib1 }
      g: { group: { a: 1, six: 2 }, resilient: { buckets: 16 } }
    neighbours: [{ address: 172.16.0.8, link: ib0, lladdr: "02:00:00:00:00:08" }]
    routes:
      - { to: 10.1.0.0/16, nexthop: g }
      - { to: "fd01::/32", nexthop: six, source: "fd00:16::2" }
`;

test("one apply brings addresses, and the rules, routes and nexthops behind them; the second plan is empty", async () => {
  const untouched = namespace.everything();
  expect((await apply(CARDS)).failed).toEqual([]);
  expect(await left(CARDS)).toEqual(NOTHING);
  expect(namespace.ip("-6 route show table 7002")).toContain("fd00:16::/64 dev ib0 proto 72 src fd00:16::1");
  expect(namespace.ip("addr show dev ib1")).toMatch(
    /172\.16\.34\.2\/16 brd 172\.16\.255\.255[^]*34\.3\/16 .*secondary/,
  );
  expect((await apply("version: 1")).failed).toEqual([]);
  expect(namespace.everything()).toBe(untouched);
});

test("a link that goes down and up gets its IPv6 address back, and everything behind it", async () => {
  await apply(CARDS);
  const whole = namespace.everything();
  namespace.ip("link set ib1 down");
  const lost = await left(CARDS);
  expect(lost.steps).toContain("address fd00:16::2/64 dev ib1");
  expect(lost.blocked).toContain("route fd00:16::/64 dev ib1 table 7001: link-down");
  await apply(CARDS);
  namespace.ip("link set ib1 up");
  // The address was put there while the link was down; it is usable when the probe is over.
  await until(async () => (await left(CARDS)).blocked.length === 0);
  expect((await apply(CARDS)).failed).toEqual([]);
  expect(await left(CARDS)).toEqual(NOTHING);
  expect(sorted(namespace.everything())).toEqual(sorted(whole));
});

test("down and up between two applies is put right by one", async () => {
  await apply(CARDS);
  const whole = namespace.everything();
  namespace.ip("link set ib1 down");
  namespace.ip("link set ib1 up");
  expect((await apply(CARDS)).failed).toEqual([]);
  expect(await left(CARDS)).toEqual(NOTHING);
  expect(sorted(namespace.everything())).toEqual(sorted(whole));
});

test("without a carrier what needs the address waits, and one apply makes it when the carrier is there", async () => {
  namespace.setCarrier("ib1", false);
  expect((await apply(CARDS)).failed).toEqual([]);
  const waiting = await left(CARDS);
  expect(waiting.steps).toEqual([]);
  expect(waiting.blocked).toContain("nexthop id 7001 via fd00:16::9 dev ib1: no-carrier");
  expect(namespace.ip("nexthop show id 7002")).toContain("group 7000 type resilient");
  namespace.setCarrier("ib1", true);
  await until(async () => (await left(CARDS)).blocked.length === 0);
  expect((await apply(CARDS)).failed).toEqual([]);
  expect(await left(CARDS)).toEqual(NOTHING);
  expect(namespace.ip("nexthop show id 7002")).toContain("group 7000/7001,2 type resilient");
});

test("an address that another host has is taken back, and the apply with it", async () => {
  namespace.ip("addr add fd00:16::2/64 dev far-ib1 nodad");
  const untouched = namespace.everything();
  const { failed, notUndone } = await apply(CARDS);
  expect(failed.map(({ step, error }) => `${describeStep(step)}: ${error?.code}`)).toEqual([
    "address fd00:16::2/64 dev ib1: EADDRINUSE",
  ]);
  expect(notUndone).toEqual([]);
  expect(namespace.everything()).toBe(untouched);
});

test("what was there before stays when ours goes, though ours led its subnet", async () => {
  namespace.ip("addr add 172.16.34.1/16 dev ib0");
  await apply(CARDS);
  namespace.ip("addr add 172.16.34.9/16 dev ib1");
  await apply("version: 1");
  const addresses = namespace.ip("-4 addr show");
  expect(addresses).toContain("172.16.34.1/16");
  expect(addresses).toMatch(/172\.16\.34\.9\/16 scope global ib1/);
  expect(addresses).not.toContain("172.16.34.2");
});

/** Lines in an order of their own: which of two equal routes comes first changes with a flap. */
function sorted(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => !/fe80|ff00|forever|qdisc/.test(line))
    .map((line) => line.replace(/ (linkdown|dead)\b/g, "").trim())
    .toSorted();
}

test("routes of ours stay when the last IPv4 address of their link goes", async () => {
  const routes =
    "static: { s: { routes: [{ to: 10.1.0.0/16, link: ib0 }, { to: 10.2.0.0/16, link: ib0, table: 9 }] } }";
  await apply(`version: 1\nlinks: { ib0: { addresses: [172.16.34.1/16] } }\n${routes}`);
  const rest = `version: 1\n${routes}`;
  expect((await apply(rest)).failed).toEqual([]);
  expect(namespace.ip("-4 addr show dev ib0")).toBe("");
  const shown = namespace.ip("route show table all");
  expect(shown).toContain("10.1.0.0/16 dev ib0 proto 72");
  expect(shown).toContain("10.2.0.0/16 dev ib0 table 9 proto 72");
  expect(await left(rest)).toEqual(NOTHING);
});

test("an address that gets another length keeps the sources of our routes, there and back", async () => {
  const file = (length: number, more = ""): string => `
version: 1
links: { ib0: { addresses: ["fd00:16::1/${length}"] } }
static:
  s:
    routes:
      - { to: "fd01::/32", link: ib0, source: "fd00:16::1", table: 9 }
      - { to: "fd02::/32", via: "fd00:16::9", link: ib0, source: "fd00:16::1" }
      ${more}
`;
  await apply(file(64));
  const sources = (): string[] => namespace.ip("-6 route show table all").match(/^fd0[12].* src fd00:16::1/gm) ?? [];
  expect(sources()).toHaveLength(2);
  const untouched = sorted(namespace.everything());
  // The kernel refuses the last route, and all is taken back.
  const refused = await apply(file(80, '- { to: "fd03::/32", via: "fd77::1", link: ib0 }'));
  expect(refused.failed).toHaveLength(1);
  expect(refused.notUndone).toEqual([]);
  expect(sorted(namespace.everything())).toEqual(untouched);
  expect((await apply(file(80))).failed).toEqual([]);
  expect(namespace.ip("-6 addr show dev ib0")).toContain("fd00:16::1/80");
  expect(sources()).toHaveLength(2);
  expect(await left(file(80))).toEqual(NOTHING);
});
