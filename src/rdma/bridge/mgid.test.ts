// Proves MGIDs against those that the kernel makes.
import { describe, expect, test } from "vitest";
import { formatAddress, parseAddress } from "../../model/ip.ts";
import { groupMac, makeMgid } from "./mgid.ts";
import type { MgidParts } from "./mgid.ts";

const mgid = (format: MgidParts["format"], group: string, more: Partial<MgidParts> = {}): string =>
  formatAddress(makeMgid({ format, group: parseAddress(group) as Uint8Array, pKey: 0xffff, scope: 2, ...more }));

describe("an MGID", () => {
  test.each([
    ["rdma-cm", "239.192.7.9", "ff12:4001:ffff::fc0:709"],
    ["rdma-cm", "239.37.0.1", "ff12:4001:ffff::f25:1"],
    ["ipoib", "224.0.0.251", "ff12:401b:ffff::fb"],
    ["rdma-cm", "ff05::1:2:3:4:5", "ff12:6001:ffff:1:2:3:4:5"],
    ["ipoib", "ff02::1:ff00:1", "ff12:601b:ffff::1:ff00:1"],
  ] as const)("%s of %s", (format, group, made) => {
    expect(mgid(format, group)).toBe(made);
  });

  test("has the partition, as a full member's, and the scope", () => {
    expect(mgid("rdma-cm", "239.1.2.3", { pKey: 0x1234, scope: 5 })).toBe("ff15:4001:9234::f01:203");
  });

  test("with a port has the whole IPv4 address, and needs both", () => {
    expect(mgid("port", "239.37.0.1", { port: 13701 })).toBe("ff15:a01b:ffff::3585:ef25:1");
    expect(() => mgid("port", "239.37.0.1")).toThrow(RangeError);
    expect(() => mgid("port", "ff05::1", { port: 1 })).toThrow(RangeError);
  });
});

test("frames to a group have its hardware address", () => {
  const mac = (text: string): string => Buffer.from(groupMac(parseAddress(text) as Uint8Array)).toString("hex");
  expect(mac("239.192.7.9")).toBe("01005e400709");
  expect(mac("239.255.255.255")).toBe("01005e7fffff");
  expect(mac("ff05::1:2345:6789")).toBe("333323456789");
});
