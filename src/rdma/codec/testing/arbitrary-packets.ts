// Owns random packets: every wire, every opcode, every field at will.
import fc from "fast-check";
import { Bth, Deth } from "../bth.ts";
import { Ethernet, Vlan } from "../ethernet.ts";
import { Grh } from "../grh.ts";
import { Ipv4 } from "../ipv4.ts";
import { Lrh } from "../lrh.ts";
import { extensionBytes, isUd, opcodeNames, opcodeNumber, UD_SEND_ONLY } from "../opcodes.ts";
import { Udp } from "../udp.ts";
import type { PacketFields, Wire } from "../build-packet.ts";

const flag = fc.boolean();
const number = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });
/** Bytes of one length. */
const array = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => new Uint8Array(bytes));

/** An object of the class with random values. */
const filled = <T extends object>(make: () => T, values: { [Name in keyof T]?: fc.Arbitrary<T[Name]> }) =>
  fc.record(values as Record<string, fc.Arbitrary<unknown>>).map((given) => {
    const target = make() as Record<string, unknown>;
    for (const [name, value] of Object.entries(given)) {
      // The arrays of a header are its own, and are copied into.
      if (value instanceof Uint8Array) (target[name] as Uint8Array).set(value);
      else target[name] = value;
    }
    return target as T;
  });

const lrh = filled(() => new Lrh(), { vl: number(4), sl: number(4), dlid: number(16), slid: number(16) });
const grh = filled(() => new Grh(), {
  trafficClass: number(8),
  flowLabel: number(20),
  hopLimit: number(8),
  sgid: array(16),
  dgid: array(16),
});
const ipv4 = filled(() => new Ipv4(), {
  tos: number(8),
  id: number(16),
  dontFragment: flag,
  ttl: number(8),
  source: array(4),
  destination: array(4),
});
const vlan = filled(() => new Vlan(), { priority: number(3), dropEligible: flag, id: number(12) });
const ethernet = filled(() => new Ethernet(), { destination: array(6), source: array(6) });
/** Below 0xC000 other protocols may claim the packet (tshark goes by the lower port first). */
const udp = filled(() => new Udp(), { sourcePort: fc.integer({ min: 0xc000, max: 0xffff }) });
const deth = filled(() => new Deth(), { qKey: number(32), srcQp: number(24) });
const bth = (opcode: fc.Arbitrary<number>): fc.Arbitrary<Bth> =>
  filled(() => new Bth(), {
    opcode,
    solicited: flag,
    migrated: flag,
    pKey: number(16),
    fecn: flag,
    becn: flag,
    destQp: number(24),
    ackRequest: flag,
    psn: number(24),
  });

const UD = fc.constantFrom(UD_SEND_ONLY, UD_SEND_ONLY + 1);
const ANY = fc.constantFrom(...opcodeNames().map((name) => opcodeNumber(name) as number));
const WIRES = ["roce-ipv4", "roce-ipv6", "rocev1", "ib-local", "ib-global"] as const satisfies Wire[];

export interface PacketWishes {
  wires?: readonly Wire[];
  /** UD's opcodes only. */
  udOnly?: true;
  /** No VLAN tags. */
  untagged?: true;
}

/** Fields of packets, with what follows from other fields left for buildPacket. */
export function packet(wishes: PacketWishes = {}): fc.Arbitrary<PacketFields> {
  return fc
    .record({
      wire: fc.constantFrom(...(wishes.wires ?? WIRES)),
      ethernet,
      vlans: fc.array(vlan, { maxLength: wishes.untagged ? 0 : 2 }),
      ipv4,
      grh,
      udp,
      checksum: flag,
      lrh,
      bth: bth(wishes.udOnly ? UD : fc.oneof(UD, ANY)),
      deth,
      immediate: number(32),
      extension: array(40),
      payload: fc.uint8Array({ maxLength: 300 }),
    })
    .map((fields) => {
      const { opcode } = fields.bth;
      return { ...fields, extension: fields.extension.slice(0, isUd(opcode) ? 0 : extensionBytes(opcode)) };
    });
}
