// Proves that the codec says what it was told, and that no bytes make it read where it must not or never end.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeAddress, encodeAddress } from "./address.ts";
import { NESTED } from "./constants.ts";
import { Encoder } from "./encoder.ts";
import { decodeLink, encodeLink } from "./link.ts";
import { decodeNeighbour, encodeNeighbour } from "./neighbour.ts";
import { decodeBucket } from "./nexthop-bucket.ts";
import type { BucketMessage } from "./nexthop-bucket.ts";
import { decodeNexthop, encodeNexthop } from "./nexthop.ts";
import { MalformedMessage, Packet } from "./packet.ts";
import { decodeRoute, encodeRoute } from "./route.ts";
import { decodeRule, encodeRule } from "./rule.ts";
import * as arbitrary from "./testing/arbitrary-messages.ts";
import { holds } from "./testing/seeds.ts";

type Encode<T> = (encoder: Encoder, type: number, flags: number, sequence: number, message: T) => void;
type Decode<T> = (packet: Packet, at: number, end: number) => T | undefined;

interface Codec<T> {
  name: string;
  messages: fc.Arbitrary<T>;
  encode: Encode<T>;
  decode: Decode<T>;
}

/** Hides the type of the message, so that codecs of different messages stand in one list. */
function codec<T>({ name, messages, encode, decode }: Codec<T>) {
  const write = (message: T, type = 24) => {
    const encoder = new Encoder(16);
    encode(encoder, type, 0x401, 7, message);
    return encoder.written().slice();
  };
  return {
    name,
    read: decode,
    bytes: messages.map((message) => write(message)),
    /** Says that a message comes back as it went. */
    roundTrip: () =>
      holds(
        fc.property(messages, fc.integer({ min: 0, max: 5 }), (message, before) => {
          const bytes = write(message);
          const packet = new Packet(Uint8Array.from([...new Uint8Array(before), ...bytes, 0xff, 0xff, 0xff, 0xff]));
          const view = new DataView(bytes.buffer);
          expect(view.getUint32(0, true)).toBe(bytes.length);
          expect([view.getUint16(4, true), view.getUint16(6, true), view.getUint32(8, true)]).toEqual([24, 0x401, 7]);
          const back = decode(packet, before + 16, before + bytes.length);
          expect(back).toEqual(message);
          expect(write(back as T)).toEqual(bytes);
        }),
        400,
      ),
  };
}

/** The kernel alone says where a bucket leads: nobody but a test writes such a message. */
function encodeBucket(encoder: Encoder, type: number, flags: number, sequence: number, bucket: BucketMessage): void {
  const header = encoder.message(type, flags, sequence, 8);
  encoder.u32(1, bucket.group);
  const nest = new DataView(new ArrayBuffer(16));
  for (const [at, length, kind] of [
    [0, 6, 1],
    [8, 8, 3],
  ] as const) {
    nest.setUint16(at, length, true);
    nest.setUint16(at + 2, kind, true);
  }
  nest.setUint16(4, bucket.index, true);
  nest.setUint32(12, bucket.nexthop, true);
  encoder.raw(13 | NESTED, new Uint8Array(nest.buffer));
  encoder.finish(header);
}

const id = fc.integer({ min: 1, max: 0xffffffff });
const bucket = fc.record({ group: id, index: fc.integer({ min: 0, max: 0xffff }), nexthop: id });

const CODECS = [
  codec({ name: "routes", messages: arbitrary.route, encode: encodeRoute, decode: decodeRoute }),
  codec({ name: "rules", messages: arbitrary.rule, encode: encodeRule, decode: decodeRule }),
  codec({ name: "addresses", messages: arbitrary.linkAddress, encode: encodeAddress, decode: decodeAddress }),
  codec({ name: "neighbours", messages: arbitrary.neighbour, encode: encodeNeighbour, decode: decodeNeighbour }),
  codec({ name: "nexthops", messages: arbitrary.nexthop, encode: encodeNexthop, decode: decodeNexthop }),
  codec({ name: "buckets", messages: bucket, encode: encodeBucket, decode: decodeBucket }),
  codec({ name: "links", messages: arbitrary.link, encode: encodeLink, decode: decodeLink }),
];

