// Owns the metrics of a route: the nest RTA_METRICS of RTAX_* (linux/rtnetlink.h).
import type { RouteMetrics } from "../../model/kinds.ts";
import { TYPE_MASK } from "./constants.ts";
import type { Encoder } from "./encoder.ts";
import { eachAttribute, type Packet, type UnknownAttribute } from "./packet.ts";

type NumericMetric = Exclude<keyof RouteMetrics, "congctl" | "lock">;

const LOCK = 1;
const CONGCTL = 16;

/** Names by RTAX_* number; the two that are not plain numbers among them. */
const NAMES: readonly (keyof RouteMetrics | undefined)[] = [
  undefined,
  "lock",
  "mtu",
  "window",
  "rtt",
  "rttvar",
  "ssthresh",
  "cwnd",
  "advmss",
  "reordering",
  "hoplimit",
  "initcwnd",
  "features",
  "rto_min",
  "initrwnd",
  "quickack",
  "congctl",
  "fastopen_no_cookie",
];

/** Bits of `features` (RTAX_FEATURE_*). */
export const METRIC_FEATURES = { ecn: 1, sack: 2, timestamp: 4, allfrag: 8, tcpUsecTs: 16 } as const;

export interface DecodedMetrics {
  metrics: RouteMetrics;
  unknown?: UnknownAttribute[];
}

/** Reads the payload of RTA_METRICS. A locked metric without a name is given by its number. */
export function decodeMetrics(packet: Packet, at: number, length: number): DecodedMetrics {
  const metrics: RouteMetrics = {};
  let unknown: UnknownAttribute[] | undefined;
  eachAttribute(packet, at, at + length, (type, start, size) => {
    if (type === LOCK) metrics.lock = lockNames(packet.u32(start, size));
    else if (type === CONGCTL) metrics.congctl = packet.text(start, size);
    else if (NAMES[type] !== undefined) metrics[NAMES[type] as NumericMetric] = packet.u32(start, size);
    else unknown = packet.keep(unknown, start, size);
  });
  return unknown === undefined ? { metrics } : { metrics, unknown };
}

function lockNames(bits: number): string[] {
  const names: string[] = [];
  for (let i = 0; i < 32; i++) if (((bits >>> i) & 1) === 1) names.push(NAMES[i] ?? String(i));
  return names;
}

/** Appends the payload of RTA_METRICS, in the order of the numbers, as the kernel gives it. */
export function encodeMetrics(encoder: Encoder, metrics: RouteMetrics, unknown?: readonly UnknownAttribute[]): void {
  if (metrics.lock !== undefined) encoder.u32(LOCK, lockBits(metrics.lock));
  for (const [type, name] of NAMES.entries()) {
    if (name === "congctl") encoder.text(CONGCTL, metrics.congctl);
    else if (name !== undefined && name !== "lock") encoder.u32(type, metrics[name]);
  }
  encoder.unknown(unknown?.filter(({ type }) => NAMES[type & TYPE_MASK] === undefined));
}

function lockBits(names: readonly string[]): number {
  let bits = 0;
  for (const name of names) {
    const known = (NAMES as readonly (string | undefined)[]).indexOf(name);
    const bit = known > 0 ? known : /^\d{1,2}$/.test(name) ? Number(name) : -1;
    if (bit < 0 || bit > 31) throw new RangeError(`there is no route metric ${name} to lock`);
    bits |= 1 << bit;
  }
  return bits >>> 0;
}
