// Owns the way to a message about multicast groups in an IP packet: past IPv4's options or IPv6's hop-by-hop header.
import { u16, u8 } from "./bytes.ts";
import { ETHERNET_BYTES, ETHERTYPE } from "./ethernet.ts";
import { GRH_BYTES, GRH_SGID } from "./grh.ts";
import { IPV4_BYTES, ipv4HeaderBytes, isFragment, PROTOCOL } from "./ipv4.ts";
import { readIgmp, readMld } from "./membership.ts";
import type { Membership, MembershipFault } from "./membership.ts";
import type { PacketParts } from "./packet-parts.ts";

/** Whether the frame at `at`, which has no VLAN's tag, may carry such a message; no more than a glance. */
export function mayTellOfGroups(bytes: Uint8Array, at: number, to: number): boolean {
  const ip = at + ETHERNET_BYTES;
  if (ip + IPV4_BYTES > to) return false;
  const type = u16(bytes, ip - 2);
  if (type === ETHERTYPE.ipv4) return u8(bytes, ip + 9) === PROTOCOL.igmp;
  return type === ETHERTYPE.ipv6 && u8(bytes, ip + 6) === PROTOCOL.hopByHop;
}

/** Reads the message in a packet whose IP header was located, and which carries no RDMA: undefined, or why not. */
export function readMembership(
  parts: PacketParts,
  bytes: Uint8Array,
  to: number,
  into: Membership,
): MembershipFault | undefined {
  if (parts.ipv4 >= 0) {
    const at = parts.ipv4;
    const headerBytes = ipv4HeaderBytes(bytes, at);
    const end = at + u16(bytes, at + 2);
    if (u8(bytes, at + 9) !== PROTOCOL.igmp || headerBytes < IPV4_BYTES || isFragment(bytes, at)) return "other";
    return end > to ? "short" : readIgmp(bytes, at + headerBytes, end, into);
  }
  if (parts.ipv6 < 0) return "other";
  const at = parts.ipv6;
  const end = at + GRH_BYTES + u16(bytes, at + 4);
  const options = at + GRH_BYTES;
  // MLD always has the router alert, which is a hop-by-hop option (RFC 3810, 5).
  if (u8(bytes, at + 6) !== PROTOCOL.hopByHop) return "other";
  if (end > to || options + 8 > end) return "short";
  if (u8(bytes, options) !== PROTOCOL.icmpv6) return "other";
  return readMld(bytes, options + 8 + u8(bytes, options + 1) * 8, end, at + GRH_SGID, into);
}
