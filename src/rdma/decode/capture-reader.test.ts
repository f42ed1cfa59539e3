// Proves that captures of every format are read the same, in whatever pieces they come, and that broken ones are said
// to be, with the place.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holds } from "../../host/netlink/testing/seeds.ts";
import { readVectors, toHex } from "../codec/testing/vectors.ts";
import { LINK_TYPE, writeErf, writePcap, writePcapng } from "../codec/testing/write-capture.ts";
import { BrokenCapture } from "./captured-packet.ts";
import { CaptureReader } from "./capture-reader.ts";

interface Seen {
  linkLayer: string;
  time: string;
  wireBytes: number;
  bytes: string;
}

interface Reading {
  packets: Seen[];
  /** Where it is broken, and how. */
  broken?: [number, string];
}

/** Reads a file that comes in pieces of the given length. */
function read(file: Uint8Array, piece = file.length + 1): Reading {
  const reader = new CaptureReader();
  const packets: Seen[] = [];
  try {
    for (let at = 0; at < file.length; at += piece) {
      reader.push(file.slice(at, at + piece));
      while (reader.next()) {
        const { linkLayer, seconds, nanoseconds, wireBytes, bytes, from, to, number } = reader.packet;
        expect(number).toBe(packets.length + 1);
        expect(from).toBeLessThanOrEqual(to);
        expect(to).toBeLessThanOrEqual(bytes.length);
        packets.push({ linkLayer, time: `${seconds} ${nanoseconds}`, wireBytes, bytes: toHex(bytes.slice(from, to)) });
      }
    }
    reader.finish();
  } catch (error) {
    if (!(error instanceof BrokenCapture)) throw error;
    return { packets, broken: [reader.offset, error.message] };
  }
  return { packets };
}

const ETHERNET = readVectors()
  .filter(({ link }) => link === "ethernet")
  .map(({ bytes }) => bytes);
const INFINIBAND = readVectors()
  .filter(({ link }) => link === "infiniband")
  .map(({ bytes }) => bytes);
const bytesOf = ({ packets }: Reading): string[] => packets.map(({ bytes }) => bytes);

describe("the golden captures", () => {
  const file = (name: string): Uint8Array => readFileSync(join(import.meta.dirname, "../../../test/vectors", name));

  it.each([
    ["roce.pcap", "ethernet", ETHERNET],
    ["ib.erf", "infiniband", INFINIBAND],
    ["ib-erf197.pcap", "infiniband", INFINIBAND],
  ] as const)("%s holds the golden packets", (name, linkLayer, packets) => {
    const reading = read(file(name));
    expect(reading.broken).toBeUndefined();
    expect(bytesOf(reading)).toEqual(packets.map((bytes) => toHex(bytes)));
    expect(new Set(reading.packets.map((packet) => packet.linkLayer))).toEqual(new Set([linkLayer]));
  });
});

const FLAVOURS = [true, false].flatMap((littleEndian) =>
  [true, false].map((nanoseconds) => ({ littleEndian, nanoseconds })),
);

describe("a capture that tests write", () => {
  it.each(FLAVOURS)("in pcap with %j", (flavour) => {
    const reading = read(writePcap(ETHERNET, { linkType: LINK_TYPE.ethernet, ...flavour }));
    expect(reading.broken).toBeUndefined();
    expect(bytesOf(reading)).toEqual(ETHERNET.map((bytes) => toHex(bytes)));
    expect(reading.packets[3]?.time).toBe("1700000000 3000");
  });

  it("with a part of each packet tells how long they were", () => {
    const { packets } = read(writePcap(ETHERNET, { linkType: LINK_TYPE.ethernet, snap: 60 }));
    expect(packets[0]).toMatchObject({ wireBytes: 130, bytes: toHex((ETHERNET[0] as Uint8Array).slice(0, 60)) });
  });

  it("in pcapng of several interfaces, with times in nanoseconds and blocks that nobody knows", () => {
    const reading = read(writePcapng(INFINIBAND, LINK_TYPE.infiniband));
    expect(reading.broken).toBeUndefined();
    expect(bytesOf(reading)).toEqual(INFINIBAND.map((bytes) => toHex(bytes)));
    expect(reading.packets[0]).toMatchObject({ linkLayer: "infiniband", time: "1 500000000" });
  });

  it("in ERF with extension headers, of InfiniBand, Ethernet and what is neither", () => {
    const [packet] = INFINIBAND as [Uint8Array];
    const frame = Uint8Array.of(0, 0, ...(ETHERNET[0] as Uint8Array));
    const records = [writeErf(packet), writeErf(packet, 21, 3), writeErf(frame, 2), writeErf(packet, 5)];
    const reading = read(Uint8Array.from(records.flatMap((record) => [...record])));
    expect(reading.broken).toBeUndefined();
    expect(reading.packets.map(({ linkLayer }) => linkLayer)).toEqual([
      "infiniband",
      "infiniband",
      "ethernet",
      "unknown",
    ]);
    expect(reading.packets[0]).toMatchObject({ time: "1 500000000", bytes: toHex(packet) });
    expect(reading.packets[1]?.bytes).toBe(toHex(packet));
    expect(reading.packets[2]?.bytes.slice(0, 28)).toBe(toHex(frame.slice(2, 16)));
  });
});

