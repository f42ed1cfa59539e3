// Owns the proof that exported files for netplan make what heddle makes: the real netplan writes networkd's files, and the
// real networkd takes them.
import { expect, test } from "vitest";
import { ExportWorld, madeByHeddle, settlesAs, switchesOf } from "../../test/export-world.ts";
import { complaints, startNetworkd } from "../../test/networkd.ts";

const LINKS = { ib0: ["172.16.34.1/16", "fd00:16::1/64"], ib1: ["172.16.34.2/16"] };
const BARE = { ib0: [], ib1: [] };
const SITE = {
  "/etc/netplan/50-site.yaml": `network:
  version: 2
  ethernets:
    ib0: { accept-ra: false, addresses: [172.16.34.1/16, "fd00:16::1/64"], routes: [{ to: 192.0.2.0/24, via: 172.16.0.5 }] }
    second: { match: { name: ib1 }, accept-ra: false, addresses: [172.16.34.2/16] }
`,
};
const SWITCHES = ["ib0", "ib1"].map((link) => `net/ipv4/conf/${link}/arp_ignore`);
const FILE = `version: 1
links:
  ib1: { addresses: [10.7.0.1/24, "fd00:7::1/64"] }
multihome:
  ib: { links: [ib0, { name: ib1, gateway: 172.16.0.1 }] }
static:
  s:
    tables: { far: 950 }
    nexthops:
      a: { via: 172.16.0.8, link: ib0 }
    routes:
      - { to: 10.3.0.0/16, nexthop: a, table: far }
      - { to: default, type: unreachable, table: far, metric: 4000, family: both }
      - { to: 10.4.0.0/16, via: 192.0.2.1, link: ib0, onlink: true, table: far, source: 172.16.34.1 }
      - { to: 10.6.0.0/16, hops: [{ via: 172.16.0.8, weight: 2 }, { via: 10.7.0.9 }], table: far }
      - { to: "fd04::/32", via: "fd00:16::9", link: ib0, metric: 5, table: far }
      - { to: default, via: "fd00:16::9", link: ib0, table: far }
      - { to: 10.9.0.0/16, via: 172.16.0.1, link: ib0, metrics: { mtu: 1400, initcwnd: 20, initrwnd: 30 } }
    rules:
      - { from: 172.16.34.9/32, to: 10.2.0.0/16, table: far, priority: 900, mark: 9, tos: 16 }
      - { mark: 0x10, mask: 0xf0, table: far, priority: 901, family: both }
      - { from: "fd00:9::/64", table: far, priority: 903 }
`;

test("with the site's own definitions it adds to them, and to networkd what netplan has no words for", async () => {
  const want = await madeByHeddle(FILE, LINKS, SWITCHES);
  await using world = await ExportWorld.open(FILE, LINKS, SITE);
  const directory = world.exportAs("netplan");
  world.stage.install(directory);
  for (const link of Object.keys(BARE)) world.stage.must("ip", "addr", "flush", "dev", link, "scope", "global");
  const generated = world.stage.run("netplan", "generate");
  expect(generated, generated.err).toMatchObject({ code: 0 });
  expect(world.stage.must("ls", "/run/systemd/network")).toBe("10-netplan-ib0.network\n10-netplan-second.network\n");
  world.stage.must("/usr/lib/systemd/systemd-sysctl");
  const networkd = await startNetworkd(world.stage);
  const site = "route 192.0.2.0/24 via 172.16.0.5 dev ib0 table main";
  await settlesAs(world, [...want.objects, site].toSorted(), networkd.said);
  expect(switchesOf(world.namespace, SWITCHES)).toEqual(want.switches);
  expect(complaints(networkd.said())).toEqual([]);
});

test("where netplan does not define the links, the export does", async () => {
  const want = await madeByHeddle(FILE, LINKS, SWITCHES);
  await using world = await ExportWorld.open(FILE, LINKS);
  world.stage.install(world.exportAs("netplan"));
  for (const link of Object.keys(BARE)) world.stage.must("ip", "addr", "flush", "dev", link, "scope", "global");
  world.stage.must("netplan", "generate");
  const networkd = await startNetworkd(world.stage);
  await settlesAs(world, want.objects, networkd.said);
});
