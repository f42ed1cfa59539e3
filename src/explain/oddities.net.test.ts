// Owns the proof of what the kernel does that nobody would guess, each with a set-up that random ones rarely hit.
import { release } from "node:os";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareOne } from "../../test/explain-compare.ts";
import { TestNamespace } from "../../test/namespace.ts";
import { openRouteSocket } from "../host/netlink/client.ts";
import type { RouteSocket } from "../host/netlink/client.ts";
import { takePicture } from "../host/picture/read.ts";
import { linksOf } from "./explanation.ts";
import { withoutLink } from "./if-down.ts";
import type { Packet } from "./packet.ts";
import { sayLast, sayWay } from "./say.ts";
import type { Way } from "./verdict.ts";
import { wayOf } from "./way.ts";
import { WISHES } from "./wishes.ts";

let namespace: TestNamespace;
let socket: RouteSocket;

beforeEach(() => {
  namespace = new TestNamespace();
  socket = openRouteSocket({ namespace: namespace.fd });
});
afterEach(() => {
  socket.close();
  namespace[Symbol.dispose]();
});

/** The ways of the packets, each of them the kernel's. */
async function ways(...packets: Packet[]): Promise<Way[]> {
  const picture = await takePicture({ root: "/nonexistent", wishes: WISHES, namespace: namespace.fd });
  const found: Way[] = [];
  for (const packet of packets) {
    const { way, difference } = await compareOne(socket, picture, packet);
    expect(difference).toBeUndefined();
    found.push(way);
  }
  return found;
}

const said = async (...packets: Packet[]): Promise<string[]> => (await ways(...packets)).map(sayWay);

test("a prefix is given up with all that begins at its address, when a nexthop object leads nowhere", async () => {
  for (const [k, link] of ["a0", "b0"].entries()) namespace.addLink(link, [`172.16.${k}.1/24`]);
  namespace.ip("nexthop add id 7 via 172.16.0.9 dev a0");
  namespace.ip("route add 10.0.0.0/24 nhid 7");
  namespace.ip("route add 10.0.0.0/8 via 172.16.1.8 dev b0");
  namespace.ip("route add default via 172.16.1.9 dev b0");
  // Without the object, or from another address, the shorter prefix would be found.
  expect(await said({ to: "10.0.0.5", oif: "b0" }, { to: "10.0.1.5", oif: "b0" })).toEqual([
    "leaves by b0 via 172.16.1.9, source 172.16.1.1",
    "leaves by b0 via 172.16.1.8, source 172.16.1.1",
  ]);
});

describe("IPv6 source routes", () => {
  beforeEach(() => {
    for (const [k, link] of ["a0", "b0"].entries()) namespace.addLink(link, [`fd00:${k}::1/64`]);
  });

  test("hide the route for every source to the same prefix, but not the default route", async () => {
    for (const to of ["default", "2001:db8:1::/48"]) {
      namespace.ip(`-6 route add ${to} via fd00:0::9 dev a0`);
      namespace.ip(`-6 route add ${to} from fd00:1::/64 via fd00:1::9 dev b0`);
    }
    expect(
      await said(
        { to: "2001:db8:1::5", from: "fd00:1::1" },
        { to: "2001:db8:1::5", from: "fd00:0::1" },
        { to: "2a00::5", from: "fd00:0::1" },
        { to: "2a00::5", from: "fd00:1::1" },
      ),
    ).toEqual([
      "leaves by b0 via fd00:1::9",
      "leaves by a0 via fd00::9",
      "leaves by a0 via fd00::9",
      "leaves by b0 via fd00:1::9",
    ]);
    namespace.ip("-6 route del default via fd00:0::9 dev a0");
    expect(await said({ to: "2001:db8:1::5", from: "fd00:0::1" })).toEqual(["goes nowhere: no rule leads to a route"]);
  });
});