const FILES = [
  writePcap(ETHERNET.slice(0, 3), { linkType: LINK_TYPE.ethernet }),
  writePcap(
    INFINIBAND.slice(0, 3).map((bytes) => writeErf(bytes)),
    { linkType: LINK_TYPE.erf, littleEndian: false },
  ),
  writePcapng(INFINIBAND.slice(0, 3), LINK_TYPE.infiniband),
  Uint8Array.from(INFINIBAND.slice(0, 3).flatMap((bytes) => [...writeErf(bytes)])),
];

describe("whatever the file", () => {
  it("comes out the same in pieces of any length", () => {
    holds(
      fc.property(fc.constantFrom(...FILES), fc.integer({ min: 1, max: 200 }), fc.nat(), (file, piece, cut) => {
        expect(read(file, piece)).toEqual(read(file));
        const part = file.slice(0, cut % file.length);
        expect(read(part, piece)).toEqual(read(part));
      }),
      100,
    );
  });

  it("is said to be cut off where it is, and nowhere else", () => {
    holds(
      fc.property(fc.constantFrom(...FILES), fc.nat(), (file, cut) => {
        const { packets, broken } = read(file.slice(0, cut % file.length));
        const whole = read(file).packets;
        expect(whole.slice(0, packets.length)).toEqual(packets);
        if (packets.length > 0 && broken) expect(broken[1]).toMatch(/^is cut off: the file ends \d+ bytes into it$/);
        if (packets.length === 3) expect(broken?.[0] ?? file.length).toBe(file.length);
      }),
      200,
    );
  });

  it("ends without a packet that leads beyond it, however it was tampered with", () => {
    const change = fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 0xff), fc.nat(255)));
    holds(
      fc.property(fc.constantFrom(...FILES), fc.array(change, { minLength: 1, maxLength: 6 }), (file, changes) => {
        const input = file.slice();
        for (const [at, value] of changes) input[(at % 3 === 0 ? at : at % 64) % input.length] = value;
        expect(read(input).packets.length).toBeLessThanOrEqual(200);
      }),
      1000,
    );
  });
});

describe("a file that is broken", () => {
  const changed = (file: Uint8Array, ...changes: [number, number][]): Uint8Array => {
    const input = file.slice();
    for (const [at, value] of changes) input[at] = value;
    return input;
  };
  const [pcap, , pcapng, erf] = FILES as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const second = 24 + 16 + (ETHERNET[0] as Uint8Array).length;

  it.each([
    ["no bytes", new Uint8Array(), 0, "is empty"],
    ["few bytes", pcap.slice(0, 10), 0, "is too short for a capture"],
    ["text", new TextEncoder().encode('{ "vectors": [ 1, 2, 3 ] }'), 0, "is neither pcap, pcapng nor ERF"],
    ["a packed file", changed(new Uint8Array(40), [0, 0x1f], [1, 0x8b]), 0, "is compressed; unpack it first (gunzip)"],
    ["a packet too long", changed(pcap, [second + 10, 0x10]), second, "says that 1048706 bytes of a packet follow"],
    ["a block too short", changed(pcapng, [7, 8]), 0, "says that it is 8 bytes long"],
    ["a block's other length", changed(pcapng, [27, 8]), 0, "ends with another length"],
    ["no byte order", changed(pcapng, [8, 0]), 0, "has no mark of its byte order"],
    [
      "an interface that is none",
      changed(pcapng, [28 + 2 * 32 + 28 + 11, 7]),
      120,
      "is of interface 7, which was not described",
    ],
    [
      "a packet longer than its block",
      changed(pcapng, [120 + 23, 0xc0]),
      120,
      "says that 192 bytes of a packet follow",
    ],
    ["a record of no type", changed(erf, [160 + 8, 0]), 160, "is no ERF record"],
  ] as const)("%s", (_, file, offset, message) => {
    expect(read(file).broken).toEqual([offset, message]);
  });
});
