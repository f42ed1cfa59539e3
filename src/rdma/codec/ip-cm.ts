// Owns the conventions of IP over the communication manager (IBA vol 1, A11): service ids made of ports, and the header
// at the start of a request's private data.
//
//     MajV:4 MinV:4 | IPV:4 rsv:4 | source port:16 | source:128 | destination:128
import { copyBytes, setU16, setU8, u16, u8 } from "./bytes.ts";

export const IP_CM_BYTES = 36;
/** Where source and destination stand in the header; an IPv4 address fills the last 4 of the 16 bytes. */
const IP_CM_SOURCE = 4;
const IP_CM_DESTINATION = 20;

/** The higher half of a service id of the convention: 0x0000000001, a protocol, a port. */
const SERVICE_HIGH = 0x00000000;
const SERVICE_PREFIX = 0x01;

/** The lower half of a service's id; the higher is 0. `protocol` is 17 (UDP) or 6 (TCP). */
export function ipServiceLow(protocol: number, port: number): number {
  return (SERVICE_PREFIX << 24) | (protocol << 16) | port;
}

/** The protocol of a service id's halves; −1 when the id is none of the convention. */
export function ipServiceProtocol(high: number, low: number): number {
  return high === SERVICE_HIGH && low >>> 24 === SERVICE_PREFIX ? (low >>> 16) & 0xff : -1;
}

/** The port of a service id of the convention. */
export function ipServicePort(low: number): number {
  return low & 0xffff;
}

/** Fields of the header. */
export class IpCm {
  /** 4 or 6. */
  ipVersion = 4;
  sourcePort = 0;
  /** 16 bytes; of an IPv4 address the last 4. */
  readonly source = new Uint8Array(16);
  readonly destination = new Uint8Array(16);
}

/** Reads the header at `at`. False when it is none: another version of the convention, or neither IPv4 nor IPv6. */
export function readIpCm(bytes: Uint8Array, at: number, into: IpCm): boolean {
  const ipVersion = u8(bytes, at + 1) >> 4;
  if (u8(bytes, at) !== 0 || (ipVersion !== 4 && ipVersion !== 6)) return false;
  into.ipVersion = ipVersion;
  into.sourcePort = u16(bytes, at + 2);
  copyBytes(into.source, 0, bytes, at + IP_CM_SOURCE, 16);
  copyBytes(into.destination, 0, bytes, at + IP_CM_DESTINATION, 16);
  return true;
}

/** Writes the header at `at`. RangeError for a value that its field cannot hold. */
export function writeIpCm(bytes: Uint8Array, at: number, from: IpCm): void {
  setU8(bytes, at, 0);
  setU8(bytes, at + 1, from.ipVersion << 4);
  setU16(bytes, at + 2, from.sourcePort);
  copyBytes(bytes, at + IP_CM_SOURCE, from.source, 0, 16);
  copyBytes(bytes, at + IP_CM_DESTINATION, from.destination, 0, 16);
}
