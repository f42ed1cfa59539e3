// Owns ARP packets (RFC 826) that tell of IPv4 addresses on Ethernet.
import { copyBytes, setU16, setU8, u16, u8 } from "./bytes.ts";
import { ETHERTYPE } from "./ethernet.ts";

export const ARP_BYTES = 28;
/** Operations of ARP, on Ethernet and on InfiniBand. */
export const ARP = { request: 1, reply: 2 } as const;
/** ARP's number for Ethernet. */
const ARP_ETHERNET = 1;

/** Fields of an ARP packet. */
export class Arp {
  /** See ARP. */
  operation = 0;
  readonly sender = new Uint8Array(6);
  readonly senderIp = new Uint8Array(4);
  readonly target = new Uint8Array(6);
  readonly targetIp = new Uint8Array(4);
}

/** Reads the packet from `at` up to `to`; false when it is short, or of other kinds of addresses. */
export function readArp(bytes: Uint8Array, at: number, to: number, into: Arp): boolean {
  if (at + ARP_BYTES > to) return false;
  if (u16(bytes, at) !== ARP_ETHERNET || u16(bytes, at + 2) !== ETHERTYPE.ipv4) return false;
  if (u8(bytes, at + 4) !== 6 || u8(bytes, at + 5) !== 4) return false;
  into.operation = u16(bytes, at + 6);
  copyBytes(into.sender, 0, bytes, at + 8, 6);
  copyBytes(into.senderIp, 0, bytes, at + 14, 4);
  copyBytes(into.target, 0, bytes, at + 18, 6);
  copyBytes(into.targetIp, 0, bytes, at + 24, 4);
  return true;
}

/** Writes the packet at `at`. RangeError for a value that its field cannot hold. */
export function writeArp(bytes: Uint8Array, at: number, from: Arp): void {
  setU16(bytes, at, ARP_ETHERNET);
  setU16(bytes, at + 2, ETHERTYPE.ipv4);
  setU8(bytes, at + 4, 6);
  setU8(bytes, at + 5, 4);
  setU16(bytes, at + 6, from.operation);
  copyBytes(bytes, at + 8, from.sender, 0, 6);
  copyBytes(bytes, at + 14, from.senderIp, 0, 4);
  copyBytes(bytes, at + 18, from.target, 0, 6);
  copyBytes(bytes, at + 24, from.targetIp, 0, 4);
}
