// Owns the proof that exported profiles make what heddle makes, with the real NetworkManager on a bus of its own.
import { expect, test } from "vitest";
import { ExportWorld, madeByHeddle, settlesAs, switchesOf } from "../../test/export-world.ts";
import { startNetworkManager } from "../../test/network-manager.ts";

const LINKS = { ib0: ["172.16.34.1/16", "fd00:16::1/64"], ib1: ["172.16.34.2/16"] };
const SWITCHES = ["ib0", "ib1"].map((link) => `net/ipv4/conf/${link}/arp_ignore`);
const FILE = `version: 1
links:
  ib1: { addresses: [10.7.0.1/24, "fd00:7::1/64"] }
multihome:
  ib: { links: [ib0, { name: ib1, gateway: 172.16.0.1 }] }
static:
  s:
    tables: { far: 950 }
    routes:
      - { to: default, type: unreachable, table: far, metric: 4000, family: both }
      - { to: 10.4.0.0/16, via: 192.0.2.1, link: ib0, onlink: true, table: far, tos: 8, source: 172.16.34.1 }
      - { to: 10.5.0.0/16, link: ib0, table: far, metric: 7 }
      - { to: "fd04::/32", via: "fd00:16::9", link: ib0, metric: 5, table: far }
      - { to: "fd05::/32", via: "fd00:16::9", link: ib0, from: "fd00:16::/64" }
      - { to: default, via: "fd00:16::9", link: ib0, table: far }
      - { to: 10.9.0.0/16, via: 172.16.0.1, link: ib0, metrics: { mtu: 1400, initcwnd: 20, initrwnd: 30, window: 9000, cwnd: 5, lock: [mtu] } }
      - { to: 203.0.113.8/32, type: blackhole }
      - { to: 203.0.113.9/32, type: prohibit, table: far }
      - { to: 203.0.113.10/32, type: throw, table: far }
      - { to: 203.0.113.11/32, type: local, link: ib0, table: far }
    rules:
      - { from: 172.16.34.9/32, to: 10.2.0.0/16, table: far, priority: 900, mark: 9, tos: 16 }
      - { not: true, from: 10.0.0.0/8, mark: 0x10, mask: 0xf0, iif: ib1, table: far, priority: 8001 }
      - { uids: 0, protocol: tcp, dport: "80-90", sport: 1024, oif: ib1, table: far, priority: 902, family: both }
      - { from: "fd00:9::/64", action: prohibit, priority: 903 }
      - { from: 10.128.0.0/9, action: blackhole, priority: 904 }
      - { from: 10.64.0.0/10, action: unreachable, priority: 905, mark: 0 }
`;

test("profiles make what heddle makes", async () => {
  const want = await madeByHeddle(FILE, LINKS, SWITCHES);
  await using world = await ExportWorld.open(FILE, LINKS);
  world.stage.install(world.exportAs("networkmanager"));
  for (const link of Object.keys(LINKS)) world.stage.must("ip", "addr", "flush", "dev", link, "scope", "global");
  world.stage.must("/usr/lib/systemd/systemd-sysctl");
  const manager = await startNetworkManager(world.stage);
  // The one thing that differs: NetworkManager chooses the scope, and of routes that go nowhere it is "link".
  const objects = want.objects.map((line) =>
    line.replace(/^(route (?:blackhole|unreachable|prohibit|throw) (?!.*IPv6).* table \w+)/, "$1 scope link"),
  );
  await settlesAs(world, objects, manager.said);
  expect(switchesOf(world.namespace, SWITCHES)).toEqual(want.switches);
  const states = world.stage.must("nmcli", "-g", "DEVICE,STATE,CONNECTION", "device");
  expect(states).toMatch(/^ib0:connected:heddle-ib0$/m);
  expect(manager.said()).toContain("<info>");
  expect(manager.said()).not.toMatch(/<warn>.*(route|rule|keyfile)/);
});

test("what profiles cannot say is refused with its line", async () => {
  const file = `version: 1
static:
  s:
    nexthops: { a: { via: 172.16.0.8, link: ib0 } }
    routes: [{ to: 10.6.0.0/16, hops: [{ via: 172.16.0.8 }, { via: 172.16.0.9, link: ib1 }] }]
`;
  await using world = await ExportWorld.open(file, LINKS);
  const { code, err, out } = world.heddle("export", "--as", "networkmanager");
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain("NetworkManager cannot have this: nexthop id 7000");
  expect(err).toContain("heddle.yaml:4:");
  expect(err).toContain("heddle.yaml:5:");
});
