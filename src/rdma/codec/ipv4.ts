// Owns the IPv4 header (RFC 791, 3.1) without options, 20 bytes. The IPv6 header is coded as the GRH that it equals.
import { copyBytes, setU16, setU8, u16, u8, within } from "./bytes.ts";
import { addWords, foldChecksum } from "./internet-checksum.ts";

export const IPV4_BYTES = 20;
export const IPV4_SOURCE = 12;
export const IPV4_DESTINATION = 16;

/** Numbers of protocols, of IPv4 and of IPv6. */
export const PROTOCOL = { hopByHop: 0, igmp: 2, udp: 17, icmpv6: 58 } as const;

/** Fields of an IPv4 header. The checksum is none: it follows from the others. */
export class Ipv4 {
  /** DSCP and ECN. */
  tos = 0;
  /** Bytes from this header to the end of the packet. */
  totalLength = 0;
  id = 0;
  dontFragment = false;
  moreFragments = false;
  /** In units of 8 bytes. */
  fragmentOffset = 0;
  ttl = 0;
  protocol = 0;
  readonly source = new Uint8Array(4);
  readonly destination = new Uint8Array(4);
}

/** Length of the header at `at` with its options, in bytes, 0–60; fewer than 20 is a lie. */
export function ipv4HeaderBytes(bytes: Uint8Array, at: number): number {
  return (u8(bytes, at) & 0x0f) * 4;
}

/** Whether the packet is one of several fragments. */
export function isFragment(bytes: Uint8Array, at: number): boolean {
  return (u16(bytes, at + 6) & 0x3fff) !== 0;
}

/** Reads the header at `at`. */
export function readIpv4(bytes: Uint8Array, at: number, into: Ipv4): void {
  const fragment = u16(bytes, at + 6);
  into.tos = u8(bytes, at + 1);
  into.totalLength = u16(bytes, at + 2);
  into.id = u16(bytes, at + 4);
  into.dontFragment = (fragment & 0x4000) !== 0;
  into.moreFragments = (fragment & 0x2000) !== 0;
  into.fragmentOffset = fragment & 0x1fff;
  into.ttl = u8(bytes, at + 8);
  into.protocol = u8(bytes, at + 9);
  copyBytes(into.source, 0, bytes, at + IPV4_SOURCE, 4);
  copyBytes(into.destination, 0, bytes, at + IPV4_DESTINATION, 4);
}

/** Writes the header at `at` with its checksum. RangeError for a value that its field cannot hold. */
export function writeIpv4(bytes: Uint8Array, at: number, from: Ipv4): void {
  const flags = (from.dontFragment ? 0x4000 : 0) | (from.moreFragments ? 0x2000 : 0);
  setU8(bytes, at, 0x45);
  setU8(bytes, at + 1, from.tos);
  setU16(bytes, at + 2, from.totalLength);
  setU16(bytes, at + 4, from.id);
  setU16(bytes, at + 6, flags | within(from.fragmentOffset, 0x1fff));
  setU8(bytes, at + 8, from.ttl);
  setU8(bytes, at + 9, from.protocol);
  setU16(bytes, at + 10, 0);
  copyBytes(bytes, at + IPV4_SOURCE, from.source, 0, 4);
  copyBytes(bytes, at + IPV4_DESTINATION, from.destination, 0, 4);
  setU16(bytes, at + 10, foldChecksum(addWords(0, bytes, at, at + IPV4_BYTES)));
}
