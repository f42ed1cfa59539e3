// Proves that what drivers can do with frames is read as the kernel tells it.
import { expect, test } from "vitest";
import { TestNamespace } from "../../../test/namespace.ts";
import { Packet } from "./packet.ts";
import { decodeFamily, decodeFeatures, listFrameFeatures } from "./netdev.ts";

test("a veth link hands frames to programs, and sends theirs when its far end polls for them", async () => {
  using namespace = new TestNamespace();
  namespace.ip("link add one up type veth peer name two");
  namespace.ip("link set two up");
  const indexOf = (name: string): number => {
    const [found] = JSON.parse(namespace.run("ip", "-j", "link", "show", name)) as { ifindex: number }[];
    return found?.ifindex ?? 0;
  };
  const told = async (name: string) =>
    (await listFrameFeatures(namespace.fd)).find(({ index }) => index === indexOf(name));
  expect(await told("one")).toEqual({ index: indexOf("one"), receives: true, sends: false });
  namespace.run("ethtool", "-K", "two", "gro", "on");
  expect(await told("one")).toEqual({ index: indexOf("one"), receives: true, sends: true });
  expect(await told("two")).toEqual({ index: indexOf("two"), receives: true, sends: false });
  expect(await told("lo")).toEqual({ index: 1, receives: false, sends: false });
});

test("a message that ends too early is refused", () => {
  const features = Uint8Array.of(1, 1, 0, 0, 8, 0, 1, 0, 2, 0, 0, 0, 8, 0, 3, 0, 7, 0, 0, 0);
  const packet = new Packet(features);
  expect(() => decodeFeatures(packet, 0, features.length)).toThrow(/ends too early/);
  expect(() => decodeFamily(packet, 0, 2)).toThrow(/ends too early/);
});
