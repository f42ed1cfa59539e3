// Proves what the spreading programs decide of a packet, by running them on packets, and that what is written is read.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bucketOf, hashFlow } from "../../model/spread-hash.ts";
import type { Flow } from "../../model/spread-hash.ts";
import { rulesOf } from "../../plan/kinds/index.ts";
import { holds } from "../netlink/testing/seeds.ts";
import type { Descriptor } from "./call.ts";
import { attachToInterface, lookAtInterfaceLink } from "./link.ts";
import { openPrograms, readObject, runOnFrame } from "./load.ts";
import { errorAbout, frameOf, packetOf } from "./testing/packets.ts";
import type { Oddities } from "./testing/packets.ts";
import { SpreadStand, spreadOf } from "./testing/spread-stand.ts";
import { glanceAtSpreading } from "./spread-watch.ts";
import type { SpreadGlance } from "./spread-watch.ts";

const NEXT = -1;

let stand: SpreadStand;
beforeEach(async () => {
  stand = await SpreadStand.make();
});
afterEach(() => stand[Symbol.asyncDispose]());

/** The mark that a packet gets at ingress. */
function markOf(packet: Uint8Array, before = 0): number {
  using program = stand.program("tcx/ingress");
  const { answer, mark } = runOnFrame(program, frameOf(packet), before);
  expect(answer).toBe(NEXT);
  return mark;
}

/** The mark that the model gives a flow. */
function expectedMark(flow: Flow): number {
  const { key, placement } = stand.stored();
  return ((placement[bucketOf(hashFlow(key, flow))] ?? 0) << 24) >>> 0;
}

const udp = (port: number, instead: Partial<Flow> = {}): Flow => ({
  source: "10.0.1.10",
  destination: "10.0.2.11",
  protocol: 17,
  ports: { source: port, destination: 7777 },
  ...instead,
});

const octet = fc.integer({ min: 0, max: 255 });
const port = fc.integer({ min: 0, max: 65535 });
const addresses = fc.oneof(
  fc.tuple(octet, octet).map(([a, b]) => ({ source: `192.0.${a}.${b}`, destination: `10.0.2.${b}` })),
  fc.tuple(octet, octet).map(([a, b]) => ({ source: `2001:db8::${a || 1}`, destination: `fd00:2::${b || 1}:1` })),
);
const flows: fc.Arbitrary<Flow> = fc.oneof(
  fc
    .tuple(addresses, fc.constantFrom(6, 17, 33, 132, 136), port, port)
    .map(([ends, protocol, source, destination]) => ({ ...ends, protocol, ports: { source, destination } })),
  fc.tuple(addresses, fc.constantFrom(47, 89, 103)).map(([ends, protocol]) => ({ ...ends, protocol })),
  fc.tuple(addresses, port).map(([ends, echo]) => ({ ...ends, protocol: ends.source.includes(":") ? 58 : 1, echo })),
);
const oddities: fc.Arbitrary<Oddities> = fc.record({
  options: fc.constantFrom(0, 0, 4, 40),
  extensions: fc.constantFrom([], [], [0], [60], [0, 43, 60], [51], [0, 60, 51, 135]),
});

