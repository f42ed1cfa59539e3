// Proves what a bridge makes of a packet, and which packets it does not pass on.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { setU32 } from "../codec/bytes.ts";
import type { PacketFields, Wire } from "../codec/build-packet.ts";
import { udpChecksum } from "../codec/udp.ts";
import { groupPacket, withImmediate } from "../hosts/messages.ts";
import type { Forwarder } from "./forwarder.ts";
import { bytesOf, forwarder, GID, group, MAC, pass } from "./testing/packets.ts";
import type { Passed } from "./testing/packets.ts";

const IPV4 = "239.37.0.1";
const IPV6 = "ff05::37:1";
const FAR_MAC = Uint8Array.of(2, 0, 0, 0, 0, 9);
const TEXT = new TextEncoder().encode("a message that stays as it is");

type Change = (fields: PacketFields) => void;

/** A packet to a group from a host on Ethernet. */
function roce(to: string, payload: Uint8Array, change: Change = () => {}): Uint8Array {
  const address = bytesOf(to);
  return groupPacket(address.length === 4 ? "roce-ipv4" : "roce-ipv6", payload, (fields) => {
    fields.ethernet.source.set(FAR_MAC);
    if (address.length === 4) fields.ipv4.destination.set(address);
    else fields.grh.dgid.set(address);
    change(fields);
  });
}

/** A packet to a group from a host on InfiniBand. */
function infiniband(
  mgid: Uint8Array,
  payload: Uint8Array,
  change: Change = () => {},
  wire: Wire = "ib-global",
): Uint8Array {
  return groupPacket(wire, payload, (fields) => {
    Object.assign(fields.lrh, { slid: 9, dlid: 0xc005, sl: 3 });
    fields.grh.sgid.set(bytesOf("fe80::20:202"));
    fields.grh.dgid.set(mgid);
    fields.deth.qKey = 0x0b1b;
    change(fields);
  });
}

function whole(passed: Passed): Exclude<Passed, string> {
  if (typeof passed === "string") throw new Error(`dropped: ${passed}`);
  return passed;
}

