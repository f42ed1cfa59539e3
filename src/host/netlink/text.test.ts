// Proves that the fast texts are the house's texts.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../model/ip.ts";
import { holds } from "./testing/seeds.ts";
import { formatBytes, formatHex, parseHex } from "./text.ts";

const octet = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constant(0), fc.constant(0xff));
const sixteen = fc
  .array(fc.oneof(fc.tuple(octet, octet), fc.constant([0, 0])), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flat()));
const four = fc.uint8Array({ minLength: 4, maxLength: 4 });

describe("texts of addresses", () => {
  it("are those of model/ip.ts, wherever the bytes lie", () => {
    holds(
      fc.property(fc.oneof(four, sixteen), fc.integer({ min: 0, max: 9 }), (bytes, at) => {
        const around = new Uint8Array(bytes.length + 20).fill(0xaa);
        around.set(bytes, at);
        expect(formatBytes(around, at, bytes.length)).toBe(formatAddress(bytes));
      }),
      5000,
    );
  });

  it.each(["::", "::1", "1::", "::ffff:1.2.3.4", "1:0:0:2::", "2001:db8:0:1:1:1:1:1", "1::2:0:0:3:0", "ff02::16"])(
    "%s stays what it is",
    (text) => {
      expect(formatBytes(parseAddress(text) as Uint8Array, 0, 16)).toBe(text);
    },
  );
});

describe("hardware addresses", () => {
  it("come back as they went", () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 32 }), (bytes) => {
        expect(parseHex(formatHex(bytes, 0, bytes.length))).toEqual(bytes);
      }),
      300,
    );
  });

  it.each(["0", "00:", "0:1", "AA:bb", "00-11", "zz"])("%s is none", (text) => {
    expect(() => parseHex(text)).toThrow(RangeError);
  });
});