describe("a packet for the links", () => {
  // Few prefixes are compared and many looked up; behind an Ethernet header most packets are read in place.
  const many = Array.from({ length: 20 }, (_, i) => `172.16.${i}.0/24`);
  test.each([
    { name: "few prefixes, Ethernet", to: [] as string[], ingress: ["ib0"] },
    { name: "many prefixes, Ethernet", to: many, ingress: ["ib0"] },
    { name: "few prefixes, any link layer", to: [], ingress: ["ib0", "tun0"] },
  ])("gets the mark that the model gives it, whatever stands in its headers: $name", async ({ to, ingress }) => {
    stand.namespace.ip("tuntap add dev tun0 mode tun");
    await stand.write([spreadOf({ to: [...spreadOf().to, ...to] })], { ingress });
    const { key, placement } = stand.stored();
    using program = stand.program("tcx/ingress");
    const property = fc.property(flows, oddities, fc.integer({ min: 0, max: 0xffffff }), (flow, odd, others) => {
      const frame = frameOf(packetOf(flow, odd));
      const member = placement[bucketOf(hashFlow(key, flow))] ?? 0;
      const { answer, mark } = runOnFrame(program, frame, others);
      expect({ answer, mark }).toEqual({ answer: NEXT, mark: (member << 24) | others });
    });
    holds(property, 500);
  });

  test("keeps its member, and so do its fragments, its datagrams behind them, and errors about its answers", async () => {
    await stand.write([spreadOf()]);
    const ports = Array.from({ length: 64 }, (_, i) => 1000 + i);
    const whole = ports.map((one) => markOf(packetOf(udp(one))));
    expect(new Set(whole)).toEqual(new Set([0x1000000, 0x2000000]));
    // Before anything of it was cut, each datagram goes by its ports; afterwards all go as the pieces do.
    const pieces = [
      { offset: 0, more: true },
      { offset: 185, more: true },
      { offset: 370, more: false },
    ];
    for (const family of [4, 6]) {
      const instead = family === 4 ? {} : { source: "fd00:1::10", destination: "fd00:2::11" };
      const { ports: _ports, ...portless } = udp(0, instead);
      const marks = pieces.map((fragment) => markOf(packetOf(udp(1000, instead), { fragment })));
      expect(new Set(marks)).toEqual(new Set([expectedMark(portless)]));
      expect(new Set(ports.map((one) => markOf(packetOf(udp(one, instead)))))).toEqual(new Set(marks));
    }
    for (const one of ports) {
      const tcp: Flow = { ...udp(one), protocol: 6 };
      // What the receiver of our packets would have answered, had it not been refused on the way.
      const answer: Flow = {
        source: tcp.destination,
        destination: tcp.source,
        protocol: 6,
        ports: { source: 7777, destination: one },
      };
      const error = errorAbout(packetOf(answer), "10.0.1.1", "10.0.2.11", 3);
      expect(markOf(error)).toBe(expectedMark(tcp));
      const six = { source: "fd00:1::10", destination: "fd00:2::11" };
      const answer6 = { ...answer, source: six.destination, destination: six.source };
      const error6 = errorAbout(packetOf(answer6), "fd00:1::1", "fd00:2::11", 2);
      expect(markOf(error6)).toBe(expectedMark({ ...tcp, ...six }));
    }
  });

  test("is left alone when it is for somewhere else, decided already, broken off, or no IP at all", async () => {
    await stand.write([spreadOf()]);
    const elsewhere = packetOf(udp(1, { destination: "10.0.3.11" }));
    expect(markOf(elsewhere, 0x55)).toBe(0x55);
    const decided = packetOf(udp(1));
    for (const before of [0x1000000, 0x2000000]) expect(markOf(decided, before)).toBe(before);
    const six = packetOf(udp(1, { source: "fd00:1::10", destination: "fd00:3::11" }));
    expect(markOf(six)).toBe(0);
    using program = stand.program("tcx/ingress");
    // Addresses are whole here and ports are not: such a packet goes with those that have none.
    const { ports: _ports, ...portless } = udp(1);
    for (const length of [34, 35, 37]) {
      const { answer, mark } = runOnFrame(program, frameOf(packetOf(udp(1))).subarray(0, length));
      expect([answer, mark]).toEqual([NEXT, expectedMark(portless)]);
    }
    const lying = frameOf(packetOf(udp(1)));
    for (const first of [0x44, 0x40, 0x65]) {
      lying[14] = first;
      expect(runOnFrame(program, lying).mark).toBe(0);
    }
    const arp = frameOf(packetOf(udp(1)));
    arp.set([0x08, 0x06], 12);
    expect(runOnFrame(program, arp).mark).toBe(0);
  });
});

test("what is written is read back, and a change keeps buckets where they are", async () => {
  const three = spreadOf({
    by: "load",
    local: true,
    members: [
      { number: 1, link: "ib1", weight: 2, via: ["10.0.2.254", "fd00:2::fe"] },
      { number: 2, link: "ib2", weight: 1 },
    ],
  });
  await stand.write([three], { ingress: ["ib0", "ib1"], egress: ["ib2"] });
  const wanted = { program: "spread" as const, ingress: ["ib0", "ib1"], egress: ["ib2"], spreads: [three] };
  const rules = rulesOf("tcProgram");
  const read = await stand.read();
  expect(read && rules.normalize(read)).toEqual(rules.normalize(wanted));
  const { key, placement } = stand.stored();
  const shares = [1, 2].map((member) => placement.filter((one) => one === member).length);
  expect(shares).toEqual([683, 341]);

  await stand.write([spreadOf()]);
  const after = stand.stored();
  expect(after.key).toEqual(key);
  // From 2:1 to 1:1, what moves is the sixth that has to.
  const moved = after.placement.filter((member, bucket) => member !== placement[bucket]);
  expect(moved.length).toBe(683 - 512);
  expect((await stand.read())?.egress).toEqual([]);
});

test("frames are passed on where the link's only place is free, and what is there is read back", async () => {
  const fast = spreadOf({ mechanism: "fast" });
  const able = async () => (await stand.host.frameLinks())?.receive.includes("ib0");
  const ib0 = (await stand.links()).find(({ name }) => name === "ib0")?.index ?? 0;
  const object = readObject("spread-frames");
  {
    using theirs = openPrograms({ ...object, programs: object.programs.map((one) => ({ ...one, name: "theirs" })) });
    using _link = attachToInterface(theirs.programs.get("xdp") as Descriptor, "xdp", ib0, stand.namespace.fd);
    expect(await able()).toBe(false);
    await expect(stand.write([fast], { frames: ["ib0"] })).rejects.toMatchObject({ code: "EBUSY" });
  }
  expect(await able()).toBe(true);
  await stand.write([fast], { frames: ["ib0"] });
  expect(await able()).toBe(true);
  expect(await stand.read()).toMatchObject({ ingress: ["ib0"], frames: ["ib0"] });
  expect((await stand.read())?.broken).toBeUndefined();
  // The program compares hardware addresses, so it has to know the link's.
  stand.namespace.ip("link set ib0 address 02:00:00:00:00:77");
  expect((await stand.read())?.broken).toBe(true);
  await stand.write([fast], { frames: ["ib0"] });
  expect((await stand.read())?.broken).toBeUndefined();
  await stand.write([fast]);
  expect(await stand.read()).toMatchObject({ ingress: ["ib0"], frames: [] });
});