describe.each([IPV4, IPV6])("a message to %s", (address) => {
  const one = group(0, address);

  test("gets the headers of the group on InfiniBand, and keeps the rest", () => {
    const { fields, icrc } = whole(
      pass(
        forwarder([one]),
        "ethernet",
        roce(address, TEXT, (packet) => {
          packet.ipv4.tos = packet.grh.trafficClass = 0x6a;
          packet.bth.solicited = packet.bth.migrated = true;
          withImmediate(packet, 0xdeadbeef);
        }),
      ),
    );
    expect(icrc).toBe(true);
    expect(fields.payload).toEqual(TEXT);
    expect(fields.lrh).toMatchObject({ dlid: 0xc005, slid: 7, sl: 3, vl: 0 });
    expect(fields.grh).toMatchObject({ hopLimit: 0, trafficClass: 0x6a, sgid: GID, dgid: one.mgid });
    expect(fields.bth).toMatchObject({ opcode: 0x65, solicited: true, migrated: true, destQp: 0xffffff, pad: 3 });
    expect(fields.deth).toEqual({ qKey: 0x0b1b, srcQp: 0x4942 });
    expect(fields.immediate).toBe(0xdeadbeef);
  });

  test("gets the headers of the group on Ethernet, and keeps the rest", () => {
    const { fields, icrc, bytes } = whole(
      pass(
        forwarder([one]),
        "infiniband",
        infiniband(one.mgid, TEXT, (packet) => {
          packet.grh.trafficClass = 0x6a;
          withImmediate(packet, 0xdeadbeef);
        }),
      ),
    );
    expect(icrc).toBe(true);
    expect(fields.payload).toEqual(TEXT);
    expect(fields.ethernet.source).toEqual(MAC);
    expect(fields.ethernet.destination).toEqual(one.ethernet.mac);
    if (address === IPV4) {
      expect(fields.ipv4).toMatchObject({ ttl: 17, tos: 0x6a, source: bytesOf("192.0.2.1"), dontFragment: true });
    } else {
      expect(fields.grh).toMatchObject({ hopLimit: 17, trafficClass: 0x6a, sgid: bytesOf("fd00:2::1") });
      expect(fields.udp.checksum).toBe(udpChecksum(bytes, 14 + 40, 6));
    }
    expect(fields.deth).toMatchObject({ qKey: 0x01234567 });
    expect([fields.bth.opcode, fields.immediate]).toEqual([0x65, 0xdeadbeef]);
  });

  test("of any length comes through both ways with a right ICRC, and a damaged one with a wrong one", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1380 }), fc.nat(), (payload, damage) => {
        const bridge = forwarder([one]);
        for (const [from, packet] of [
          ["ethernet", roce(address, payload)],
          ["infiniband", infiniband(one.mgid, payload)],
        ] as const) {
          const good = whole(pass(bridge, from, packet));
          expect([good.icrc, good.fields.payload]).toEqual([true, payload]);
          if (payload.length === 0) continue;
          const damaged = packet.slice();
          // Counted from the end: VCRC, ICRC and padding come first.
          const end = damaged.length - (from === "infiniband" ? 2 : 0) - 4 - (-payload.length & 3);
          const place = end - 1 - (damage % payload.length);
          damaged[place] = (damaged[place] as number) ^ 0x40;
          const bad = whole(pass(bridge, from, damaged));
          expect(bad.icrc).toBe(false);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("that a bridge has passed on is not passed on again, whichever bridge it is", () => {
    const [here, there] = [forwarder([one]), forwarder([one])];
    there.ethernet = { ...there.ethernet, mac: FAR_MAC };
    there.infiniband = { ...there.infiniband, gid: bytesOf("fe80::20:302"), lid: 8 };
    const onInfiniband = whole(pass(here, "ethernet", roce(address, TEXT))).bytes;
    const onEthernet = whole(pass(here, "infiniband", infiniband(one.mgid, TEXT))).bytes;
    expect(pass(there, "infiniband", onInfiniband)).toBe("bridged");
    expect(pass(there, "ethernet", onEthernet)).toBe("bridged");
    // An adapter that gives back what was sent by it, and a switch that reflects.
    expect(pass(here, "infiniband", onInfiniband)).toBe("own");
    expect(pass(here, "ethernet", onEthernet)).toBe("own");
  });
});

describe("service", () => {
  const one = group(0, IPV4, { classes: [{ dscp: 46, sl: 5 }] });

  test("is a service level where the file says which, and the group's otherwise", () => {
    const level = (tos: number): unknown =>
      whole(
        pass(
          forwarder([one]),
          "ethernet",
          roce(IPV4, TEXT, ({ ipv4 }) => (ipv4.tos = tos)),
        ),
      ).fields.lrh.sl;
    expect([level(46 << 2), level((46 << 2) | 1), level(0)]).toEqual([5, 5, 3]);
  });

  test("is a code point again on the way back: the traffic class, or else the service level's", () => {
    const tos = (sl: number, trafficClass: number): unknown =>
      whole(
        pass(
          forwarder([one]),
          "infiniband",
          infiniband(one.mgid, TEXT, ({ lrh, grh }) => {
            Object.assign(lrh, { sl });
            Object.assign(grh, { trafficClass });
          }),
        ),
      ).fields.ipv4.tos;
    expect([tos(5, 0), tos(3, 0), tos(5, 0x28)]).toEqual([46 << 2, 0, 0x28]);
  });
});

describe("is dropped, and counted", () => {
  const one = group(0, IPV4);
  const unjoined = group(1, "239.37.0.2");
  unjoined.infiniband = undefined;
  const inward = group(2, "239.37.0.3", { way: "to-infiniband" });
  const outward = group(3, "239.37.0.4", { way: "to-ethernet" });
  const all = [one, unjoined, inward, outward];
  const big = new Uint8Array(2049);

  test.each<[string, string, Uint8Array]>([
    ["no-group", "of another group", roce("239.37.9.9", TEXT)],
    ["wrong-way", "of a group that is for the other way", roce("239.37.0.4", TEXT)],
    ["broken", "whose lengths lie", roce(IPV4, TEXT).subarray(0, -3)],
    ["not-ud", "of a connection", roce(IPV4, TEXT, ({ bth }) => (bth.opcode = 0x04))],
    ["not-ud", "for one queue pair", roce(IPV4, TEXT, ({ bth }) => (bth.destQp = 0x11))],
    ["p-key", "of another partition", roce(IPV4, TEXT, ({ bth }) => (bth.pKey = 0x8001))],
    ["q-key", "without the key", roce(IPV4, TEXT, ({ deth }) => (deth.qKey = 1))],
    ["not-joined", "whose group cannot be had", roce("239.37.0.2", TEXT)],
    ["too-big", "longer than the far MTU", roce(IPV4, big)],
  ])("as %s, from Ethernet, one %s", (reason, _, packet) => {
    const bridge = forwarder(all);
    expect(pass(bridge, "ethernet", packet)).toBe(reason);
    expect(bridge.toInfiniband.toJSON()).toEqual({ packets: 0, bytes: 0, drops: { [reason]: 1 } });
  });

  test.each<[string, string, Uint8Array]>([
    ["no-group", "of another group", infiniband(bytesOf("ff12:4001:ffff::1"), TEXT)],
    ["wrong-way", "of a group that is for the other way", infiniband(inward.mgid, TEXT)],
    ["broken", "without a GRH", infiniband(one.mgid, TEXT, () => {}, "ib-local")],
    ["p-key", "of a limited member for one", infiniband(one.mgid, TEXT, ({ bth }) => (bth.pKey = 0x7ffe))],
    ["q-key", "with Ethernet's key", infiniband(one.mgid, TEXT, ({ deth }) => (deth.qKey = 0x01234567))],
    ["not-joined", "whose group cannot be had", infiniband(unjoined.mgid, TEXT)],
    ["too-big", "longer than Ethernet's MTU", infiniband(one.mgid, new Uint8Array(1449))],
  ])("as %s, from InfiniBand, one %s", (reason, _, packet) => {
    const bridge = forwarder(all);
    expect(pass(bridge, "infiniband", packet)).toBe(reason);
    expect(bridge.toEthernet.toJSON()).toEqual({ packets: 0, bytes: 0, drops: { [reason]: 1 } });
  });

  test("as too big exactly where it does not fit any more", () => {
    // 1500 less IP, UDP, BTH, DETH and ICRC; padding fills up.
    expect(whole(pass(forwarder(all), "infiniband", infiniband(one.mgid, new Uint8Array(1448)))).icrc).toBe(true);
    expect(pass(forwarder(all), "infiniband", infiniband(one.mgid, new Uint8Array(1449)))).toBe("too-big");
    expect(whole(pass(forwarder(all), "ethernet", roce(IPV4, new Uint8Array(2048)))).icrc).toBe(true);
  });

  test("as standby while another bridge has the group", () => {
    const bridge = forwarder(all, ({ index }) => index !== 0);
    expect(pass(bridge, "ethernet", roce(IPV4, TEXT))).toBe("standby");
    expect(pass(bridge, "infiniband", infiniband(one.mgid, TEXT))).toBe("standby");
    expect(whole(pass(bridge, "ethernet", roce("239.37.0.3", TEXT))).icrc).toBe(true);
  });

  test("whatever the bytes are: nothing throws, and nothing is made of garbage", () => {
    const bridge: Forwarder = forwarder(all);
    const templates = [roce(IPV4, TEXT), infiniband(one.mgid, TEXT)];
    fc.assert(
      fc.property(fc.boolean(), fc.nat(), fc.nat({ max: 0xffffffff }), fc.nat({ max: 120 }), (ib, place, word, cut) => {
        const packet = (ib ? templates[1] : templates[0])?.slice() as Uint8Array;
        setU32(packet, place % (packet.length - 4), word);
        pass(bridge, ib ? "infiniband" : "ethernet", packet.subarray(0, packet.length - cut));
      }),
      { numRuns: 2000 },
    );
  });
});

test("senders are remembered, and no more than a few", () => {
  const one = group(0, IPV4);
  const bridge = forwarder([one]);
  for (let i = 0; i < 100; i++) {
    pass(
      bridge,
      "ethernet",
      roce(IPV4, TEXT, ({ ipv4 }) => ipv4.source.set([192, 0, 2, 10 + (i % 20)])),
    );
  }
  expect(one.senders.ethernet.all).toHaveLength(16);
  expect(one.senders.ethernet.all[0]).toEqual({ address: bytesOf("192.0.2.10"), packets: 5 });
  expect(one.senders.ethernet.others).toBe(20);
});
