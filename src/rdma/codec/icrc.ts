// Owns the invariant CRC: end to end, over everything that no switch or router changes (IBA vol 1, 7.8.1; A16.5.1 for
// RoCEv1, A17.5.1 for RoCEv2; Linux drivers/infiniband/sw/rxe/rxe_icrc.c). docs/RDMA.md has the rules in a table.
import { BTH_BYTES } from "./bth.ts";
import { setU32le, u32le, u8 } from "./bytes.ts";
import { CRC32, crcByte, crcBytes, shiftCrc32 } from "./crc.ts";
import { GRH_BYTES } from "./grh.ts";
import { IPV4_BYTES } from "./ipv4.ts";
import { LRH_BYTES } from "./lrh.ts";
import type { PacketParts } from "./packet-parts.ts";
import { UDP_BYTES } from "./udp.ts";

export const ICRC_BYTES = 4;

const INITIAL = -1;

/** The register after eight bytes FF, which stand for an LRH that is absent or masked as a whole. */
const AFTER_NO_LRH = crcBytes(CRC32, INITIAL, new Uint8Array(8).fill(0xff), 0, 8);

/** The ICRC that the packet should have, as the number that setIcrc stores. It must have been located without a fault. */
export function computeIcrc(parts: PacketParts, bytes: Uint8Array): number {
  const head = parts.bth + BTH_BYTES;
  return ~crcBytes(CRC32, icrcHead(parts, bytes, head), bytes, head, parts.icrc) >>> 0;
}

/** Whether the packet, which was located without a fault, has the ICRC that it should have. */
export function icrcIsRight(parts: PacketParts, bytes: Uint8Array): boolean {
  return computeIcrc(parts, bytes) === u32le(bytes, parts.icrc);
}

/** Stores the ICRC of a located packet: least significant byte first. */
export function setIcrc(bytes: Uint8Array, at: number, icrc: number): void {
  setU32le(bytes, at, icrc);
}

/**
 * The CRC's register after the masked headers up to `until`, which is the end of the BTH or lies behind it. Two of
 * them, of a packet before and after its headers were changed, are what icrcOfChange needs.
 */
export function icrcHead(parts: PacketParts, bytes: Uint8Array, until: number): number {
  const { lrh, grh, ipv4, ipv6, udp, bth } = parts;
  let register = AFTER_NO_LRH;
  if (lrh >= 0 && grh < 0) {
    // Only the virtual lane may change within a subnet.
    register = crcByte(CRC32, INITIAL, u8(bytes, lrh) | 0xf0);
    register = crcBytes(CRC32, register, bytes, lrh + 1, lrh + LRH_BYTES);
  }
  if (grh >= 0) register = maskGrh(register, bytes, grh);
  else if (ipv4 >= 0) register = maskIpv4(register, bytes, ipv4);
  else if (ipv6 >= 0) register = maskGrh(register, bytes, ipv6);
  if (udp >= 0) {
    register = crcBytes(CRC32, register, bytes, udp, udp + UDP_BYTES - 2);
    register = maskBytes(register, 2);
  }
  register = crcBytes(CRC32, register, bytes, bth, bth + 4);
  // The congestion bits.
  register = maskBytes(register, 1);
  return crcBytes(CRC32, register, bytes, bth + 5, until);
}

/**
 * The ICRC after a change of headers, from the one before it, by the linearity of CRCs: neither is the payload read,
 * nor does a wrong ICRC become a right one, so that damage from before the change is still seen after it.
 * `before` and `after` are icrcHead of both; `tail` bytes between them and the ICRC stayed as they were.
 */
export function icrcOfChange(icrc: number, before: number, after: number, tail: number): number {
  return (icrc ^ shiftCrc32(before ^ after, tail)) >>> 0;
}

function maskBytes(register: number, count: number): number {
  for (let i = 0; i < count; i++) register = crcByte(CRC32, register, 0xff);
  return register;
}

/** GRH and IPv6 header: traffic class, flow label and hop limit are masked. */
function maskGrh(register: number, bytes: Uint8Array, at: number): number {
  register = crcByte(CRC32, register, u8(bytes, at) | 0x0f);
  register = maskBytes(register, 3);
  register = crcBytes(CRC32, register, bytes, at + 4, at + 7);
  register = maskBytes(register, 1);
  return crcBytes(CRC32, register, bytes, at + 8, at + GRH_BYTES);
}

/** IPv4 header: type of service, time to live and checksum are masked. */
function maskIpv4(register: number, bytes: Uint8Array, at: number): number {
  register = crcByte(CRC32, register, u8(bytes, at));
  register = maskBytes(register, 1);
  register = crcBytes(CRC32, register, bytes, at + 2, at + 8);
  register = maskBytes(register, 1);
  register = crcByte(CRC32, register, u8(bytes, at + 9));
  register = maskBytes(register, 2);
  return crcBytes(CRC32, register, bytes, at + 12, at + IPV4_BYTES);
}
