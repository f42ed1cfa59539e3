// Owns what is told of spreading: rates of links and shares, from two readings of the counters.
import type { SpreadBasis, SpreadMechanism } from "../model/spread-program.ts";

/** One reading of a spread, as far as a report needs it. */
export interface ReportReading {
  atMs: number;
  buckets: readonly { bytes: number; packets: number; moves: number; member: number }[];
  stoodIn: number;
  nobody: number;
}

/** A member in a report. */
export interface MemberReport {
  link: string;
  number: number;
  weight: number;
  up: boolean;
  /** Of what is spread, bytes and packets a second. */
  bytesPerSecond: number;
  packetsPerSecond: number;
  /** Part of what all members carry, 0 to 1; 0 where nothing is carried. */
  share: number;
  /** How many buckets it has, busy ones and idle ones. */
  buckets: number;
}

/** A flow in a report; its rate is an estimate from one packet of 64. */
export interface FlowReport {
  source: string;
  destination: string;
  protocol: number;
  ports?: { source: number; destination: number };
  bytesPerSecond: number;
  bucket: number;
  link?: string;
}

/** What is told of one section. */
export interface SpreadReport {
  name: string;
  mechanism: SpreadMechanism;
  by: SpreadBasis;
  members: MemberReport[];
  /** The busiest link against what its weight is of the whole: 1 is even; absent where nothing is carried. */
  unevenness?: number;
  /** Since the programs began: bucket moves; packets that a stand-in took; packets that found no link up. */
  moves: number;
  stoodIn: number;
  nobody: number;
  flows: FlowReport[];
}

/** The members' rates between two readings. */
export function reportMembers(
  members: readonly { number: number; link: string; weight: number }[],
  up: readonly number[],
  before: ReportReading,
  after: ReportReading,
): MemberReport[] {
  const seconds = Math.max(after.atMs - before.atMs, 1) / 1000;
  const sums = new Map(members.map(({ number }) => [number, { bytes: 0, packets: 0, buckets: 0 }]));
  for (const [i, now] of after.buckets.entries()) {
    const sum = sums.get(now.member);
    if (!sum) continue;
    sum.buckets++;
    sum.bytes += Math.max(0, now.bytes - (before.buckets[i]?.bytes ?? 0));
    sum.packets += Math.max(0, now.packets - (before.buckets[i]?.packets ?? 0));
  }
  const total = [...sums.values()].reduce((all, { bytes }) => all + bytes, 0);
  return members.map(({ number, link, weight }) => {
    const { bytes = 0, packets = 0, buckets = 0 } = sums.get(number) ?? {};
    return {
      link,
      number,
      weight,
      up: up.includes(number),
      bytesPerSecond: bytes / seconds,
      packetsPerSecond: packets / seconds,
      share: total === 0 ? 0 : bytes / total,
      buckets,
    };
  });
}

/** The busiest member that is up against its weight's part of the whole. */
export function unevennessOf(members: readonly MemberReport[]): number | undefined {
  const up = members.filter((member) => member.up);
  const total = up.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
  const weights = up.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return undefined;
  return Math.max(...up.map(({ bytesPerSecond, weight }) => (bytesPerSecond * weights) / (weight * total)));
}
