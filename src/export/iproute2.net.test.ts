// Owns the proof that an exported script makes what heddle makes, run by the shell, and takes it away again.
import { join } from "node:path";
import { expect, test } from "vitest";
import { ExportWorld, madeByHeddle, objectsOf, switchesOf } from "../../test/export-world.ts";

const LINKS = { ib0: ["172.16.34.1/16", "fd00:16::1/64"], ib1: ["172.16.34.2/16"], eth0: ["10.1.0.2/24"] };
const SWITCHES = ["rp_filter", "arp_ignore", "arp_announce"].flatMap((key) =>
  ["ib0", "ib1"].map((link) => `net/ipv4/conf/${link}/${key}`),
);
const FILE = `version: 1
links:
  eth0: { addresses: [10.7.0.1/24, 10.7.0.2/24, "fd00:7::1/64", "fd00:7::2/64"] }
multihome:
  ib: { links: [ib0, { name: ib1, gateway: 172.16.0.1 }] }
static:
  s:
    tables: { far: 950 }
    nexthops:
      a: { via: 172.16.0.8, link: ib0 }
      b: { via: 172.16.0.9, link: ib1 }
      six: { via: "fd00:16::9" }
      plain: { link: ib0, family: ipv6 }
      g: { group: { a: 1, b: 3 }, resilient: { buckets: 16, idle: 30 } }
      h: { group: { a: 2, b: 1 } }
      hole: { blackhole: true, family: ipv6 }
    neighbours:
      - { address: 172.16.0.8, link: ib0, lladdr: "02:00:00:00:00:08" }
      - { address: 172.16.0.9, link: ib1, lladdr: "02:00:00:00:00:09", state: noarp }
      - { address: "fd00:16::9", link: ib0, lladdr: "02:00:00:00:00:09", router: true }
      - { address: 172.16.0.77, link: ib1, proxy: true }
    routes:
      - { to: 10.2.0.0/16, nexthop: g, table: far }
      - { to: 10.3.0.0/16, nexthop: h, table: far }
      - { to: "fd01::/32", nexthop: six, source: "fd00:7::2" }
      - { to: "fd02::/32", nexthop: hole, table: far }
      - { to: "fd03::/32", nexthop: plain, table: far }
      - { to: default, type: unreachable, table: far, metric: 4000, family: both }
      - { to: 10.4.0.0/16, via: 192.0.2.1, link: ib0, onlink: true, table: far, tos: 8, source: 172.16.34.1 }
      - { to: 10.5.0.0/16, link: ib0, table: far, scope: 50, metric: 7 }
      - { to: 10.6.0.0/16, hops: [{ via: 172.16.0.8, weight: 2 }, { via: 10.1.0.1 }], table: far }
      - { to: 10.8.0.0/16, via: "fd00:16::9", link: ib0, table: far }
      - { to: "fd04::/32", via: "fd00:16::9", link: ib0, preference: high, metric: 5, from: "fd00:16::/64", table: far }
      - { to: 10.9.0.0/16, via: 10.1.0.1, table: far,
          metrics: { mtu: 1400, advmss: 1300, rtt: 80, rttvar: 40, rto_min: 200, window: 9000, initcwnd: 20, initrwnd: 30,
            hoplimit: 40, features: 1, quickack: 1, congctl: reno, reordering: 4, ssthresh: 5, cwnd: 6,
            fastopen_no_cookie: 1, lock: [mtu, rtt, rto_min] } }
      - { to: 203.0.113.7/32, type: local, link: eth0, table: 255 }
      - { to: 203.0.113.8/32, type: blackhole }
    rules:
      - { from: 10.1.0.2/32, to: 10.2.0.0/16, table: far, priority: 900 }
      - { not: true, from: 10.0.0.0/8, iif: ib1, mark: 0x10, mask: 0xf0, tos: 16, table: far, priority: 901 }
      - { uids: 0, protocol: tcp, dport: "80-90", sport: 1024, oif: eth0, table: far, priority: 902, family: both }
      - { mark: 0, priority: 903, action: prohibit, from: "fd00:9::/64" }
      - { mark: 7, priority: 904, goto: 950, family: ipv4 }
      - { to: 10.0.0.0/8, priority: 950, table: main, suppress_prefixlength: 8, suppress_ifgroup: 3 }
      - { priority: 951, action: nop, family: ipv4, from: 10.0.0.0/9 }
      - { priority: 952, action: blackhole, family: ipv4, from: 10.128.0.0/9 }
`;

test("the script makes what heddle makes; running it twice changes nothing; stop takes it away", async () => {
  const want = await madeByHeddle(FILE, LINKS, SWITCHES);
  await using world = await ExportWorld.open(FILE, LINKS);
  const { stage, namespace } = world;
  const [untouched, before] = [await objectsOf(namespace), namespace.everything()];
  const directory = world.exportAs("iproute2");
  expect(namespace.everything()).toBe(before);
  const script = join(directory, "usr/local/sbin/heddle-routes");
  stage.install(directory);

  expect(stage.run(script)).toEqual({ code: 0, out: "", err: "" });
  expect(await objectsOf(namespace)).toEqual(want.objects);
  expect(switchesOf(namespace, SWITCHES)).toEqual(want.switches);
  expect(want.switches).toContain("net/ipv4/conf/ib1/rp_filter = 2");
  const once = namespace.everything();
  expect(stage.run(script, "start")).toEqual({ code: 0, out: "", err: "" });
  expect(namespace.everything()).toBe(once);
  expect(stage.must("ip", "rule")).toContain("from 172.16.34.1 lookup heddle-ib-ib0 proto static");

  expect(stage.run(script, "stop")).toEqual({ code: 0, out: "", err: "" });
  expect(await objectsOf(namespace)).toEqual(untouched);
  expect(stage.run(script, "stop").code).toBe(0);
  expect(stage.run(script, "restart")).toMatchObject({ code: 64 });
});
