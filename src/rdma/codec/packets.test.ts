// Proves the codec on random packets: what is written is read again, no change goes unseen by the ICRC but those that it
// is meant to pass over, and no bytes lead a reader astray.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holds } from "../../host/netlink/testing/seeds.ts";
import { u32le } from "./bytes.ts";
import { describeFault, FAULT } from "./fault.ts";
import type { Fault } from "./fault.ts";
import { computeIcrc, icrcHead, icrcIsRight, icrcOfChange } from "./icrc.ts";
import { locateEthernet, locateInfiniband } from "./locate.ts";
import { Membership } from "./membership.ts";
import { readMembership } from "./locate-membership.ts";
import { PacketParts } from "./packet-parts.ts";
import { packet } from "./testing/arbitrary-packets.ts";
import { buildPacket } from "./build-packet.ts";
import type { PacketFields } from "./build-packet.ts";
import { readPacket } from "./read-packet.ts";
import { fromHex, IGMP_JOIN, MLD_JOIN, readVectors, toHex } from "./testing/vectors.ts";
import { vcrcIsRight } from "./vcrc.ts";

const isIb = ({ wire }: Pick<PacketFields, "wire">): boolean => wire.startsWith("ib-");

function locate(parts: PacketParts, infiniband: boolean, bytes: Uint8Array, at = 0, to = bytes.length): Fault {
  return infiniband ? locateInfiniband(parts, bytes, at, to) : locateEthernet(parts, bytes, at, to);
}

describe("random packets", () => {
  it("are read as they were written, at any offset, with the CRCs right", () => {
    holds(
      fc.property(packet(), fc.nat(9), (fields, before) => {
        const bytes = buildPacket(fields);
        const moved = Uint8Array.from([...new Uint8Array(before).fill(0xaa), ...bytes, 0xaa, 0xaa, 0xaa]);
        const parts = new PacketParts();
        expect(describeFault(locate(parts, isIb(fields), moved, before, before + bytes.length))).toBe(
          describeFault(FAULT.none),
        );
        const read = readPacket(parts, moved, before);
        expect(read.bth).toEqual(fields.bth);
        expect(read.payload).toEqual(fields.payload);
        expect(toHex(buildPacket(read))).toBe(toHex(bytes));
        expect(icrcIsRight(parts, moved)).toBe(true);
        expect(parts.vcrc >= 0 && vcrcIsRight(parts, moved)).toBe(isIb(fields));
        expect(parts.end).toBe(before + bytes.length - (isIb(fields) ? 2 : 0));
      }),
      500,
    );
  });

  it("have an ICRC that sees every changed bit but those that are to change on the way", () => {
    holds(
      fc.property(packet({ untagged: true }), fc.nat(), fc.nat(7), (fields, where, bit) => {
        const bytes = buildPacket(fields);
        const parts = new PacketParts();
        locate(parts, isIb(fields), bytes);
        const { lrh, grh, ipv4, ipv6, udp, bth, icrc } = parts;
        const start = lrh >= 0 ? 0 : 14;
        const at = start + (where % (icrc - start));
        bytes[at] = (bytes[at] as number) ^ (1 << bit);
        const header = grh >= 0 ? grh : ipv6;
        const passedOver =
          (lrh >= 0 && at < 8 && (grh >= 0 || (at === 0 && bit >= 4))) ||
          (header >= 0 && ((at === header && bit < 4) || (at > header && at < header + 4) || at === header + 7)) ||
          (ipv4 >= 0 && [1, 8, 10, 11].includes(at - ipv4)) ||
          (udp >= 0 && (at === udp + 6 || at === udp + 7)) ||
          at === bth + 4;
        expect(icrcIsRight(parts, bytes)).toBe(passedOver);
      }),
      600,
    );
  });
});

describe("an ICRC from the difference of headers", () => {
  it("is that of the whole packet, whatever becomes whatever, and keeps damage visible", () => {
    const damage = fc.option(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })));
    holds(
      fc.property(packet({ udOnly: true }), packet({ udOnly: true }), damage, (fields, other, harm) => {
        // The same payload with and without immediate has its tail behind the headers of either.
        const before = buildPacket(fields);
        const after = buildPacket({ ...other, payload: fields.payload });
        const [near, far] = [new PacketParts(), new PacketParts()];
        locate(near, isIb(fields), before);
        locate(far, isIb(other), after);
        if (harm && fields.payload.length > 0) {
          const at = harm[0] % fields.payload.length;
          for (const [bytes, { payload }] of [[before, near] as const, [after, far] as const]) {
            bytes[payload + at] = (bytes[payload + at] as number) ^ harm[1];
          }
        }
        const whole = harm === null || fields.payload.length === 0;
        const tail = near.icrc - near.payload;
        const heads = [icrcHead(near, before, near.payload), icrcHead(far, after, far.payload)] as const;
        const made = icrcOfChange(u32le(before, near.icrc), heads[0], heads[1], tail);
        expect(made === computeIcrc(far, after)).toBe(whole);
      }),
      500,
    );
  });
});

