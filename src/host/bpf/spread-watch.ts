// Owns the looking at programs that spread packets while they run, and the telling of who can carry and who shall have
// which bucket: what a controller and those who look on need of the maps.
import type { LinkFact } from "../../model/facts.ts";
import { formatAddress } from "../../model/ip.ts";
import type { Placed } from "../../model/spread-hash.ts";
import { AT_ONCE, SPREAD_BOUNDS } from "../../model/spread-program.ts";
import type { SpreadSpec } from "../../model/spread-program.ts";
import type { BpfMap } from "./map.ts";
import { readSpreads } from "./spread.ts";
import type { SpreadMaps } from "./spread.ts";
import { encodeSpread, numberKey, orderOf, SIZE } from "./spread-maps.ts";

/** The bit of a bucket's state that says that its time is the coarse clock's, and how far that may be behind. */
const ABOUT = 0x80n;
const TICK_NS = 10_000_000n;

/** One bucket as the program has it. */
export interface BucketCounts {
  bytes: number;
  packets: number;
  /** How often it has changed its member. */
  moves: number;
  /** Who has it; 0 while it has never had a packet. */
  member: number;
  /** When its last packet came at the latest: nanoseconds of CLOCK_MONOTONIC, the lowest 56 bits. */
  lastNs: bigint;
}

/** One spread as it is at work. */
export interface SpreadNow {
  number: number;
  spec: Omit<SpreadSpec, "to" | "except">;
  key: Uint8Array;
  /** Numbers of the members that carry packets. */
  up: readonly number[];
  /** Index of each member's link, by number. */
  indices: ReadonlyMap<number, number>;
  ofIndex: number;
  placement: Uint8Array;
  buckets: BucketCounts[];
  /** Packets that went by another member than theirs, which was down; and those that found no member up. */
  stoodIn: number;
  nobody: number;
}

/** A flow that was noted: one packet of 64 is, by chance. */
export interface NotedFlow {
  source: string;
  destination: string;
  /** IP protocol number. */
  protocol: number;
  /** Of protocols that have them; of an echo, its identifier twice. */
  ports?: { source: number; destination: number };
  /** Number of the spread. */
  spread: number;
  /** Bytes of the packets that were noted. */
  bytes: number;
}

/** Everything that is spread now. Throws HostError. */
export function readSpreading({ maps }: SpreadMaps, links: readonly LinkFact[]): SpreadNow[] {
  const nameOf = (index: number): string | undefined => links.find((link) => link.index === index)?.name;
  return [...readSpreads(maps, nameOf)].map(([number, { spec, key, up, indices, ofIndex }]) => ({
    number,
    spec,
    key,
    up,
    indices,
    ofIndex,
    placement: need(maps, "placements").lookup(numberKey(number)) ?? new Uint8Array(SIZE.placement),
    buckets: readBuckets(need(maps, "buckets"), number),
    ...readTotals(need(maps, "totals"), number),
  }));
}

/**
 * What decides about packets now, for whoever explains their way. `nowNs` is CLOCK_MONOTONIC, nanoseconds: a bucket that
 * has paused for long enough goes by its next member.
 */
export function picturePlaced(now: SpreadNow, nowNs: bigint): Placed {
  const gap = BigInt(now.spec.gapMs) * 1_000_000n;
  const members = Uint8Array.from(now.buckets, ({ member, lastNs }, bucket) => {
    const placed = now.placement[bucket] ?? 0;
    const wanted = placed & ~AT_ONCE;
    const free = member === 0 || (placed & AT_ONCE) !== 0 || BigInt.asIntN(56, nowNs - lastNs) > gap;
    return now.up.includes(wanted) && (free || !now.up.includes(member)) ? wanted : member;
  });
  const order = orderOf(now.spec.members.filter(({ number }) => now.up.includes(number)));
  return { key: now.key, members, up: now.up, order };
}