test("a link that was made anew shows as broken until it is written again", async () => {
  await stand.write([spreadOf()]);
  expect((await stand.read())?.broken).toBeUndefined();
  stand.namespace.ip("link del ib2");
  stand.namespace.addLink("ib2", ["10.0.2.2/24"]);
  expect((await stand.read())?.broken).toBe(true);
  await stand.write([spreadOf()]);
  expect((await stand.read())?.broken).toBeUndefined();
  stand.namespace.ip("link del ib0");
  stand.namespace.addLink("ib0", ["10.0.1.1/24"]);
  expect(await stand.read()).toMatchObject({ ingress: [], broken: true });
  // Also where the program is not wanted there any more: nothing else would take the dead pin away.
  await stand.write([spreadOf()], { ingress: [] });
  expect((await stand.read())?.broken).toBeUndefined();
});

test("a glance shows the bytes that packets bring, and differs when something else is spread", async () => {
  const glance = (): SpreadGlance => {
    using opened = stand.spreader.open();
    if (!opened) throw new Error("nothing is spread");
    return glanceAtSpreading(opened);
  };
  await stand.write([spreadOf()]);
  const before = glance();
  markOf(packetOf(udp(4711)));
  const after = glance();
  expect(after.carried).toBeGreaterThan(before.carried);
  expect(after.what).toBe(before.what);
  expect(glance()).toEqual(after);
  await stand.write([spreadOf({ gapMs: 30 })]);
  expect(glance().what).not.toBe(before.what);
});

describe.each(["tcx", "clsact"] as const)("programs at links by %s", (attach) => {
  const CLSACT = "clsact";
  let other: SpreadStand;
  beforeEach(async () => {
    other = await SpreadStand.make(attach);
  });
  afterEach(() => other[Symbol.asyncDispose]());

  const filters = (link: string): string =>
    ["ingress", "egress"].map((hook) => other.namespace.run("tc", "filter", "show", "dev", link, hook)).join("");
  const qdiscs = (): string => other.namespace.run("tc", "qdisc", "show");

  test("are put there, moved and taken away without a trace", async () => {
    const before = qdiscs();
    await other.write([spreadOf()], { ingress: ["ib0"], egress: ["ib1", "ib2"] });
    expect(await other.read()).toMatchObject({ ingress: ["ib0"], egress: ["ib1", "ib2"] });
    expect((await other.read())?.broken).toBeUndefined();
    expect(filters("ib0").includes("heddle-spread")).toBe(attach === CLSACT);
    await other.write([spreadOf()], { ingress: ["ib0", "ib1"], egress: ["ib2"] });
    expect(await other.read()).toMatchObject({ ingress: ["ib0", "ib1"], egress: ["ib2"] });
    await other.spreader.remove();
    expect(await other.read()).toBeUndefined();
    expect(qdiscs()).toBe(before);
  });

  test("leave filters and qdiscs of others alone", async () => {
    other.namespace.run("tc", "qdisc", "add", "dev", "ib0", CLSACT);
    const theirs = "filter add dev ib0 ingress prio 5 protocol ip u32 match u32 0 0 flowid 1:1".split(" ");
    other.namespace.run("tc", ...theirs);
    const [before, qdiscsBefore] = [filters("ib0"), qdiscs()];
    const ib0 = (await other.links()).find(({ name }) => name === "ib0")?.index ?? 0;
    using theirObject = openPrograms(readObject("spread"));
    using theirLink = attachToInterface(
      theirObject.programs.get("tcx/ingress") as Descriptor,
      "tcx/ingress",
      ib0,
      other.namespace.fd,
    );
    await other.write([spreadOf()]);
    await other.write([spreadOf({ gapMs: 30 })]);
    expect(filters("ib0").includes("prio 5") || filters("ib0").includes("pref 5")).toBe(true);
    await other.spreader.remove();
    expect([filters("ib0"), qdiscs()]).toEqual([before, qdiscsBefore]);
    expect(lookAtInterfaceLink(theirLink)?.index).toBe(ib0);
  });

  test("that somebody took away are missed, and put there again", async () => {
    await other.write([spreadOf()]);
    if (attach === CLSACT) other.namespace.run("tc", "qdisc", "del", "dev", "ib0", CLSACT);
    else other.namespace.ip("link del ib0");
    if (attach === "tcx") other.namespace.addLink("ib0", ["10.0.1.1/24"]);
    expect((await other.read())?.ingress).toEqual([]);
    await other.write([spreadOf()]);
    expect((await other.read())?.ingress).toEqual(["ib0"]);
  });
});
