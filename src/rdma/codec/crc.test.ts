// Proves the CRCs against published values, and that a difference is carried over bytes as the bytes themselves would.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holds } from "../../host/netlink/testing/seeds.ts";
import { CRC16, CRC32, crcByte, crcBytes, shiftCrc32 } from "./crc.ts";

const CHECK = new TextEncoder().encode("123456789");

describe("a CRC", () => {
  it("of the customary text is as published: CRC-32/ISO-HDLC, and 0x100B from bit by bit", () => {
    expect(~crcBytes(CRC32, -1, CHECK, 0, 9) >>> 0).toBe(0xcbf43926);
    let register = 0xffff;
    // Most significant bit first, as the polynomial is written, over bits that come least significant first.
    for (const byte of CHECK) {
      for (let bit = 0; bit < 8; bit++) {
        const top = ((register >> 15) ^ (byte >> bit)) & 1;
        register = ((register << 1) & 0xffff) ^ (top ? 0x100b : 0);
      }
    }
    const reflected = Number.parseInt(register.toString(2).padStart(16, "0").split("").toReversed().join(""), 2);
    expect(crcBytes(CRC16, 0xffff, CHECK, 0, 9)).toBe(reflected);
  });

  it("comes out the same in steps of eight and byte by byte, wherever it is cut", () => {
    holds(
      fc.property(
        fc.uint8Array({ maxLength: 100 }),
        fc.nat(100),
        fc.constantFrom(CRC32, CRC16),
        (bytes, cut, tables) => {
          const middle = Math.min(cut, bytes.length);
          const initial = tables === CRC32 ? -1 : 0xffff;
          const whole = crcBytes(tables, initial, bytes, 0, bytes.length);
          const half = crcBytes(tables, initial, bytes, 0, middle);
          expect(crcBytes(tables, half, bytes, middle, bytes.length)).toBe(whole);
          expect(bytes.reduce((register, byte) => crcByte(tables, register, byte), initial)).toBe(whole);
        },
      ),
      300,
    );
  });
});

describe("a shifted difference", () => {
  it("is what the same bytes make of it, for every length", () => {
    const bytes = new Uint8Array(65_535).map((_, i) => (i * 31) ^ (i >> 5));
    const lengths = fc.oneof(fc.nat(65_535), fc.constantFrom(0, 1, 255, 256, 257, 511, 512, 4096, 65_280, 65_535));
    holds(
      fc.property(fc.integer(), fc.integer(), lengths, (a, b, length) => {
        const far = crcBytes(CRC32, a, bytes, 0, length) ^ crcBytes(CRC32, b, bytes, 0, length);
        expect(shiftCrc32(a ^ b, length)).toBe(far);
      }),
      150,
    );
  });

  it.each([-1, 65_536])("over %i bytes is a bug", (length) => {
    expect(() => shiftCrc32(1, length)).toThrow(RangeError);
  });
});