/** What a glance shows of everything that is spread: nothing of it is decoded, so that it can be had often. */
export interface SpreadGlance {
  /** Bytes since the programs began to count. */
  carried: number;
  /** Differs when something else is spread, or otherwise. */
  what: string;
}

/** A glance at what is spread now. Throws HostError. */
export function glanceAtSpreading({ maps }: SpreadMaps): SpreadGlance {
  const spreads = Buffer.from(need(maps, "spreads").readRange(0, SPREAD_BOUNDS.spreads).buffer);
  let carried = 0;
  for (let number = 0; number < SPREAD_BOUNDS.spreads; number++) {
    if (spreads.subarray(number * SIZE.spread, (number + 1) * SIZE.spread).some((byte) => byte !== 0)) {
      carried += carriedBy(viewBuckets(need(maps, "buckets"), number));
    }
  }
  return { carried, what: spreads.toString("latin1") };
}

function carriedBy(buckets: DataView): number {
  let sum = 0;
  for (let at = 8; at < buckets.byteLength; at += SIZE.bucket) {
    // Numbers of 64 bits would each be an object of their own.
    sum += buckets.getUint32(at, true) + buckets.getUint32(at + 4, true) * 2 ** 32;
  }
  return sum;
}

/** The flows that were noted and are not forgotten, in no order. */
export function readNotedFlows({ maps }: SpreadMaps): NotedFlow[] {
  return need(maps, "noted_flows")
    .readAll()
    .map(({ key, value }): NotedFlow => {
      const [spread = 0, version = 0, protocol = 0] = key;
      const length = version === 4 ? 4 : 16;
      const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
      const ports =
        view.getUint32(4, true) === 0 ? {} : { ports: { source: view.getUint16(4), destination: view.getUint16(6) } };
      return {
        source: formatAddress(key.slice(8, 8 + length)),
        destination: formatAddress(key.slice(24, 24 + length)),
        protocol,
        ...ports,
        spread,
        bytes: Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0, true)),
      };
    });
}

/** Says who shall have each bucket. */
export function writePlacement({ maps }: SpreadMaps, number: number, placement: Uint8Array): void {
  need(maps, "placements").update(numberKey(number), placement);
}

/** Says which members can carry packets; those of the others go by these, from the next packet on. */
export function writeUp({ maps }: SpreadMaps, now: SpreadNow, up: readonly number[]): void {
  const bytes = encodeSpread({ ...now.spec, to: [] }, { key: now.key, up }, now.ofIndex);
  need(maps, "spreads").update(numberKey(now.number), bytes);
}

function need(maps: SpreadMaps["maps"], name: string): BpfMap {
  const map = maps.get(name);
  if (!map) throw new Error(`the programs have no map ${name}`);
  return map;
}

function readTotals(map: BpfMap, number: number): { stoodIn: number; nobody: number } {
  const bytes = map.lookup(numberKey(number));
  if (!bytes) return { stoodIn: 0, nobody: 0 };
  const view = new DataView(bytes.buffer);
  return { stoodIn: Number(view.getBigUint64(0, true)), nobody: Number(view.getBigUint64(8, true)) };
}

function readBuckets(map: BpfMap, number: number): BucketCounts[] {
  const view = viewBuckets(map, number);
  return Array.from({ length: SPREAD_BOUNDS.buckets }, (_, bucket) => {
    const at = bucket * SIZE.bucket;
    const state = view.getBigUint64(at, true);
    return {
      member: Number(state & 0x7fn),
      lastNs: (state >> 8n) + (state & ABOUT ? TICK_NS : 0n),
      bytes: Number(view.getBigUint64(at + 8, true)),
      packets: Number(view.getBigUint64(at + 16, true)),
      moves: Number(view.getBigUint64(at + 24, true)),
    };
  });
}

function viewBuckets(map: BpfMap, number: number): DataView {
  return new DataView(map.readRange(number * SPREAD_BOUNDS.buckets, SPREAD_BOUNDS.buckets).buffer);
}
