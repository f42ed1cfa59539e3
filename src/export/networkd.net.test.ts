// Owns the proof that exported files for networkd make what heddle makes, with the real systemd-networkd.
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../../test/contract-steps.ts";
import { ExportWorld, madeByHeddle, settlesAs, switchesOf } from "../../test/export-world.ts";
import { complaints, startNetworkd } from "../../test/networkd.ts";

const LINKS = { ib0: ["172.16.34.1/16", "fd00:16::1/64"], ib1: ["172.16.34.2/16"] };
const BARE = { ib0: [], ib1: [] };
const SITE = {
  "/etc/systemd/network/10-ib0.network":
    "[Match]\nName=ib0\n[Network]\nIPv6AcceptRA=no\nAddress=172.16.34.1/16\nAddress=fd00:16::1/64\n",
  "/etc/systemd/network/20-ib1.network": "[Match]\nName=ib1\n[Network]\nIPv6AcceptRA=no\nAddress=172.16.34.2/16\n",
};
const SWITCHES = ["ib0", "ib1"].map((link) => `net/ipv4/conf/${link}/arp_ignore`);
const FILE = `version: 1
links:
  ib1: { addresses: [10.7.0.1/24, 10.7.0.2/24, "fd00:7::1/64"] }
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
      h: { group: { a: 2, b: 1 } }
      hole: { blackhole: true, family: ipv6 }
    neighbours:
      - { address: 172.16.0.8, link: ib0, lladdr: "02:00:00:00:00:08" }
    routes:
      - { to: 10.3.0.0/16, nexthop: h, table: far }
      - { to: "fd01::/32", nexthop: six }
      - { to: "fd02::/32", nexthop: hole, table: far }
      - { to: default, type: unreachable, table: far, metric: 4000, family: both }
      - { to: 10.4.0.0/16, via: 192.0.2.1, link: ib0, onlink: true, table: far, source: 172.16.34.1 }
      - { to: 10.5.0.0/16, link: ib0, table: far, scope: host, metric: 7 }
      - { to: 10.6.0.0/16, hops: [{ via: 172.16.0.8, weight: 2 }, { via: 10.7.0.9 }], table: far }
      - { to: 10.8.0.0/16, via: "fd00:16::9", link: ib0, table: far }
      - { to: "fd04::/32", via: "fd00:16::9", link: ib0, preference: high, metric: 5, table: far }
      - { to: 10.9.0.0/16, via: 172.16.0.1, link: ib0, table: far,
          metrics: { mtu: 1400, advmss: 1300, initcwnd: 20, initrwnd: 30, quickack: 1, congctl: reno, fastopen_no_cookie: 1 } }
      - { to: 203.0.113.8/32, type: blackhole }
    rules:
      - { from: 172.16.34.9/32, to: 10.2.0.0/16, table: far, priority: 900 }
      - { not: true, from: 10.0.0.0/8, iif: ib1, mark: 0x10, mask: 0xf0, tos: 16, table: far, priority: 901 }
      - { uids: 0, protocol: tcp, dport: "80-90", sport: 1024, oif: ib1, table: far, priority: 902, family: both }
      - { mark: 3, priority: 903, action: prohibit, from: "fd00:9::/64" }
      - { to: 10.0.0.0/8, priority: 950, table: main, suppress_prefixlength: 8, suppress_ifgroup: 3 }
      - { priority: 952, action: blackhole, family: ipv4, from: 10.128.0.0/9 }
`;

test("drop-ins of the site's own files make what heddle makes", async () => {
  const want = await madeByHeddle(FILE, LINKS, SWITCHES);
  await using world = await ExportWorld.open(FILE, BARE, SITE);
  const site = await startNetworkd(world.stage);
  const addresses = (): string => world.stage.must("ip", "addr");
  await until(async () => /172\.16\.34\.1\/16[^]*fd00:16::1[^]*172\.16\.34\.2/.test(addresses()));
  const directory = world.exportAs("networkd");
  await site.stop();
  // networkd 252 can trip over an address that is there before it (it asks again and again until it is refused).
  for (const link of Object.keys(BARE)) world.stage.must("ip", "addr", "flush", "dev", link, "scope", "global");
  world.stage.install(directory);
  expect(world.stage.must("ls", join(directory, "etc/systemd/network"))).toBe("10-ib0.network.d\n20-ib1.network.d\n");

  world.stage.must("/usr/lib/systemd/systemd-sysctl");
  const networkd = await startNetworkd(world.stage);
  await settlesAs(world, want.objects, networkd.said);
  expect(switchesOf(world.namespace, SWITCHES)).toEqual(want.switches);
  expect(complaints(networkd.said())).toEqual([]);
});

test("whole files, where networkd has none, state the addresses and make what heddle makes", async () => {
  const want = await madeByHeddle(FILE, LINKS, SWITCHES);
  // The links have their addresses from somebody else when the export is made, and none when networkd begins.
  await using world = await ExportWorld.open(FILE, LINKS);
  const directory = world.exportAs("networkd");
  world.stage.install(directory);
  for (const link of ["ib0", "ib1"]) world.stage.must("ip", "addr", "flush", "dev", link, "scope", "global");
  const networkd = await startNetworkd(world.stage);
  await settlesAs(world, want.objects, networkd.said);
  expect(complaints(networkd.said())).toEqual([]);
});

test("links that share a .network file are refused: what is for one would be for each", async () => {
  const both = { "/etc/systemd/network/10-ib.network": "[Match]\nName=ib*\n[Network]\nIPv6AcceptRA=no\n" };
  await using world = await ExportWorld.open(FILE, LINKS, both);
  await startNetworkd(world.stage);
  const configured = (): string => world.stage.run("grep", "-rl", "10-ib.network", "/run/systemd/netif/links").out;
  await until(async () => configured().trim().split("\n").length === 2);
  const { code, err } = world.heddle("export", "--as", "networkd");
  expect(code).toBe(1);
  expect(err).toContain("ib0 shares its .network file with ib1");
});
