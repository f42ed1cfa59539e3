// Owns the UDP header (RFC 768) as RoCEv2 uses it (IBA vol 1, A17).
import { setU16, u16, within } from "./bytes.ts";
import { GRH_BYTES, GRH_SGID } from "./grh.ts";
import { addPseudoHeader, addWords, foldChecksum } from "./internet-checksum.ts";
import { IPV4_BYTES, IPV4_SOURCE, PROTOCOL } from "./ipv4.ts";

export const UDP_BYTES = 8;
/** The destination port of RoCEv2 (IBA vol 1, A17.4.5). */
export const ROCE_PORT = 4791;

/** Fields of a UDP header. */
export class Udp {
  sourcePort = 0;
  destinationPort = 0;
  /** Bytes of header and payload. */
  length = 0;
  /** 0 stands for none, which RoCEv2 allows over IPv6 too. */
  checksum = 0;
}

/** Reads the header at `at`. */
export function readUdp(bytes: Uint8Array, at: number, into: Udp): void {
  into.sourcePort = u16(bytes, at);
  into.destinationPort = u16(bytes, at + 2);
  into.length = u16(bytes, at + 4);
  into.checksum = u16(bytes, at + 6);
}

/** Writes the header at `at`. RangeError for a value that its field cannot hold. */
export function writeUdp(bytes: Uint8Array, at: number, from: Udp): void {
  setU16(bytes, at, from.sourcePort);
  setU16(bytes, at + 2, from.destinationPort);
  setU16(bytes, at + 4, from.length);
  setU16(bytes, at + 6, from.checksum);
}

/** The checksum of the datagram whose header is at `at`, right behind an IP header of the family without options. */
export function udpChecksum(bytes: Uint8Array, at: number, family: 4 | 6): number {
  const length = u16(bytes, at + 4);
  const pseudo =
    family === 4
      ? addPseudoHeader(bytes, at - IPV4_BYTES + IPV4_SOURCE, 8, PROTOCOL.udp, length)
      : addPseudoHeader(bytes, at - GRH_BYTES + GRH_SGID, 32, PROTOCOL.udp, length);
  const upToChecksum = addWords(pseudo, bytes, at, at + 6);
  const checksum = foldChecksum(addWords(upToChecksum, bytes, at + UDP_BYTES, at + length));
  // Zero would say that there is none (RFC 768).
  return checksum === 0 ? 0xffff : checksum;
}

/** The source port for a flow label of 20 bits (Linux ib_verbs.h, rdma_flow_label_to_udp_sport). */
export function sourcePortOfFlow(flowLabel: number): number {
  const label = within(flowLabel, 0xfffff);
  return 0xc000 | ((label & 0x3fff) ^ ((label & 0xfc000) >> 14));
}