test("among equal IPv6 routes the one by the link that is wished for goes first, and by where it came in", async () => {
  for (const [k, link] of ["a0", "b0", "c0"].entries()) namespace.addLink(link, [`fd00:${k}::1/64`]);
  namespace.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1");
  for (const link of ["a0", "b0", "c0"]) namespace.ip(`-6 route append 2001:db8::/32 dev ${link} metric 5`);
  namespace.ip("-6 route add 2001:db8:1::/48 dev a0 metric 5 pref low");
  namespace.ip("-6 route append 2001:db8:1::/48 dev b0 metric 5 pref high");
  const to = "2001:db8:9::1";
  expect(
    await said(
      { to },
      { to, from: "fd00:0::1", oif: "c0" },
      { to, from: "2a00::1", iif: "b0" },
      { to: "2001:db8:1::1" },
      { to: "2001:db8:1::1", from: "2a00::1", iif: "a0" },
    ),
  ).toEqual([
    "leaves by a0, source fd00::1",
    "leaves by c0",
    "leaves by b0",
    "leaves by b0, source fd00:1::1",
    "leaves by b0",
  ]);
});

test("IPv6 sources are chosen by RFC 6724 as the kernel has it", async () => {
  namespace.addLink("a0", [
    "2001:db8:5::1/64",
    "2001:db8:6::1/48",
    "fd00:5::1/64",
    "fe80::5/64",
    "2002:c000:201::1/64",
  ]);
  namespace.addLink("b0", ["2001:db8:7::1/64", "2a00:1::1/64", "fec0::1/64"]);
  namespace.ip("addr add 2001:db8:5::2/64 dev a0 nodad preferred_lft 0");
  namespace.ip("-6 route add default via fe80::9 dev a0");
  namespace.ip("-6 route add 2001:db8:77::/48 dev b0");
  const to = [
    "2001:db8:5::9",
    "2001:db8:6:9::1",
    "2001:db8:7::77",
    "2001:db8:77::1",
    "2001:db8:5::2",
    "2a00:1::9",
    "2a00:2::9",
    "fd00:5::77",
    "fd77::1",
    "2002:1::1",
    "fec0:1::1",
    "fe80::9",
    "::ffff:10.0.0.1",
    "2001:10::1",
    "2001:0:1::1",
    "::1",
  ];
  const found = await ways(
    ...to.map((address) => ({ to: address })),
    { to: "ff05::1", oif: "b0" },
    { to: "ff02::1", oif: "a0" },
  );
  const sources = new Set(found.map((way) => sayWay(way).replace(/.*source /, "")));
  expect(sources.size).toBeGreaterThan(7);
});

test("a link without an address hears only those to whom the way back is by itself", async () => {
  namespace.addLink("a0", ["10.1.0.1/24"]);
  namespace.addLink("b0", []);
  namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.b0.rp_filter=2");
  namespace.ip("route add 10.9.0.0/24 dev b0");
  const [known, other] = await ways(
    { to: "10.1.0.1", from: "10.9.0.7", iif: "b0" },
    { to: "10.1.0.1", from: "10.1.0.7", iif: "b0" },
  );
  expect([known?.reverse?.why, other?.reverse?.why]).toEqual(["same-link", "unnumbered"]);
  expect(other?.verdict).toEqual({ is: "refused", why: "reverse-path" });
});

test("since 6.16 the hop whose own source the packet has goes before the others", async () => {
  for (const [k, link] of ["a0", "b0"].entries()) namespace.addLink(link, [`10.${k}.0.1/24`]);
  namespace.ip("route add 10.50.0.0/16 nexthop via 10.0.0.9 dev a0 nexthop via 10.1.0.9 dev b0");
  const packets = Array.from({ length: 30 }, (_, i) => ({
    to: `10.50.0.${i + 1}`,
    from: "10.1.0.1",
    ipProtocol: 17,
    sourcePort: 1000 + i,
    destinationPort: 9,
  }));
  const found = await ways(...packets);
  const [major = 0, minor = 0] = release().split(".").map(Number);
  const prefers = major > 6 || (major === 6 && minor >= 16);
  const expected = prefers
    ? "leaves by b0 via 10.1.0.9"
    : "leaves by a0 via 10.0.0.9 (50 %) or by b0 via 10.1.0.9 (50 %), as its hash says";
  expect(new Set(found.map(sayLast))).toEqual(new Set([expected]));
});

