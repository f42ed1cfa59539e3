// Owns the proof that exported stanzas and hooks make what heddle makes, with the real ifup, and that ifdown takes it away.
import { expect, test } from "vitest";
import { ExportWorld, madeByHeddle, objectsOf, switchesOf } from "../../test/export-world.ts";

const LINKS = { ib0: ["172.16.34.1/16", "fd00:16::1/64"], ib1: ["172.16.34.2/16"] };
const BARE = { ib0: [], ib1: [] };
// As Debian has it: what others add is read first.
const SITE = {
  "/etc/network/interfaces": `source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

auto ib0
iface ib0 inet static
    address 172.16.34.1/16
iface ib0 inet6 static
    address fd00:16::1/64

auto ib1
iface ib1 inet static
    address 172.16.34.2/16
`,
};
const SWITCHES = ["ib0", "ib1"].map((link) => `net/ipv4/conf/${link}/arp_ignore`);
const FILE = `version: 1
links:
  ib1: { addresses: [10.7.0.1/24, 10.7.0.2/24, "fd00:7::1/64", "fd00:7::2/64"] }
multihome:
  ib: { links: [ib0, { name: ib1, gateway: 172.16.0.1 }] }
static:
  s:
    tables: { far: 950 }
    nexthops:
      a: { via: 172.16.0.8, link: ib0 }
      b: { via: 172.16.0.9, link: ib1 }
      g: { group: { a: 1, b: 3 } }
    neighbours:
      - { address: 172.16.0.8, link: ib0, lladdr: "02:00:00:00:00:08" }
    routes:
      - { to: 10.3.0.0/16, nexthop: g, table: far }
      - { to: default, type: unreachable, table: far, metric: 4000, family: both }
      - { to: 10.6.0.0/16, hops: [{ via: 172.16.0.8, weight: 2 }, { via: 10.7.0.9 }], table: far }
      - { to: "fd04::/32", via: "fd00:16::9", link: ib0, table: far }
      - { to: 10.9.0.0/16, via: 10.7.0.9, source: 10.7.0.2 }
      - { to: "fd09::/32", via: "fd00:7::9", source: "fd00:7::2" }
    rules:
      - { from: 172.16.34.9/32, table: far, priority: 900, mark: 9, family: ipv4 }
      - { from: "fd00:9::/64", table: far, priority: 903 }
`;

test("ifup makes what heddle makes, in whatever order stanzas are read, and again; ifdown takes it away", async () => {
  const want = await madeByHeddle(FILE, LINKS, SWITCHES);
  await using world = await ExportWorld.open(FILE, BARE, SITE);
  const { stage, namespace } = world;
  for (const [link, addresses] of Object.entries(LINKS)) for (const one of addresses) namespace.addAddress(link, one);
  stage.install(world.exportAs("ifupdown"));
  for (const link of Object.keys(LINKS)) {
    stage.must("ip", "addr", "flush", "dev", link, "scope", "global");
    stage.must("ip", "link", "set", link, "down");
  }
  const untouched = await objectsOf(namespace);
  stage.must("mkdir", "-p", "/run/network");

  const up = stage.run("ifup", "-a");
  expect(up, up.err).toMatchObject({ code: 0 });
  expect(await objectsOf(namespace)).toEqual(want.objects);
  expect(switchesOf(namespace, SWITCHES)).toEqual(want.switches);
  const again = stage.run("ifup", "--force", "ib0");
  expect(again, again.err).toMatchObject({ code: 0 });
  expect(await objectsOf(namespace)).toEqual(want.objects);

  const down = stage.run("ifdown", "-a");
  expect(down, down.err).toMatchObject({ code: 0 });
  expect(await objectsOf(namespace)).toEqual(untouched);
});
