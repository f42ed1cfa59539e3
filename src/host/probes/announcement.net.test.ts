// Proves that the kernel of a neighbour believes an announcement, of either IP version, and one that is damaged not.
import { closeSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestNamespace } from "../../../test/namespace.ts";
import { openPacketSocket, sendPacket } from "../native.ts";
import { parseHex } from "../netlink/text.ts";
import { parseAddress } from "../../model/ip.ts";
import { makeAnnouncement } from "../../probes/announcement.ts";

const OLD = "02:00:00:00:00:77";
let near: TestNamespace;
let far: TestNamespace;

beforeAll(() => {
  near = new TestNamespace();
  far = new TestNamespace();
  near.ip(`link add a0 type veth peer name b0 netns /proc/${process.pid}/fd/${far.fd}`);
  near.ip("link set a0 up");
  far.ip("link set b0 up");
  near.addAddress("a0", "192.0.2.1/24");
  near.addAddress("a0", "2001:db8::1/64");
});
afterAll(() => {
  near[Symbol.dispose]();
  far[Symbol.dispose]();
});

test.each(["192.0.2.9", "2001:db8::9"])("%s", async (address) => {
  const [link] = JSON.parse(far.run("ip", "-j", "link", "show", "b0")) as { ifindex: number; address: string }[];
  const known = (): string => near.run("ip", "neigh", "show", address);
  near.ip(`neigh replace ${address} lladdr ${OLD} dev a0 nud stale`);
  const own = parseHex(link?.address ?? "");
  const broadcast = new Uint8Array(6).fill(255);
  const announcement = makeAnnouncement({ hardware: 1, own, broadcast }, parseAddress(address) as Uint8Array, "router");
  if (!announcement) throw new Error("no announcement");
  const socket = openPacketSocket(far.fd);
  const send = (bytes: Uint8Array): void =>
    sendPacket(socket, link?.ifindex ?? 0, announcement.protocol, announcement.to, bytes);
  // A hop limit that a router has lowered, or a protocol that is none.
  const damaged = announcement.bytes.slice();
  damaged[address.includes(":") ? 7 : 2] = 9;
  send(damaged);
  expect(known()).toContain(OLD);
  send(announcement.bytes);
  await expect.poll(known, { timeout: 10_000 }).toContain(link?.address);
  if (address.includes(":")) expect(known()).toContain("router");
  closeSync(socket);
});