test("while no rule was ever added, a longer prefix of main goes before one of local", async () => {
  namespace.addLink("a0", ["10.1.0.1/24"]);
  namespace.ip("route add unreachable 127.0.0.5/32");
  const [merged] = await ways({ to: "127.0.0.5" });
  expect(merged?.walk.steps[0]?.outcome.is).toBe("longer-in-main");
  namespace.ip("rule add priority 5 lookup 77");
  expect(await said({ to: "127.0.0.5" })).toEqual(["is for this host, source 127.0.0.1"]);
});

test("the buckets of a resilient group decide, and not the weights of its members", async () => {
  for (const [k, link] of ["a0", "b0", "c0"].entries()) namespace.addLink(link, [`10.${k}.0.1/24`, `fd00:${k}::1/64`]);
  const group = (family: number, words: string): string => `id ${family}9 group ${words} type resilient`;
  for (const family of [4, 6]) {
    for (const [k, link] of ["a0", "b0", "c0"].entries()) {
      const via = family === 4 ? `10.${k}.0.9` : `fd00:${k}::9`;
      namespace.ip(`nexthop add id ${family}${k} via ${via} dev ${link}`);
    }
    namespace.ip(`nexthop add ${group(family, `${family}0,1/${family}1,3`)} buckets 8 idle_timer 600`);
  }
  namespace.ip("route add 10.50.0.0/16 nhid 49");
  namespace.ip("-6 route add 2001:db8::/32 nhid 69");
  // A bucket that is in use does not move before it was idle for ten minutes, not even to a new member. These use all.
  for (let i = 1; i <= 150; i++) {
    await ways({ to: `10.50.0.${i}`, from: "10.0.0.1" }, { to: `2001:db8::${i}`, from: "fd00:0::1" });
  }
  for (const family of [4, 6]) {
    namespace.ip(`nexthop replace ${group(family, `${family}0,3/${family}1,1/${family}2,4`)} idle_timer 600`);
  }
  const both = await ways({ to: "10.50.0.1", from: "10.0.0.1" }, { to: "2001:db8::1", from: "fd00:0::1" });
  expect(both.map(sayWay)).toEqual([
    "leaves by a0 via 10.0.0.9 (25 %) or by b0 via 10.1.0.9 (75 %), as the bucket of its hash says",
    "leaves by a0 via fd00::9 (25 %) or by b0 via fd00:1::9 (75 %), as the bucket of its hash says",
  ]);
  // The kernel says the same of each bucket.
  const told = JSON.parse(namespace.ip("-j nexthop bucket show")) as { id: number; bucket: { nhid: number } }[];
  const counts = Map.groupBy(told, ({ bucket }) => bucket.nhid);
  expect([...counts].map(([id, all]) => [id, all.length]).sort(([a = 0], [b = 0]) => a - b)).toEqual([
    [40, 2],
    [41, 6],
    [60, 2],
    [61, 6],
  ]);
  // What leads by a link that is lost moves at once.
  const picture = await takePicture({ root: "/nonexistent", wishes: WISHES, namespace: namespace.fd });
  namespace.ip("link set b0 down");
  const [then] = await ways({ to: "10.50.0.1", from: "10.0.0.1" });
  const thought = wayOf(withoutLink(picture, "b0", "down"), { to: "10.50.0.1", from: "10.0.0.1" });
  const links = (way: Way | undefined): string[] => (way ? linksOf(way.verdict) : []);
  expect(links(thought)).toEqual(links(then));
});
