// Proves the codec on the kernel's own bytes: written again they are the same, and tampered with they do no harm.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeAddress, encodeAddress } from "./address.ts";
import { AF, RTM } from "./constants.ts";
import { Encoder } from "./encoder.ts";
import { decodeLink, encodeLink } from "./link.ts";
import { decodeNeighbour, encodeNeighbour } from "./neighbour.ts";
import { decodeNexthop, encodeNexthop } from "./nexthop.ts";
import { eachAttribute, MalformedMessage, Packet } from "./packet.ts";
import { decodeRoute, encodeRoute } from "./route.ts";
import { decodeRule, encodeRule } from "./rule.ts";
import { holds } from "./testing/seeds.ts";
import { testNamespace, THREE_LINKS, type TestNamespace } from "./testing/test-namespace.ts";
import { openTransport } from "./transport.ts";

let namespace: TestNamespace;

beforeAll(() => {
  namespace = testNamespace([
    ...THREE_LINKS,
    "link add br0 type bridge",
    "link set w2 master br0",
    "link property add dev v0 altname another",
    "link set v1 alias words",
    "addr add 10.8.0.1 peer 10.8.0.2/24 dev v0",
    "addr add 10.9.0.5/24 dev v0 valid_lft 1000 preferred_lft 500 label v0:five metric 7",
    "addr add fd00:8::1 peer fd00:8::2/64 dev v1 nodad",
    "neigh add 10.9.0.78 lladdr 02:00:00:00:00:01 dev v0 protocol 72 nud permanent router",
    "neigh add fd00::78 lladdr 02:00:00:00:00:01 dev v0 nud permanent",
    "nexthop add id 30 blackhole proto 72",
    "nexthop add id 31 via 192.0.2.1 dev v2 onlink",
    "nexthop add id 32 group 10,200/11 type resilient buckets 32 idle_timer 7 unbalanced_timer 9",
    "route add 10.1.0.0/16 via 10.9.0.2 realms 3/4 mtu lock 1400 congctl cubic table 70000",
    "route add 10.2.0.0/16 nexthop via 10.9.0.2 weight 3 nexthop via inet6 fd00:1::2 dev v1 nexthop via 192.0.2.1 dev v2 onlink",
    "route add 10.3.0.0/16 nhid 12",
    "route add unreachable 10.4.0.0/16 tos 0x10 metric 9",
    "route add 2001:db8::/32 nexthop via fd00::2 weight 3 nexthop via fd00:1::2",
    "route add 2001:db8:1::/48 from 2001:db8:2::/48 via fd00::2 pref low expires 1000",
    "rule add pref 100 from 10.0.0.0/8 to 10.1.0.0/16 fwmark 3/7 iif v0 oif gone sport 5-9 tun_id 4 table 70000",
    "rule add pref 101 not from all uidrange 0-0 ipproto tcp table 100 suppress_prefixlength 3 suppress_ifgroup 4",
  ]);
});

afterAll(() => namespace.close());

/** The messages of a dump, each a packet of its own. */
async function messagesOf(type: number, headerLength: number, family: number): Promise<Packet[]> {
  const transport = openTransport({ namespace: namespace.fd });
  const encoder = new Encoder();
  const header = encoder.message(type + 2, 0x301, 1, headerLength);
  encoder.setU8(header, family);
  encoder.finish(header);
  const messages: Packet[] = [];
  await new Promise<void>((resolve, reject) => {
    transport.hold(true);
    transport.receiver = {
      trouble: (errno) => reject(new Error(`errno ${errno}`)),
      datagram(packet, at, end) {
        for (; at < end; at += (packet.view.getUint32(at, true) + 3) & ~3) {
          if (packet.view.getUint16(at + 4, true) === 3) return resolve();
          messages.push(new Packet(packet.copy(at, packet.view.getUint32(at, true))));
        }
      },
    };
    expect(transport.send(encoder.written())).toBeGreaterThan(0);
  });
  transport.close();
  return messages;
}

/** A message's family header and attributes, whatever their order. */
function contents(packet: Packet, headerLength: number, leftOut: readonly number[]): string[] {
  const parts = [packet.hex(16, headerLength)];
  eachAttribute(packet, 16 + headerLength, packet.bytes.length, (type, at, length) => {
    if (!leftOut.includes(type)) parts.push(`${type} ${packet.hex(at, length)}`);
  });
  return parts.toSorted();
}

interface Kind {
  name: string;
  type: number;
  headerLength: number;
  families: readonly number[];
  /** Attributes that say nothing: statistics of links, and that a rule suppresses nothing. */
  leftOut: readonly number[];
  decode: (packet: Packet, at: number, end: number) => unknown;
  rewrite: (packet: Packet) => Uint8Array;
}

function kind<T>(
  row: Pick<Kind, "name" | "type" | "headerLength" | "families"> & { leftOut?: readonly number[] },
  decode: (packet: Packet, at: number, end: number) => T | undefined,
  encode: (encoder: Encoder, type: number, flags: number, sequence: number, message: T) => void,
): Kind {
  return {
    leftOut: [],
    ...row,
    decode,
    rewrite(packet) {
      const encoder = new Encoder();
      encode(encoder, row.type, 2, 1, decode(packet, 16, packet.bytes.length) as T);
      return encoder.written();
    },
  };
}

const both = [AF[4], AF[6]];
const KINDS = [
  kind({ name: "links", type: RTM.link, headerLength: 16, families: [0], leftOut: [7, 23] }, decodeLink, encodeLink),
  kind({ name: "addresses", type: RTM.address, headerLength: 8, families: both }, decodeAddress, encodeAddress),
  kind({ name: "neighbours", type: RTM.neighbour, headerLength: 12, families: both }, decodeNeighbour, encodeNeighbour),
  kind({ name: "nexthops", type: RTM.nexthop, headerLength: 8, families: [0] }, decodeNexthop, encodeNexthop),
  kind({ name: "routes", type: RTM.route, headerLength: 12, families: both }, decodeRoute, encodeRoute),
  kind({ name: "rules", type: RTM.rule, headerLength: 12, families: both, leftOut: [14] }, decodeRule, encodeRule),
];

describe.each(KINDS)("the kernel's $name", ({ type, headerLength, families, leftOut, decode, rewrite }) => {
  it("are the same when they are written again", async () => {
    let count = 0;
    for (const family of families) {
      for (const packet of await messagesOf(type, headerLength, family)) {
        count++;
        const again = new Packet(rewrite(packet));
        expect(contents(again, headerLength, leftOut)).toEqual(contents(packet, headerLength, leftOut));
      }
    }
    expect(count).toBeGreaterThan(2);
  });

  it("do no harm when they have been tampered with", async () => {
    const messages = (await Promise.all(families.map((family) => messagesOf(type, headerLength, family)))).flat();
    const change = fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 4, 5, 0xff), fc.integer({ min: 0, max: 255 })));
    holds(
      fc.property(fc.nat(), fc.nat(), fc.array(change, { maxLength: 5 }), (which, cut, changes) => {
        const original = (messages[which % messages.length] as Packet).bytes;
        const bytes = original.slice(0, cut % 2 === 0 ? original.length : 16 + (cut % (original.length - 15)));
        for (const [at, value] of changes) bytes[16 + (at % Math.max(1, bytes.length - 16))] = value;
        try {
          decode(new Packet(bytes), 16, bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage);
        }
      }),
      1000,
    );
  });
});
