// Owns what is counted over a capture, and which packets are wanted.
import { opcodeName, opcodeNumber } from "../codec/opcodes.ts";
import { isBroken } from "./describe-packet.ts";
import type { Check, PacketReport } from "./report.ts";
import { hex } from "./texts.ts";

/** How many packets there were, of what kind, and how the checks of those with RDMA came out. */
export interface Counts {
  packets: number;
  /** Those that the filter let through. */
  shown: number;
  rdma: number;
  icrc: Record<Check, number>;
  /** Of InfiniBand packets. */
  vcrc: Record<Check, number>;
  /** Packets that are not what they say they are. */
  broken: number;
}

/** No packets yet. */
export function newCounts(): Counts {
  const none = { ok: 0, bad: 0, absent: 0 };
  return { packets: 0, shown: 0, rdma: 0, icrc: { ...none }, vcrc: { ...none }, broken: 0 };
}

/** Which packets are wanted; all that is given has to hold. */
export interface Wish {
  /** Source or destination. */
  qp?: number;
  opcode?: string;
  /** With a wrong CRC, or broken. */
  bad?: boolean;
}

/** Counts a packet; `shown` is the caller's to count. */
export function countPacket(counts: Counts, report: PacketReport): void {
  counts.packets++;
  if (isBroken(report)) counts.broken++;
  if (report.kind === "other" || report.kind === "membership") return;
  counts.rdma++;
  counts.icrc[report.icrc]++;
  if (report.kind === "infiniband") counts.vcrc[report.vcrc]++;
}

/** Whether a packet is wanted. */
export function isWanted({ qp, opcode, bad }: Wish, report: PacketReport): boolean {
  if (qp !== undefined && report.destQp !== qp && report.srcQp !== qp) return false;
  if (opcode !== undefined && report.opcode !== opcode) return false;
  return bad !== true || report.wrong !== undefined || isBroken(report);
}

/** Whether something is wrong with what was counted. */
export function foundDamage({ icrc, vcrc, broken }: Counts): boolean {
  return icrc.bad + vcrc.bad + broken > 0;
}

/** The opcode as reports have it, of a name in any case or a number from 0 to 0xff; undefined when there is none such. */
export function parseOpcode(text: string): string | undefined {
  const name = text.toUpperCase().replaceAll("-", "_");
  if (opcodeNumber(name) !== undefined) return name;
  const number = /^(0[xX][0-9a-fA-F]{1,2}|\d{1,3})$/.test(text) ? Number(text) : 256;
  return number > 0xff ? undefined : (opcodeName(number) ?? hex(number, 2));
}
