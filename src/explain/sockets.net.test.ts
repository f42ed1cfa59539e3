// Owns the proof that real sockets go where explain says: with marks, with a source, bound to a link, connected or not.
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestNamespace } from "../../test/namespace.ts";
import { takePicture } from "../host/picture/read.ts";
import type { HostPicture } from "../model/picture.ts";
import type { Packet } from "./packet.ts";
import { linksOf } from "./explanation.ts";
import { lastWay } from "./verdict.ts";
import { wayOf } from "./way.ts";
import { WISHES } from "./wishes.ts";

const LINKS = ["a0", "b0", "c0"];
/** SOL_SOCKET and SO_MARK, for socat's setsockopt. */
const SO_MARK = "1:36";

let namespace: TestNamespace;
let picture: HostPicture;

beforeAll(async () => {
  namespace = new TestNamespace();
  for (const [k, link] of LINKS.entries()) {
    namespace.addLink(link, [`10.${k}.0.1/24`, `fd00:${k}::1/64`]);
    namespace.ip(`neigh add 10.${k}.0.9 lladdr 02:00:00:00:00:09 dev ${link} nud permanent`);
    namespace.ip(`neigh add fd00:${k}::9 lladdr 02:00:00:00:00:09 dev ${link} nud permanent`);
  }
  for (const [family, net, gateway] of [
    ["-4", "10.50.0.0/16", "10.K.0.9"],
    ["-6", "2001:db8::/32", "fd00:K::9"],
  ] as const) {
    const via = (k: number): string => `via ${gateway.replace("K", String(k))} dev ${LINKS[k]}`;
    namespace.ip(`${family} route add ${net} ${via(0)}`);
    namespace.ip(`${family} route add ${net} ${via(1)} table 101`);
    namespace.ip(`${family} route add ${net} ${via(2)} table 102`);
    namespace.ip(`${family} rule add priority 10 fwmark 0x10/0xf0 lookup 101`);
    namespace.ip(`${family} rule add priority 20 fwmark 0x2 lookup 102`);
    namespace.ip(`${family} rule add priority 30 not fwmark 0/0x100 lookup 102`);
    namespace.ip(`${family} rule add priority 40 from ${family === "-4" ? "10.1.0.1" : "fd00:1::1"} lookup 101`);
  }
  // A socket that connects meets this rule only when it asks again.
  namespace.ip("route add 10.60.0.0/16 via 10.0.0.9 dev a0");
  namespace.ip("route add 10.60.0.0/16 via 10.2.0.9 dev c0 table 103");
  namespace.ip("rule add priority 50 from 10.0.0.1 to 10.60.0.0/16 lookup 103");
  namespace.run("nft", "add table inet seen; add chain inet seen out { type filter hook postrouting priority 300; };");
  for (const link of LINKS)
    namespace.run(
      "nft",
      `add counter inet seen ${link}; add rule inet seen out oifname ${link} udp dport 9 counter name ${link}`,
    );
  picture = await takePicture({ root: "/nonexistent", wishes: WISHES, namespace: namespace.fd });
});
afterAll(() => namespace[Symbol.dispose]());

/** The links by which datagrams to the port left since the last time. */
function leftBy(): string[] {
  const { nftables } = JSON.parse(namespace.run("nft", "-j", "reset", "counters", "table", "inet", "seen")) as {
    nftables: { counter?: { name: string; packets: number } }[];
  };
  return nftables.flatMap(({ counter }) => (counter && counter.packets > 0 ? [counter.name] : [])).sort();
}

/** Sends one datagram as the packet describes it. */
function send({ to, from, mark, oif }: Packet, connected: boolean): void {
  const [host, version] = to.includes(":") ? [`[${to}]`, 6] : [to, 4];
  const options = [
    ...(mark === undefined ? [] : [`setsockopt-int=${SO_MARK}:${mark}`]),
    ...(from === undefined ? [] : [`bind=${to.includes(":") ? `[${from}]` : from}`]),
    ...(oif === undefined ? [] : [`so-bindtodevice=${oif}`]),
  ];
  const kind = connected ? `UDP${version}` : `UDP${version}-SENDTO`;
  namespace.run("socat", "-u", "EXEC:echo x", [`${kind}:${host}:9`, ...options].join(","));
}

const marks = [0, 0x2, 0x10, 0x12, 0x1f, 0x20, 0x100, 0x102, 0xffffffff];
const packets: Packet[] = ["10.50.1.1", "2001:db8::1"].flatMap((to) => [
  ...marks.map((mark) => ({ to, mark })),
  { to },
  { to, from: to.includes(":") ? "fd00:1::1" : "10.1.0.1" },
  { to, oif: "c0" },
  { to, oif: "c0", mark: 0x10 },
  { to, oif: "a0" },
]);

test("a datagram leaves by the link that is said", () => {
  leftBy();
  const said = new Map<string, number>();
  for (const packet of packets) {
    const { verdict } = wayOf(picture, { ...packet, uid: 0, ipProtocol: 17, destinationPort: 9 });
    const links = linksOf(verdict);
    let refused = false;
    try {
      send(packet, false);
    } catch {
      refused = true;
    }
    expect(refused, JSON.stringify(packet)).toBe(verdict.is === "refused");
    expect(leftBy(), JSON.stringify(packet)).toEqual(links);
    for (const link of links) said.set(link, (said.get(link) ?? 0) + 1);
  }
  expect([...said.keys()].sort()).toEqual(LINKS);
});

test("a socket that connects asks again with its source, and one that does not, does not", () => {
  const way = wayOf(picture, { to: "10.60.1.1", uid: 0, ipProtocol: 17, destinationPort: 9 });
  leftBy();
  send(way.packet, false);
  expect(leftBy()).toEqual(["a0"]);
  expect(linksOf(way.verdict)).toEqual(["a0"]);
  send(way.packet, true);
  expect(leftBy()).toEqual(["c0"]);
  expect(way.again && linksOf(way.again.verdict)).toEqual(["c0"]);
  expect(linksOf(lastWay(wayOf(picture, { to: "10.60.1.1", uid: 0, ipProtocol: 6 })).verdict)).toEqual(["c0"]);
});
