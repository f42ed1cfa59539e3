// Proves what is taken from the packets of IPv6 neighbours, and what is not believed.
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseAddress } from "../model/ip.ts";
import { FLAG, makeAdvertisement, makeClaim, readNd, solicitedNodeOf } from "./nd.ts";

const ADDRESS = "2001:db8::10";
const ip = parseAddress(ADDRESS) as Uint8Array;
const ETHERNET = { hardware: 1, own: Uint8Array.of(2, 0, 0, 0, 0, 7), broadcast: new Uint8Array(6).fill(255) };
const BROADCAST = Uint8Array.from("00ffffffff12401b8001000000000000ffffffff".match(/../g) ?? [], (byte) =>
  Number.parseInt(byte, 16),
);
const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6);

function bytesOf(packet: { bytes: Uint8Array } | undefined): Uint8Array {
  if (!packet) throw new Error("no packet");
  return packet.bytes;
}

/** A question as hosts ask it: who has 2001:db8::77, from 2001:db8::10. */
const QUESTION = Uint8Array.from(
  (
    "6000000000203aff20010db8000000000000000000000010ff0200000000000000000001ff000077" +
    "8700000000000000" +
    "20010db8000000000000000000000077" +
    "0101020000000007"
  ).match(/../g) ?? [],
  (byte) => Number.parseInt(byte, 16),
);

/** With the checksum that belongs there, reckoned apart from the code. */
function summed(packet: Uint8Array): Uint8Array {
  const bytes = packet.slice();
  bytes.fill(0, 42, 44);
  const words = [bytes.length - 40, 58];
  for (let i = 8; i < bytes.length; i += 2) words.push((bytes[i] as number) * 256 + (bytes[i + 1] ?? 0));
  const sum = words.reduce((all, word) => (all + word) % 65_535, 0);
  const field = sum === 0 ? 0 : 65_535 - sum;
  bytes.set([field >> 8, field & 255], 42);
  return bytes;
}

test("a question tells who is there, and whom it wants", () => {
  expect(readNd(summed(QUESTION))).toEqual({
    present: ADDRESS,
    wanted: "2001:db8::77",
    hardware: ETHERNET.own,
  });
});

test("a claim tells of an address that nobody has yet, with its nonce", () => {
  const claim = makeClaim(ETHERNET, ip, NONCE);
  expect(readNd(bytesOf(claim))).toEqual({ claimed: ADDRESS, nonce: NONCE });
  expect([...(claim?.to ?? [])]).toEqual([0x33, 0x33, 0xff, 0, 0, 0x10]);
  expect(readNd(bytesOf(makeClaim(ETHERNET, ip)))).toEqual({ claimed: ADDRESS });
});

test("an advertisement tells of its address, with the flags that were asked for", () => {
  const bytes = bytesOf(makeAdvertisement(ETHERNET, ip, FLAG.override));
  expect(readNd(bytes)).toEqual({ present: ADDRESS, hardware: ETHERNET.own });
  expect([bytes[44], bytes[64], bytes[65]]).toEqual([0x20, 2, 1]);
});

test("on InfiniBand a group has the partition's key in its hardware address", () => {
  const link = { hardware: 32, own: new Uint8Array(20).fill(9), broadcast: BROADCAST };
  expect([...(makeClaim(link, ip)?.to ?? [])].map((byte) => byte.toString(16).padStart(2, "0")).join("")).toBe(
    "00ffffffff12601b8001000000000001ff000010",
  );
});

test("the group of an address keeps its last three bytes", () => {
  expect([...solicitedNodeOf(parseAddress("2001:db8::ab:cdef") as Uint8Array)]).toEqual([
    0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xab, 0xcd, 0xef,
  ]);
});

test.each([
  ["was passed on by a router", 7, 254, false],
  ["is another protocol's", 6, 17, false],
  ["is IPv4", 0, 0x45, false],
  ["is damaged", 60, 1, false],
  ["says that it is shorter than any", 5, 8, false],
  ["says that it is longer than it is", 5, 200, false],
  ["is another message", 40, 133, true],
  ["has a code", 41, 1, true],
  ["asks for a group", 48, 0xff, true],
])("what %s says nothing", (_, at, value, isSummed) => {
  const bytes = summed(QUESTION);
  bytes[at] = value;
  expect(readNd(isSummed ? summed(bytes) : bytes)).toBeUndefined();
});

test("whatever bytes come, nothing throws, and a packet that is cut off says nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(200), (noise, cut) => {
      readNd(noise);
      const bytes = bytesOf(makeClaim(ETHERNET, ip, NONCE));
      const damaged = bytes.slice();
      damaged.set(noise.subarray(0, Math.max(damaged.length - 64, 0)), 64);
      readNd(summed(damaged));
      expect(readNd(bytes.subarray(0, Math.min(cut, bytes.length - 1)))).toBeUndefined();
    }),
  );
});
