// Owns the proof of whom the kernel takes a packet for when a chain of the type "route" makes it look for the way again: over
// IPv4 for root's, whoever sent it, over IPv6 for its sender's. Rules of nftables that ask for users are in it too.
import { expect, test } from "vitest";
import { TestNamespace } from "../../../test/namespace.ts";
import { parseChains } from "../../host/picture/chains.ts";
import { takePicture } from "../../host/picture/read.ts";
import { linksOf } from "../explanation.ts";
import { WISHES } from "../wishes.ts";
import { passOf } from "./passage.ts";

const LINKS = ["a0", "b0"];
const RULES = `table inet t {
  counter a0 { }
  counter b0 { }
  chain out {
    type route hook output priority -150;
    udp dport 7 meta mark set 7
    udp dport 8 meta mark set 8
    udp dport 9 meta skuid 1000 meta skgid 1001 meta mark set 9
  }
  chain seen {
    type filter hook postrouting priority 300;
    oifname a0 udp dport 7-9 counter name a0
    oifname b0 udp dport 7-9 counter name b0
  }
}`;

test("users count as the kernel has it when a way is looked for again", async () => {
  using namespace = new TestNamespace();
  for (const [k, link] of LINKS.entries()) {
    namespace.addLink(link, [`10.${k}.0.1/24`, `fd00:${k}::1/64`]);
    for (const gateway of [`10.${k}.0.9`, `fd00:${k}::9`]) {
      namespace.ip(`neigh add ${gateway} lladdr 02:00:00:00:00:09 dev ${link} nud permanent`);
    }
  }
  for (const [family, near, far] of [
    ["-4", "10.0.0.9", "10.1.0.9"],
    ["-6", "fd00::9", "fd00:1::9"],
  ] as const) {
    namespace.ip(`${family} route add default via ${near} dev a0`);
    namespace.ip(`${family} route add default via ${far} dev b0 table 100`);
    namespace.ip(`${family} rule add priority 10 fwmark 7 uidrange 1000-1000 lookup 100`);
    namespace.ip(`${family} rule add priority 11 fwmark 8 uidrange 0-0 lookup 100`);
    namespace.ip(`${family} rule add priority 12 fwmark 9 lookup 100`);
  }
  namespace.run("nft", RULES);
  const seen = parseChains(namespace.run("nft", "-j", "list", "ruleset"));
  const taken = await takePicture({ root: "/nonexistent", wishes: WISHES, namespace: namespace.fd });
  const picture = { ...taken, ruleset: ("ruleset" in seen && seen.ruleset) || [] };

  const left = (): string[] => {
    const { nftables } = JSON.parse(namespace.run("nft", "-j", "reset", "counters", "table", "inet", "t")) as {
      nftables: { counter?: { name: string; packets: number } }[];
    };
    return nftables.flatMap(({ counter }) => (counter && counter.packets > 0 ? [counter.name] : []));
  };
  const found: string[] = [];
  for (const to of ["192.0.2.1", "2001:db8::1"]) {
    for (const [uid, gid] of [
      [0, 0],
      [1000, 1001],
      [1000, 1000],
    ] as const) {
      for (const destinationPort of [7, 8, 9]) {
        left();
        const socket = to.includes(":") ? `UDP6-SENDTO:[${to}]` : `UDP4-SENDTO:${to}`;
        const who = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
        namespace.run("setpriv", ...who, "socat", "-u", "EXEC:echo x", `${socket}:${destinationPort}`);
        const { way } = passOf(picture, { to, uid, gid, ipProtocol: 17, destinationPort });
        const links = linksOf(way.verdict);
        expect(left(), JSON.stringify({ to, uid, gid, destinationPort })).toEqual(links);
        found.push(...links);
      }
    }
  }
  // Both ways are taken, and IPv4 differs from IPv6.
  expect(found.slice(0, 9).join()).not.toBe(found.slice(9).join());
  expect(new Set(found).size).toBe(2);
});
