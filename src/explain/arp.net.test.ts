// Owns the proof that the links answer ARP that are said to: questions from the wire, under random switches and rules.
import { afterEach, beforeEach, expect, test } from "vitest";
import { TestNamespace } from "../../test/namespace.ts";
import { Random } from "../../test/random.ts";
import { sysctl } from "../host/native.ts";
import { takePicture } from "../host/picture/read.ts";
import { parseAddress } from "../model/ip.ts";
import { answerers } from "./arp.ts";
import type { Answerer } from "./arp.ts";
import { WISHES } from "./wishes.ts";

const LINKS = ["ib0", "ib1"];
const ADDRESSES = ["172.16.34.1", "172.16.34.2", "172.16.34.3", "10.99.0.1", "172.17.0.1"];
const ASKERS = ["172.16.0.7", "172.17.0.7"];

let namespace: TestNamespace;

beforeEach(() => {
  namespace = new TestNamespace();
  namespace.addLink("ib0", ["172.16.34.1/16", "172.17.0.1/24"]);
  namespace.addLink("ib1", ["172.16.34.2/16"]);
  namespace.ip("addr add 172.16.34.3/32 dev lo scope host");
  namespace.ip("addr add 10.99.0.1/32 dev lo");
  namespace.run("nft", "add table arp seen; add chain arp seen in { type filter hook input priority 0; };");
  namespace.run("nft", "add chain arp seen out { type filter hook output priority 0; };");
  for (const link of LINKS) {
    for (const [chain, word, operation] of [
      ["in", "iifname", "request"],
      ["out", "oifname", "reply"],
    ] as const) {
      const name = `${chain}-${link}`;
      namespace.run(
        "nft",
        `add counter arp seen ${name}; add rule arp seen ${chain} ${word} ${link} arp operation ${operation} counter name ${name}`,
      );
    }
  }
});
afterEach(() => namespace[Symbol.dispose]());

/** What was counted since the last time. */
function counted(): Map<string, number> {
  const { nftables } = JSON.parse(namespace.run("nft", "-j", "reset", "counters", "table", "arp", "seen")) as {
    nftables: { counter?: { name: string; packets: number } }[];
  };
  return new Map(nftables.flatMap(({ counter }) => (counter ? [[counter.name, counter.packets] as const] : [])));
}

/** An ARP request as it comes from the wire (RFC 826). */
function request(asker: string, target: string): Buffer {
  const sender = [0x02, 0, 0, 0, 0, 0x77];
  const bytes = (text: string): number[] => [...(parseAddress(text) ?? [])];
  const arp = [0, 1, 8, 0, 6, 4, 0, 1, ...sender, ...bytes(asker), 0, 0, 0, 0, 0, 0, ...bytes(target)];
  return Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ...sender, 8, 6, ...arp]);
}

/** Whether the link answers the question, once it has heard it. */
async function answers(link: string, asker: string, target: string): Promise<boolean> {
  counted();
  namespace.runWith(request(asker, target), "socat", "-u", "STDIN", `INTERFACE:far-${link}`);
  const total = new Map<string, number>();
  const add = (): number => {
    for (const [name, packets] of counted()) total.set(name, (total.get(name) ?? 0) + packets);
    return total.get(`in-${link}`) ?? 0;
  };
  await expect.poll(add, { timeout: 20_000 }).toBe(1);
  add();
  return (total.get(`out-${link}`) ?? 0) > 0;
}

const SETUPS = 12;

test.each([72, Date.now() % 1_000_000])(
  "a link answers when it is said to (seed %s)",
  async (seed) => {
    const random = new Random(seed);
    const reasons = new Map<Answerer["why"], number>();
    for (let i = 0; i < SETUPS; i++) {
      sysctl(
        namespace.fd,
        LINKS.flatMap((link) =>
          Object.entries({
            arp_ignore: random.pick([0, 0, 0, 1, 2, 3, 8]),
            arp_filter: random.pick([0, 1]),
            rp_filter: random.pick([0, 0, 0, 1, 2]),
          }).map(([name, value]) => ({ path: `net/ipv4/conf/${link}/${name}`, value: String(value) })),
        ),
      );
      if (i === SETUPS / 2) {
        namespace.ip("rule add priority 10 from 172.16.34.2 lookup 101");
        namespace.ip("route add 172.16.0.0/16 dev ib1 table 101");
      }
      const picture = await takePicture({ root: "/nonexistent", wishes: WISHES, namespace: namespace.fd });
      for (let n = 0; n < 4; n++) {
        const [asker, target] = [random.pick(ASKERS), random.pick(ADDRESSES)];
        for (const { link, answers: said, why } of answerers(picture, target, asker)) {
          expect({ link, answers: await answers(link, asker, target) }, `${asker} asks for ${target}: ${why}`).toEqual({
            link,
            answers: said,
          });
          reasons.set(why, (reasons.get(why) ?? 0) + 1);
        }
      }
    }
    // Whatever the seed, the common ones are among them.
    expect([...reasons.keys()]).toEqual(expect.arrayContaining(["any", "ignore", "own"]));
    if (seed === 72) expect([...reasons.keys()].sort()).toEqual(["any", "filter", "ignore", "input", "own"]);
  },
  90_000,
);
