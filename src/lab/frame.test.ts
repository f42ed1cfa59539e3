import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeFrame } from "./frame.ts";
import { HexDump } from "./hex-dump.ts";
import { packetDrops, packetQueue } from "./packet-socket.ts";

// Recorded by socat 1.7.4.4 on a bridge port: ARP, ICMP, neighbour discovery, TCP.
const dump = `> 2026/11/21 23:46:51.000572160  length=42 from=0 to=41
 ff ff ff ff ff ff 02 68 00 00 00 01 08 06 00 01 08 00 06 04 00 01 02 68 00 00 00 01 0a 00 00 01 00 00 00 00 00 00 0a 00 00 02
> 2026/11/21 23:46:51.000573279  length=42 from=42 to=83
 02 68 00 00 00 01 02 6e cf 0d 65 ab 08 06 00 01 08 00 06 04 00 02 02 6e cf 0d 65 ab 0a 00 00 02 02 68 00 00 00 01 0a 00 00 01
> 2026/11/21 23:46:51.000573329  length=98 from=84 to=181
 02 6e cf 0d 65 ab 02 68 00 00 00 01 08 00 45 00 00 54 40 1c 40 00 40 01 e6 8a 0a 00 00 01 0a 00 00 02 08 00 2a d1 03 09 00 01 6b 2d 02 6b 00 00 00 00 95 b9 08 00 00 00 00 00 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f 20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f 30 31 32 33 34 35 36 37
2026/11/21 23:46:51 socat[1] N a message
> 2026/11/21 23:46:51.000882154  length=86 from=280 to=365
 33 33 ff 00 00 02 02 68 00 00 00 01 86 dd 60 00 00 00 00 20 3a ff fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 02 87 00 7d 2f 00 00 00 00 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 01 01 02 68 00 00 00 01
> 2026/11/21 23:46:51.000882270  length=86 from=366 to=451
 02 68 00 00 00 01 02 6e cf 0d 65 ab 86 dd 60 00 00 00 00 20 3a ff fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 88 00 e7 74 60 00 00 00 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 02 01 02 6e cf 0d 65 ab
> 2026/11/21 23:46:51.000882351  length=94 from=452 to=545
 02 6e cf 0d 65 ab 02 68 00 00 00 01 86 dd 60 0b c1 42 00 28 06 40 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 4e 21 24 b9 82 03 3e 92 00 00 00 00 a0 02 fd 20 fa 32 00 00 02 04 05 a0 04 02 08 0a 66 83 cd a3 00 00 00 00 01 03 03 0a
`;

test("recorded frames are read as what they were", () => {
  const frames = new HexDump().push(dump).map(decodeFrame);
  const one = "02:68:00:00:00:01";
  const two = "02:6e:cf:0d:65:ab";
  expect(frames).toEqual([
    {
      kind: "arp-request",
      sourceMac: one,
      destinationMac: "ff:ff:ff:ff:ff:ff",
      sender: "10.0.0.1",
      target: "10.0.0.2",
    },
    { kind: "arp-reply", sourceMac: two, destinationMac: one, sender: "10.0.0.2", target: "10.0.0.1" },
    {
      kind: "echo-request",
      sourceMac: one,
      destinationMac: two,
      source: "10.0.0.1",
      destination: "10.0.0.2",
      id: 777,
      sequence: 1,
    },
    {
      kind: "neighbour-solicitation",
      sourceMac: one,
      destinationMac: "33:33:ff:00:00:02",
      source: "fd00::1",
      destination: "ff02::1:ff00:2",
      target: "fd00::2",
    },
    {
      kind: "neighbour-advertisement",
      sourceMac: two,
      destinationMac: one,
      source: "fd00::2",
      destination: "fd00::1",
      target: "fd00::2",
    },
    {
      kind: "tcp",
      sourceMac: one,
      destinationMac: two,
      source: "fd00::1",
      destination: "fd00::2",
      sourcePort: 20001,
      destinationPort: 9401,
      flags: 2,
    },
  ]);
});

test("the dump is the same in any pieces", () => {
  const whole = new HexDump().push(dump);
  fc.assert(
    fc.property(fc.array(fc.nat(dump.length), { maxLength: 20 }), (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), dump.length];
      const reader = new HexDump();
      const pieces = places.slice(1).flatMap((end, index) => reader.push(dump.slice(places[index], end)));
      expect(pieces).toEqual(whole);
    }),
  );
});

test("a frame that is cut or made up is read without complaint", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(0x0806, 0x0800, 0x86dd), (bytes, type) => {
      if (bytes.length >= 14) bytes.set([type >> 8, type & 0xff], 12);
      const frame = decodeFrame(bytes);
      expect(frame === undefined).toBe(bytes.length < 14);
    }),
  );
  for (const bytes of new HexDump().push(dump)) {
    for (let length = 14; length < 34; length++) expect(decodeFrame(bytes.subarray(0, length))?.kind).toBe("other");
  }
});

test("the queue of a packet socket is found by its inode, once it is bound", () => {
  const table = [
    "sk               RefCnt Type Proto  Iface R Rmem   User   Inode",
    "0000000058e6aa52 3      3    0003   3     1 768    0      10805 ",
    "0000000058e6aa53 3      3    0003   0     0 0      0      10806 ",
    "",
  ].join("\n");
  expect(packetQueue(table, new Set([1, 10805]))).toBe(768);
  expect(packetQueue(table, new Set([10806]))).toBeUndefined();
  expect(packetQueue(table, new Set())).toBeUndefined();
});

test("losses are read for each socket", () => {
  const text = [
    "p_raw 0       0      *:h0-0 * ino:495698 sk:cd",
    "\tver:0 cpy_thresh:0 flags( running ) skmem:(r0,rb8388608,t0,tb212992,f0,w0,o0,bl0,d0)",
    "p_raw 8389056 0      *:h0-1 * ino:495701 sk:ce",
    "\tver:0 cpy_thresh:0 flags( running ) skmem:(r8389056,rb8388608,t0,tb212992,f0,w0,o0,bl0,d25917)",
  ].join("\n");
  expect([...packetDrops(text)]).toEqual([
    [495698, 0],
    [495701, 25917],
  ]);
});
