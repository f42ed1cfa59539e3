// Owns the checksum of the Internet protocols (RFC 1071): IPv4, UDP, IGMP, ICMPv6.
import { u16, u8 } from "./bytes.ts";

/** Adds the bytes from `from` up to `to` to a sum of 16-bit words; an odd last byte counts as followed by zero. */
export function addWords(sum: number, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  for (; at + 2 <= to; at += 2) sum += u16(bytes, at);
  if (at < to) sum += u8(bytes, at) << 8;
  return sum;
}

/** The checksum of a sum: what makes all words together, itself among them, add up to FFFF. */
export function foldChecksum(sum: number): number {
  // A packet has fewer than 2¹⁶ words, so that the sum keeps below 2³².
  const once = (sum & 0xffff) + (sum >>> 16);
  return ~(once + (once >>> 16)) & 0xffff;
}

/**
 * The sum of the pseudo header that UDP and ICMPv6 cover (RFC 768; RFC 8200, 8.1). `addresses` is where source and
 * destination stand, `addressBytes` how long both are together: 8 or 32.
 */
export function addPseudoHeader(
  bytes: Uint8Array,
  addresses: number,
  addressBytes: 8 | 32,
  protocol: number,
  length: number,
): number {
  return addWords(protocol + (length & 0xffff) + (length >>> 16), bytes, addresses, addresses + addressBytes);
}