/** Every part that is there lies within the bytes and behind the one before it. */
function expectBounded(parts: PacketParts, at: number, to: number): void {
  const { lrh, grh, ipv4, ipv6, udp, bth, deth, imm, payload, payloadEnd, icrc, vcrc } = parts;
  const present = [lrh, grh, ipv4, ipv6, udp, bth, deth, imm, payload, payloadEnd, icrc].filter((part) => part >= 0);
  for (const [i, part] of present.entries()) {
    expect(part).toBeGreaterThanOrEqual(i === 0 ? at : (present[i - 1] as number));
    expect(part).toBeLessThanOrEqual(to);
  }
  for (const [start, length] of [
    [lrh, 8],
    [grh, 40],
    [ipv4, 20],
    [ipv6, 40],
    [udp, 8],
    [bth, 12],
    [deth, 8],
    [imm, 4],
  ]) {
    if (start !== undefined && start >= 0) expect(start + (length as number)).toBeLessThanOrEqual(to);
  }
  if (icrc >= 0) expect(icrc + 4).toBeLessThanOrEqual(to);
  if (vcrc >= 0) expect(vcrc + 2).toBeLessThanOrEqual(to);
}

/** Reads everything of the bytes, from a larger array whose other bytes are all `around`. */
function readAll(infiniband: boolean, bytes: Uint8Array, around: number): unknown[] {
  const arena = new Uint8Array(bytes.length + 64).fill(around);
  arena.set(bytes, 32);
  const parts = new PacketParts();
  const to = 32 + bytes.length;
  const fault = locate(parts, infiniband, arena, 32, to);
  expectBounded(parts, 32, to);
  const membership = new Membership();
  const about = fault === FAULT.notRdma ? readMembership(parts, arena, to, membership) : undefined;
  return [
    fault,
    parts,
    parts.icrc >= 0 && parts.payload >= 0 ? computeIcrc(parts, arena) : undefined,
    parts.payload >= 0 ? readPacket(parts, arena, 32) : undefined,
    about ?? membership,
  ];
}

describe("bytes that are not as they should be", () => {
  const golden = fc.constantFrom(
    ...readVectors().map(({ link, bytes }) => ({ infiniband: link === "infiniband", bytes })),
  );
  const random = packet().map((fields) => ({ infiniband: isIb(fields), bytes: buildPacket(fields) }));
  const joins = [IGMP_JOIN, MLD_JOIN].map((hex) => ({ infiniband: false, bytes: fromHex(hex) }));
  const change = fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 0x7f, 0xff), fc.nat(255)));
  const tampered = fc
    .tuple(fc.oneof(golden, random, fc.constantFrom(...joins)), fc.array(change, { maxLength: 5 }), fc.option(fc.nat()))
    .map(([{ infiniband, bytes }, changes, cut]) => {
      const input = bytes.slice(0, cut === null ? bytes.length : cut % (bytes.length + 1));
      // Most changes to the headers, where the lengths are.
      for (const [at, value] of changes) if (input.length > 0) input[(at % 80) % input.length] = value;
      return { infiniband, input };
    });
  const garbage = fc.record({ infiniband: fc.boolean(), input: fc.uint8Array({ maxLength: 120 }) });

  it("give a reason, and what lies around them is never read", () => {
    holds(
      fc.property(fc.oneof({ weight: 5, arbitrary: tampered }, garbage), ({ infiniband, input }) => {
        expect(readAll(infiniband, input, 0x00)).toEqual(readAll(infiniband, input, 0xff));
      }),
      3000,
    );
  });

  it("that were cut off when they were captured have their headers, and no CRC", () => {
    holds(
      fc.property(packet({ udOnly: true }), fc.nat(), (fields, cut) => {
        const bytes = buildPacket(fields);
        const parts = new PacketParts();
        locate(parts, isIb(fields), bytes);
        const { bth, payload, icrc } = parts;
        const to = payload + (cut % (icrc + 4 - payload));
        expect(locate(parts, isIb(fields), bytes, 0, to)).toBe(FAULT.cut);
        expect(parts).toMatchObject({ bth, payload, icrc: -1, vcrc: -1 });
        expect(parts.payloadEnd).toBeLessThanOrEqual(to);
      }),
      300,
    );
  });
});
