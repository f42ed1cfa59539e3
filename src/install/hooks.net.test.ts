// Owns the proof that the hooks bring the routing back when a link comes up, run by the real managers.
import { expect, test } from "vitest";
import { startBus } from "../../test/bus.ts";
import { until } from "../../test/contract-steps.ts";
import { ExportWorld } from "../../test/export-world.ts";
import { startNetworkManager } from "../../test/network-manager.ts";
import { startNetworkd } from "../../test/networkd.ts";

const LINKS = { ib0: [], ib1: ["172.16.34.2/16"] };
const FILE = "version: 1\nmultihome: { ib: { links: [ib0, ib1] } }\n";
const RULE = "from 172.16.34.1 lookup heddle-ib-ib0 proto 72";

const hasRule = (world: ExportWorld): boolean => world.stage.must("ip", "rule").includes(RULE);
const hasRoute = (world: ExportWorld): boolean =>
  world.stage.run("ip", "route", "show", "table", "heddle-ib-ib0").out.includes("dev ib0 proto 72");

test("ifup", async () => {
  const stanza = "auto ib0\niface ib0 inet static\n  address 172.16.34.1/16\n";
  await using world = await ExportWorld.open(FILE, LINKS, { "/etc/network/interfaces": stanza });
  const { stage } = world;
  stage.must("mkdir", "-p", "/run/network");
  const { out, code } = world.heddle("install", "--one-shot");
  expect(code).toBe(0);
  expect(out).toContain("ib0: ifupdown");
  expect(out).toContain("+ /etc/network/if-up.d/heddle-apply");
  expect(out).not.toContain("NetworkManager");
  expect(hasRule(world)).toBe(false);
  expect(stage.run("ifup", "ib0").code).toBe(0);
  expect(hasRule(world)).toBe(true);
  stage.must("ifdown", "ib0");
  expect(hasRoute(world)).toBe(false);
  stage.must("ifup", "ib0");
  expect(hasRoute(world)).toBe(true);
  // A file that was edited since is not what was confirmed.
  stage.must("sh", "-c", "echo 'version: 9' >/etc/heddle/heddle.yaml");
  stage.must("ifdown", "ib0");
  stage.must("ifup", "ib0");
  expect(hasRoute(world)).toBe(true);
  // Whatever heddle says, the link is up.
  stage.must("rm", "-r", "/var/lib/heddle/confirmed");
  stage.must("ifdown", "ib0");
  const wrong = stage.run("ifup", "ib0");
  expect(wrong.code).toBe(0);
  expect(wrong.err).toContain("heddle: apply --boot ended with 1");
});

test("NetworkManager", async () => {
  const profile =
    "[connection]\nid=one\ntype=ethernet\ninterface-name=ib0\n[ipv4]\nmethod=manual\naddress1=172.16.34.1/16\n[ipv6]\nmethod=disabled\n";
  const files = { "/etc/NetworkManager/system-connections/one.nmconnection": profile };
  await using world = await ExportWorld.open(FILE, LINKS, files);
  const { stage } = world;
  await startNetworkManager(stage);
  const connected = (): boolean => /^ib0:connected/m.test(stage.run("nmcli", "-g", "DEVICE,STATE", "device").out);
  await until(async () => connected());
  const { out } = world.heddle("install", "--one-shot");
  expect(out).toContain("ib0: NetworkManager");
  expect(out).toContain("+ /etc/NetworkManager/dispatcher.d/50-heddle");
  // The bus would start it, where there is a systemd for that.
  stage.start("/usr/lib/NetworkManager/nm-dispatcher", ["--persist"]);
  const owned = () => stage.must("busctl", "list", "--no-legend");
  await until(async () => owned().includes("org.freedesktop.nm_dispatcher"));
  expect(hasRule(world)).toBe(false);
  stage.must("nmcli", "connection", "down", "one");
  stage.must("nmcli", "connection", "up", "one");
  await until(async () => hasRule(world) && hasRoute(world));
});

test("networkd-dispatcher", async () => {
  const network = "[Match]\nName=ib0\n[Network]\nIPv6AcceptRA=no\nAddress=172.16.34.1/16\n";
  await using world = await ExportWorld.open(FILE, LINKS, { "/etc/systemd/network/10-ib0.network": network });
  const { stage } = world;
  await startBus(stage);
  await startNetworkd(stage);
  const states = () => stage.run("sh", "-c", "cat /run/systemd/netif/links/*").out;
  await until(async () => /^ADMIN_STATE=configured$/m.test(states()));
  const { out, err } = world.heddle("install", "--one-shot");
  expect(out).toContain("ib0: systemd-networkd");
  expect(out).toContain("+ /etc/networkd-dispatcher/routable.d/50-heddle");
  expect(err).not.toContain("networkd-dispatcher, which does so, is not installed");
  expect(hasRule(world)).toBe(false);
  stage.start("networkd-dispatcher", ["--run-startup-triggers"]);
  await until(async () => hasRule(world) && hasRoute(world));
  // A flap of the administrator's takes the route, and networkd has the address back.
  stage.must("ip", "link", "set", "ib0", "down");
  expect(hasRoute(world)).toBe(false);
  stage.must("ip", "link", "set", "ib0", "up");
  await until(async () => hasRoute(world));
});
