// Owns the proof that addresses are read and written as the system's own parser does.
import { isIPv4, isIPv6 } from "node:net";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  canonicalAddress,
  formatAddress,
  networkOf,
  parseAddress,
  parsePrefix,
  prefixContains,
  shortPrefix,
} from "./ip.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const addressBytes = fc.oneof(
  bytes(4),
  bytes(16),
  // Runs of zeros are where the short forms are.
  fc
    .array(fc.constantFrom(0, 0, 0, 0xff, 0x1f, 1), { minLength: 16, maxLength: 16 })
    .map((list) => Uint8Array.from(list)),
);

describe("addresses", () => {
  test("what is written is read back", () => {
    fc.assert(
      fc.property(addressBytes, (raw) => {
        expect(parseAddress(formatAddress(raw))).toEqual(raw);
      }),
      {
        numRuns: 2000,
      },
    );
  });

  test("canonical texts are those of the URL standard, which follows RFC 5952", () => {
    fc.assert(
      fc.property(bytes(16), (raw) => {
        const text = formatAddress(raw);
        if (text.includes(".")) return;
        expect(`[${text}]`).toBe(new URL(`http://[${text}]/`).hostname);
      }),
    );
  });

  test("exactly what the system takes for an address is taken", () => {
    const piece = fc.constantFrom(
      "0",
      "1",
      "01",
      "255",
      "256",
      "a",
      "FFFF",
      "12345",
      ":",
      "::",
      ".",
      "%ib0",
      "/8",
      " ",
      "-1",
      "",
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
        (text) => {
          const system = isIPv4(text) || (isIPv6(text) && !text.includes("%"));
          expect(parseAddress(text) !== undefined, text).toBe(system);
        },
      ),
      { numRuns: 5000 },
    );
  });

  test.each([
    ["fd00:16:0:0:0:0:0:1", "fd00:16::1"],
    ["FE80::0001", "fe80::1"],
    ["::ffff:10.0.0.1", "::ffff:10.0.0.1"],
    ["::ffff:a00:1", "::ffff:10.0.0.1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
  ])("%s is written %s", (text, canonical) => expect(canonicalAddress(text)).toBe(canonical));

  test.each(["010.0.0.1", "10.1", "0x7f.1", "1.2.3.4.5", "1:2:3:4:5:6:7", "1::2::3", "fe80::1%ib0", "", "::1.2.3"])(
    "%s is refused",
    (text) => expect(canonicalAddress(text)).toBeUndefined(),
  );
});

describe("prefixes", () => {
  test.each([
    ["172.16.34.1/16", "172.16.0.0/16"],
    ["10.0.0.1/0", "0.0.0.0/0"],
    ["10.0.0.255/31", "10.0.0.254/31"],
    ["fd00:16::1/64", "fd00:16::/64"],
    ["fd00::1/128", "fd00::1/128"],
  ])("the network of %s is %s", (prefix, network) => expect(networkOf(prefix)).toBe(network));

  test.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "fd00::/129", "10.0.0.0/8/8", "/8", "10.0.0.0/-1"])(
    "%s is refused",
    (text) => expect(parsePrefix(text)).toBeUndefined(),
  );

  test("a prefix contains an address exactly when their networks are the same", () => {
    fc.assert(
      fc.property(bytes(4), bytes(4), fc.integer({ min: 0, max: 32 }), (a, b, length) => {
        const [outer, inner] = [formatAddress(a), formatAddress(b)];
        const same = networkOf(`${outer}/${length}`) === networkOf(`${inner}/${length}`);
        expect(prefixContains(`${outer}/${length}`, inner)).toBe(same);
      }),
    );
    expect(prefixContains("0.0.0.0/0", "fd00::1")).toBe(false);
    expect(prefixContains("10.0.0.0/8", "0.0.0.0/0")).toBe(false);
  });

  test("a whole address is written without its length", () => {
    expect(shortPrefix("10.0.0.1/32")).toBe("10.0.0.1");
    expect(shortPrefix("fd00::/64")).toBe("fd00::/64");
  });
});
