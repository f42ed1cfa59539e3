// Owns IP over InfiniBand (RFC 4391): the 4 bytes before a datagram, hardware addresses of 20 bytes, and ARP.
import { copyBytes, setU16, setU24, setU8, u16, u24, u8 } from "./bytes.ts";
import { ETHERTYPE } from "./ethernet.ts";

export const IPOIB_BYTES = 4;
/** Length of a hardware address: flags, queue pair, GID. */
const IPOIB_ADDRESS_BYTES = 20;
/** ARP's number for this hardware (RFC 4391, 9.1). */
const ARP_INFINIBAND = 32;

/** The type of the datagram whose IPoIB header is at `at`. */
export function ipoibType(bytes: Uint8Array, at: number): number {
  return u16(bytes, at);
}

/** Writes the header at `at`. */
export function writeIpoib(bytes: Uint8Array, at: number, type: number): void {
  setU16(bytes, at, type);
  setU16(bytes, at + 2, 0);
}

/** Fields of a hardware address. */
export class IpoibAddress {
  flags = 0;
  qpn = 0;
  readonly gid = new Uint8Array(16);
}

function readIpoibAddress(bytes: Uint8Array, at: number, into: IpoibAddress): void {
  into.flags = u8(bytes, at);
  into.qpn = u24(bytes, at + 1);
  copyBytes(into.gid, 0, bytes, at + 4, 16);
}

function writeIpoibAddress(bytes: Uint8Array, at: number, from: IpoibAddress): void {
  setU8(bytes, at, from.flags);
  setU24(bytes, at + 1, from.qpn);
  copyBytes(bytes, at + 4, from.gid, 0, 16);
}

/** Bytes of an ARP packet between IPoIB's addresses. */
export const IPOIB_ARP_BYTES = 8 + 2 * (IPOIB_ADDRESS_BYTES + 4);

/** Fields of an ARP packet (RFC 826) that tells of IPv4 addresses on InfiniBand. */
export class IpoibArp {
  /** 1 asks, 2 answers. */
  operation = 0;
  readonly sender = new IpoibAddress();
  readonly senderIp = new Uint8Array(4);
  readonly target = new IpoibAddress();
  readonly targetIp = new Uint8Array(4);
}

/** Reads the packet from `at` up to `to`; false when it is short, or of other kinds of addresses. */
export function readIpoibArp(bytes: Uint8Array, at: number, to: number, into: IpoibArp): boolean {
  if (at + IPOIB_ARP_BYTES > to) return false;
  if (u16(bytes, at) !== ARP_INFINIBAND || u16(bytes, at + 2) !== ETHERTYPE.ipv4) return false;
  if (u8(bytes, at + 4) !== IPOIB_ADDRESS_BYTES || u8(bytes, at + 5) !== 4) return false;
  into.operation = u16(bytes, at + 6);
  readIpoibAddress(bytes, at + 8, into.sender);
  copyBytes(into.senderIp, 0, bytes, at + 28, 4);
  readIpoibAddress(bytes, at + 32, into.target);
  copyBytes(into.targetIp, 0, bytes, at + 52, 4);
  return true;
}

/** Writes the packet at `at`. RangeError for a value that its field cannot hold. */
export function writeIpoibArp(bytes: Uint8Array, at: number, from: IpoibArp): void {
  setU16(bytes, at, ARP_INFINIBAND);
  setU16(bytes, at + 2, ETHERTYPE.ipv4);
  setU8(bytes, at + 4, IPOIB_ADDRESS_BYTES);
  setU8(bytes, at + 5, 4);
  setU16(bytes, at + 6, from.operation);
  writeIpoibAddress(bytes, at + 8, from.sender);
  copyBytes(bytes, at + 28, from.senderIp, 0, 4);
  writeIpoibAddress(bytes, at + 32, from.target);
  copyBytes(bytes, at + 52, from.targetIp, 0, 4);
}
