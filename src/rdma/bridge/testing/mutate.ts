// Owns hostile packets made of right ones: fields, lengths and bytes that are changed, with right CRCs or wrong ones, from a
// seed, so that what was found is found again.
import { setU16, setU24, setU32, setU8 } from "../../codec/bytes.ts";
import { FAULT } from "../../codec/fault.ts";
import { computeIcrc, setIcrc } from "../../codec/icrc.ts";
import { addWords, foldChecksum } from "../../codec/internet-checksum.ts";
import { locateEthernet, locateInfiniband } from "../../codec/locate.ts";
import { PacketParts } from "../../codec/packet-parts.ts";

/** Numbers that look random and follow from a seed (xorshift32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** A whole number from 0 up to below `end`. */
  below(end: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % end;
  }

  pick<T>(some: readonly T[]): T {
    return some[this.below(some.length)] as T;
  }
}

/** What comes to a bridge. */
export type Input =
  | { kind: "ethernet"; bytes: Uint8Array }
  | { kind: "infiniband"; bytes: Uint8Array }
  | { kind: "management"; bytes: Uint8Array; lid: number };

/** Values that code compares with, by their length in bytes. */
export interface Dictionary {
  1: readonly number[];
  2: readonly number[];
  3: readonly number[];
  4: readonly number[];
  /** Addresses: MACs, IPs, GIDs. */
  bytes: readonly Uint8Array[];
}

const parts = new PacketParts();
/** Longer than any packet that a port gives to the bridge (a slot of the arena). */
const MOST_BYTES = 4200;

/** Which change is made how often: lengths seldom, because what is too short gets nowhere. */
const CHANGES = [0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 5, 5, 5, 6] as const;

/** An input that differs from a right one in one thing or several. */
export function mutate(dice: Dice, from: Input, other: Input, dictionary: Dictionary): Input {
  let bytes: Uint8Array = from.bytes.slice();
  for (let times = dice.pick([1, 1, 1, 2, 3]); times > 0; times--)
    bytes = change(dice, from.kind, bytes, other, dictionary);
  if (from.kind !== "management" && dice.below(4) > 0) repair(from.kind, bytes);
  return { ...from, bytes, ...(from.kind === "management" && dice.below(4) === 0 ? { lid: dice.below(16) } : {}) };
}

function change(dice: Dice, kind: Input["kind"], bytes: Uint8Array, other: Input, dictionary: Dictionary): Uint8Array {
  const at = dice.below(Math.max(bytes.length, 1));
  switch (dice.pick(CHANGES)) {
    case 0:
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << dice.below(8));
      return bytes;
    case 1:
      return bytes.slice(0, at);
    case 2: {
      const longer = new Uint8Array(Math.min(bytes.length + dice.below(dice.pick([8, 64, 4096])), MOST_BYTES));
      longer.set(bytes.subarray(0, longer.length));
      return longer;
    }
    case 3: {
      const spliced = bytes.slice();
      spliced.set(other.bytes.subarray(at, Math.min(spliced.length, other.bytes.length)), Math.min(at, spliced.length));
      return spliced;
    }
    case 4:
      put(dice, bytes, fieldOf(dice, kind, bytes), dictionary);
      return bytes;
    case 5: {
      const value = dice.pick(dictionary.bytes);
      const place = fieldOf(dice, kind, bytes).at;
      if (place + value.length <= bytes.length) bytes.set(value, place);
      return bytes;
    }
    default:
      put(dice, bytes, { at, width: dice.pick([1, 2, 3, 4]) }, dictionary);
      return bytes;
  }
}

/** A field of a header, by where it is. */
function fieldOf(dice: Dice, kind: Input["kind"], bytes: Uint8Array): { at: number; width: 1 | 2 | 3 | 4 } {
  const mad = kind === "management" ? 0 : locate(kind, bytes) && parts.payload >= 0 ? parts.payload : -1;
  const fields: [number, number, 1 | 2 | 3 | 4][] = [
    [mad, 1, 1],
    [mad, 3, 1],
    [mad, 16, 2],
    [mad, 24, 4],
    [mad, 28, 1],
    [mad, 32, 4],
    [mad, 36, 4],
    [mad, 41, 1],
    [mad, 44, 4],
    [mad, 56, 4],
    [mad, 72, 4],
  ];
  if (kind !== "management") {
    fields.push(
      [0, 0, 4],
      [0, 6, 4],
      [0, 12, 2],
      [0, 20, 2],
      [parts.ipv4, 0, 1],
      [parts.ipv4, 2, 2],
      [parts.ipv4, 6, 2],
      [parts.ipv4, 9, 1],
      [parts.ipv4, 12, 4],
      [parts.ipv4, 16, 4],
      [parts.ipv6, 4, 2],
      [parts.ipv6, 20, 4],
      [parts.ipv6, 36, 4],
      [parts.udp, 0, 2],
      [parts.udp, 2, 2],
      [parts.udp, 4, 2],
      [parts.lrh, 1, 1],
      [parts.lrh, 2, 2],
      [parts.lrh, 4, 2],
      [parts.lrh, 6, 2],
      [parts.grh, 0, 4],
      [parts.grh, 4, 2],
      [parts.grh, 6, 1],
      [parts.grh, 20, 4],
      [parts.grh, 36, 4],
      [parts.bth, 0, 1],
      [parts.bth, 1, 1],
      [parts.bth, 2, 2],
      [parts.bth, 5, 3],
      [parts.deth, 0, 4],
      [parts.deth, 5, 3],
      [parts.imm, 0, 4],
    );
  }
  const there = fields.filter(([base]) => base >= 0);
  const [base, offset, width] = there.length > 0 ? dice.pick(there) : [0, 0, 1 as const];
  return { at: base + offset, width };
}

function put(
  dice: Dice,
  bytes: Uint8Array,
  { at, width }: { at: number; width: 1 | 2 | 3 | 4 },
  dictionary: Dictionary,
): void {
  if (at + width > bytes.length) return;
  const most = 2 ** (8 * width) - 1;
  const value = dice.pick([0, 1, most, most >>> 1, dice.below(most), dice.pick(dictionary[width])]);
  if (width === 1) setU8(bytes, at, value & 0xff);
  else if (width === 2) setU16(bytes, at, value & 0xffff);
  else if (width === 3) setU24(bytes, at, value & 0xffffff);
  else setU32(bytes, at, value >>> 0);
}

/** Makes the CRC right where the packet is whole, so that what is behind its check is met as well. */
function repair(kind: "ethernet" | "infiniband", bytes: Uint8Array): void {
  if (!locate(kind, bytes)) return;
  if (parts.ipv4 >= 0) {
    setU16(bytes, parts.ipv4 + 10, 0);
    setU16(bytes, parts.ipv4 + 10, foldChecksum(addWords(0, bytes, parts.ipv4, parts.ipv4 + 20)));
  }
  setIcrc(bytes, parts.icrc, computeIcrc(parts, bytes));
}

function locate(kind: "ethernet" | "infiniband", bytes: Uint8Array): boolean {
  const find = kind === "ethernet" ? locateEthernet : locateInfiniband;
  return find(parts, bytes, 0, bytes.length) === FAULT.none;
}