/** Bytes to which the view is narrowed end exactly where the message does: a read beyond them throws RangeError. */
function decodeAtEdge(decode: Decode<unknown>, bytes: Uint8Array): void {
  const edge = new Uint8Array(new ArrayBuffer(bytes.length));
  edge.set(bytes);
  try {
    decode(new Packet(edge), Math.min(16, edge.length), edge.length);
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedMessage);
  }
}

describe.each(CODECS)("$name", ({ read, bytes, roundTrip }) => {
  it("come back as they went, to the byte", roundTrip);

  it("survive any bytes", () => {
    const any = fc.uint8Array({ maxLength: 120 });
    const framed = fc.tuple(fc.constantFrom(0, 2, 10), fc.uint8Array({ minLength: 15, maxLength: 120 }));
    holds(
      fc.property(
        fc.oneof(
          any,
          framed.map(([family, rest]) => [...new Uint8Array(16), family, ...rest]),
        ),
        (input) => {
          decodeAtEdge(read, Uint8Array.from(input));
        },
      ),
      1500,
    );
  });

  it("survive bytes that have been tampered with", () => {
    const change = fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 4, 0xff), fc.integer({ min: 0, max: 255 })));
    const tampered = fc.tuple(bytes, fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat());
    holds(
      fc.property(tampered, ([original, changes, cut]) => {
        const input = original.slice(0, cut % 3 === 0 ? cut % (original.length + 1) : original.length);
        for (const [at, value] of changes) if (input.length > 0) input[at % input.length] = value;
        decodeAtEdge(read, input);
      }),
      1500,
    );
  });
});

describe("values that no field can hold", () => {
  const route = {
    family: 4,
    table: 1,
    to: "10.0.0.0/8",
    tos: 0,
    protocol: 72,
    scope: 0,
    type: "unicast",
    flags: 0,
  } as const;
  const encode = (change: object) => () => encodeRoute(new Encoder(), 24, 0, 1, { ...route, ...change });

  it.each([
    { table: 4294967296 },
    { table: -1 },
    { table: 1.5 },
    { priority: NaN },
    { tos: 256 },
    { scope: 1.5 },
    { encapType: 65_536 },
    { sport: -1 },
    { to: "10.0.0.0/33" },
    { to: "10.0.0.0/" },
    { to: "fe80::/10" },
    { to: "10.0.0/8" },
    { gateway: "10.0.0.256" },
    { source: "::1" },
    { hops: [{ oif: 1, weight: 0, flags: 0 }] },
    { hops: [{ oif: 1, weight: 257, flags: 0 }] },
    { metrics: { lock: ["speed"] } },
    { metrics: { congctl: "a\0b" } },
    { encap: new Uint8Array(70_000) },
  ])("%j is refused", (change) => {
    expect(encode(change)).toThrow(RangeError);
  });

  it("a table above 255 stands in the attribute and as 252 in the header", () => {
    const encoder = new Encoder();
    encodeRoute(encoder, 24, 0, 1, { ...route, table: 70_000 });
    expect(encoder.written()[20]).toBe(252);
  });
});

describe("other families", () => {
  it("are told apart from what cannot be read", () => {
    const packet = new Packet(Uint8Array.from([28, ...new Uint8Array(15)]));
    expect(decodeRoute(packet, 0, 12)).toBeUndefined();
    expect(decodeRule(packet, 0, 12)).toBeUndefined();
    expect(decodeAddress(packet, 0, 8)).toBeUndefined();
    expect(decodeNeighbour(packet, 0, 12)).toBeUndefined();
    expect(decodeLink(packet, 0, 16)).toBeUndefined();
  });
});
