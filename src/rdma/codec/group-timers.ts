// Owns the times that queries for members of groups state, and how long a member is remembered by them (RFC 2236, 8;
// RFC 3376, 4.1.1, 4.1.7 and 8; RFC 2710, 7; RFC 3810, 5.1.3, 5.1.9 and 9).
import type { Membership } from "./membership.ts";

/** What holds where a query does not say: those of the older versions state no robustness and no interval. */
const ROBUSTNESS = 2;
const QUERY_INTERVAL_MS = 125_000;
const RESPONSE_MS = 10_000;

/** Group Membership Interval (MLD: Multicast Address Listening Interval) with the usual values: 260 s. */
export const REMEMBERED_MS = ROBUSTNESS * QUERY_INTERVAL_MS + RESPONSE_MS;

/** How long a member is remembered that answers this query and is not heard again, in milliseconds. */
export function rememberedMs(query: Membership): number {
  const { robustness, intervalCode } = query;
  // Zero says that the querier's is more than seven, and then the default holds.
  const times = robustness === 0 ? ROBUSTNESS : robustness;
  const intervalMs = intervalCode === 0 ? QUERY_INTERVAL_MS : byteTime(intervalCode) * 1000;
  return times * intervalMs + responseMs(query);
}

/** How long those who are asked may wait before they answer. */
function responseMs({ family, version, responseCode }: Membership): number {
  if (family === 6) return version === 1 ? responseCode : wordTime(responseCode);
  // Queries of version 1 have a zero there, and mean ten seconds.
  if (version === 1) return RESPONSE_MS;
  return (version === 2 ? responseCode : byteTime(responseCode)) * 100;
}

/** A byte of which the upper half is a number with four bits of mantissa and three of exponent. */
function byteTime(code: number): number {
  return code < 0x80 ? code : ((code & 0x0f) | 0x10) << (((code >> 4) & 7) + 3);
}

/** The same in two bytes, with twelve bits of mantissa. */
function wordTime(code: number): number {
  return code < 0x8000 ? code : ((code & 0x0fff) | 0x1000) << (((code >> 12) & 7) + 3);
}
