// Owns what is done inside a guest whose kernel has VRFs: explain and the kernel are asked about random packets in them. It
// says one line of JSON.
import { execFileSync } from "node:child_process";
import { release } from "node:os";
import { WISHES } from "../../src/explain/wishes.ts";
import type { Packet } from "../../src/explain/packet.ts";
import { openRouteSocket } from "../../src/host/netlink/client.ts";
import { takePicture } from "../../src/host/picture/read.ts";
import { compareOne } from "../explain-compare.ts";
import { Random } from "../random.ts";

const PACKETS = 600;
const seed = Number(process.env["HEDDLE_SEED"] ?? Date.now() % 1_000_000);
const random = new Random(seed);
const ip = (words: string): void => void execFileSync("ip", words.split(" "), { stdio: "inherit" });

ip("link set lo up");
for (const [name, table] of [
  ["red", 1001],
  ["blue", 1002],
]) {
  ip(`link add ${name} type vrf table ${table}`);
  ip(`link set ${name} up`);
  for (const family of ["-4", "-6"]) ip(`${family} route add unreachable default metric 4278198272 table ${table}`);
}
ip("addr add 10.99.0.1/32 dev red");
ip("addr add fd99::1/128 dev red nodad");
const LINKS = ["v0", "v1", "v2", "v3"];
for (const [k, link] of LINKS.entries()) {
  ip(`link add ${link} type veth peer name far${k}`);
  ip(`link set far${k} up`);
  const vrf = ["red", "red", "blue", undefined][k];
  if (vrf !== undefined) ip(`link set ${link} master ${vrf}`);
  ip(`link set ${link} up`);
  ip(`addr add 10.9.${k}.1/24 dev ${link}`);
  ip(`addr add fd00:${k}::1/64 dev ${link} nodad`);
}
const TABLES = [1001, 1002, 254, 100, 101];
for (const [i, table] of TABLES.entries()) {
  for (const [k, to] of ["default", "10.50.0.0/16", "10.60.0.0/16"].entries()) {
    const out = [[0, 1], [2], [3], [0, 1, 2, 3], [3, 0]][i] ?? [3];
    const by = out[k % out.length];
    const six = to === "default" ? to : to.replace(/10\.(\d+).*/, "2001:db8:$1::/48");
    ip(`route add ${to} via 10.9.${by}.9 dev v${by} table ${table}`);
    ip(`-6 route add ${six} via fd00:${by}::9 dev v${by} table ${table}`);
  }
}
ip("route add 10.70.0.0/16 table 1001 nexthop via 10.9.0.9 dev v0 nexthop via 10.9.1.9 dev v1");
const RULES = [
  "priority 500 fwmark 1 lookup 100",
  "priority 510 iif v0 fwmark 2 lookup 101",
  "priority 520 oif v1 fwmark 2 lookup 100",
  "priority 530 iif red fwmark 4 lookup 100",
  "priority 540 oif red fwmark 8 lookup 101",
];
for (const family of ["-4", "-6"]) for (const rule of RULES) ip(`${family} rule add ${rule}`);

const TO = {
  4: ["192.0.2.1", "10.50.1.1", "10.60.1.1", "10.70.0.5", "10.9.0.9", "10.9.2.9", "10.9.1.1", "10.99.0.1"],
  6: ["2a00::1", "2001:db8:50::1", "2001:db8:60::1", "fd00:0::9", "fd00:2::9", "fd00:1::1", "fd99::1"],
};
const OWN = {
  4: ["10.9.0.1", "10.9.1.1", "10.9.2.1", "10.9.3.1", "10.99.0.1"],
  6: ["fd00:0::1", "fd00:2::1", "fd99::1"],
};
const FAR = { 4: ["10.9.0.77", "10.9.2.77", "203.0.113.5"], 6: ["fd00:0::77", "2a00::77"] };

function packet(): Packet {
  const family = random.pick([4, 6] as const);
  const forwarded = random.chance(0.3);
  return {
    to: random.pick(TO[family]),
    mark: random.pick([0, 0, 1, 2, 4, 8]),
    uid: 0,
    ...(forwarded
      ? { iif: random.pick(LINKS), from: random.pick(FAR[family]) }
      : {
          ...(random.chance(0.4) ? { from: random.pick(OWN[family]) } : {}),
          ...(random.chance(0.7) ? { oif: random.pick(["red", "blue", ...LINKS]) } : {}),
        }),
  };
}

const socket = openRouteSocket();
const differences: string[] = [];
let [sent, inVrf] = [0, 0];
for (const forwarding of ["0", "1"]) {
  execFileSync("sysctl", ["-qw", `net.ipv4.ip_forward=${forwarding}`, `net.ipv6.conf.all.forwarding=${forwarding}`]);
  const picture = await takePicture({ root: "/nonexistent", wishes: WISHES });
  for (let i = 0; i < PACKETS / 2; i++) {
    const { way, difference } = await compareOne(socket, picture, packet());
    if (difference !== undefined) differences.push(difference);
    if (way.verdict.is === "sent") sent++;
    if (way.walk.end?.rule.l3mdev) inVrf++;
  }
}
socket.close();
const said = {
  kernel: release(),
  seed,
  packets: PACKETS,
  sent,
  inVrf,
  differences: differences.length,
  first: differences.slice(0, 2),
};
process.stdout.write(`${JSON.stringify(said)}\n`);
