// Owns the proof that heddle knows which switches of the host set those of links.
import { expect, test } from "vitest";
import { resettingPaths } from "./overruled.ts";

test("forwarding of a link is set by that of the host, of either IP version; other switches are not", () => {
  expect(resettingPaths("net/ipv4/conf/ib0/forwarding")).toEqual([
    "net/ipv4/conf/all/forwarding",
    "net/ipv4/ip_forward",
  ]);
  expect(resettingPaths("net/ipv4/conf/all/forwarding")).toEqual(["net/ipv4/ip_forward"]);
  expect(resettingPaths("net/ipv6/conf/eth0.100/forwarding")).toEqual(["net/ipv6/conf/all/forwarding"]);
  expect(resettingPaths("net/ipv4/conf/ib0/rp_filter")).toEqual([]);
  expect(resettingPaths("net/ipv4/ip_forward")).toEqual([]);
});
