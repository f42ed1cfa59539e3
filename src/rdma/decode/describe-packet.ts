// Owns the report of one packet: what it is, whether it is whole, and what it carries.
import { Bth, Deth, readBth, readDeth } from "../codec/bth.ts";
import { u16, u32 } from "../codec/bytes.ts";
import { isVlanType } from "../codec/ethernet.ts";
import { describeFault, FAULT } from "../codec/fault.ts";
import type { Fault } from "../codec/fault.ts";
import { GRH_DGID, GRH_SGID } from "../codec/grh.ts";
import { computeIcrc, ICRC_BYTES, setIcrc } from "../codec/icrc.ts";
import { IPV4_DESTINATION, IPV4_SOURCE } from "../codec/ipv4.ts";
import { locateEthernet, locateInfiniband, locateNetwork } from "../codec/locate.ts";
import { Lrh, readLrh } from "../codec/lrh.ts";
import { opcodeName } from "../codec/opcodes.ts";
import { PacketParts } from "../codec/packet-parts.ts";
import { computeVcrc, setVcrc, VCRC_BYTES } from "../codec/vcrc.ts";
import type { CapturedPacket } from "./captured-packet.ts";
import { describeMembership } from "./describe-membership.ts";
import { describePayload } from "./describe-payload.ts";
import type { PacketReport } from "./report.ts";
import { addressText, hex, hexBytes } from "./texts.ts";

const parts = new PacketParts();
const [lrh, bth, deth] = [new Lrh(), new Bth(), new Deth()];

/** Tells what a packet is. */
export function describePacket(packet: CapturedPacket): PacketReport {
  const { bytes, from, to, wireBytes } = packet;
  const fault = locate(packet);
  const report: PacketReport = {
    number: packet.number,
    time: `${packet.seconds}.${String(packet.nanoseconds).padStart(9, "0")}`,
    bytes: wireBytes,
    ...(to - from < wireBytes ? { kept: to - from } : {}),
    kind: kindOf(),
    icrc: "absent",
    vcrc: "absent",
  };
  if (parts.vlan >= 0) report.vlans = vlanIds(bytes);
  addEnds(report, bytes);
  if (fault === FAULT.notRdma) {
    addOther(report, bytes, to);
    return report;
  }
  if (fault !== FAULT.none) report.fault = describeFault(fault);
  addChecks(report, bytes);
  if (parts.bth >= 0) addTransport(report, bytes);
  if (fault === FAULT.none) describePayload(report, parts, bytes);
  return report;
}

/** Whether the packet itself is at fault, and not just the capture, which was limited. */
export function isBroken(report: PacketReport): boolean {
  return report.fault !== undefined && report.kept === undefined;
}

function locate(packet: CapturedPacket): Fault {
  const { bytes, from, to } = packet;
  switch (packet.linkLayer) {
    case "ethernet":
      return locateEthernet(parts, bytes, from, to);
    case "infiniband":
      return locateInfiniband(parts, bytes, from, to);
    case "linux-sll":
      return locateCooked(bytes, from + 14, from + 16, to);
    case "linux-sll2":
      return locateCooked(bytes, from, from + 20, to);
    case "unknown":
      parts.clear();
      return FAULT.notRdma;
  }
}

/** What `tcpdump -i any` captures: the type of frame at `type`, and what it holds at `at`. */
function locateCooked(bytes: Uint8Array, type: number, at: number, to: number): Fault {
  parts.clear();
  return at > to ? FAULT.header : locateNetwork(parts, bytes, u16(bytes, type), at, to);
}

function kindOf(): PacketReport["kind"] {
  if (parts.lrh >= 0) return "infiniband";
  if (parts.grh >= 0) return "rocev1";
  return parts.udp >= 0 ? "rocev2" : "other";
}

function vlanIds(bytes: Uint8Array): number[] {
  const outer = u16(bytes, parts.vlan) & 0x0fff;
  return isVlanType(u16(bytes, parts.vlan + 2)) ? [outer, u16(bytes, parts.vlan + 4) & 0x0fff] : [outer];
}

function addEnds(report: PacketReport, bytes: Uint8Array): void {
  const { grh, ipv4, ipv6 } = parts;
  if (parts.lrh >= 0) {
    readLrh(bytes, parts.lrh, lrh);
    report.lrh = { vl: lrh.vl, sl: lrh.sl, slid: lrh.slid, dlid: lrh.dlid };
  }
  const header = grh >= 0 ? grh : ipv6;
  if (header >= 0) {
    report.source = addressText(bytes, header + GRH_SGID, 16);
    report.destination = addressText(bytes, header + GRH_DGID, 16);
  } else if (ipv4 >= 0) {
    report.source = addressText(bytes, ipv4 + IPV4_SOURCE, 4);
    report.destination = addressText(bytes, ipv4 + IPV4_DESTINATION, 4);
  }
  if (parts.udp >= 0) report.udpPort = u16(bytes, parts.udp);
}

function addOther(report: PacketReport, bytes: Uint8Array, to: number): void {
  const about = describeMembership(parts, bytes, to);
  if (typeof about === "object") {
    report.kind = "membership";
    report.membership = about;
    return;
  }
  if (about !== undefined) report.fault = about;
  if (parts.etherType !== 0) report.etherType = hex(parts.etherType, 4);
}

function addChecks(report: PacketReport, bytes: Uint8Array): void {
  if (parts.icrc >= 0) {
    const expected = new Uint8Array(ICRC_BYTES);
    setIcrc(expected, 0, computeIcrc(parts, bytes));
    const is = hexBytes(bytes, parts.icrc, ICRC_BYTES);
    report.icrc = is === hexBytes(expected, 0, ICRC_BYTES) ? "ok" : "bad";
    if (report.icrc === "bad") report.wrong = { icrc: { is, expected: hexBytes(expected, 0, ICRC_BYTES) } };
  }
  if (parts.vcrc >= 0) {
    const expected = new Uint8Array(VCRC_BYTES);
    setVcrc(expected, 0, computeVcrc(bytes, parts.lrh, parts.vcrc));
    const is = hexBytes(bytes, parts.vcrc, VCRC_BYTES);
    report.vcrc = is === hexBytes(expected, 0, VCRC_BYTES) ? "ok" : "bad";
    if (report.vcrc === "bad")
      report.wrong = { ...report.wrong, vcrc: { is, expected: hexBytes(expected, 0, VCRC_BYTES) } };
  }
}

function addTransport(report: PacketReport, bytes: Uint8Array): void {
  readBth(bytes, parts.bth, bth);
  report.opcode = opcodeName(bth.opcode) ?? hex(bth.opcode, 2);
  report.destQp = bth.destQp;
  if (parts.deth >= 0) {
    readDeth(bytes, parts.deth, deth);
    report.srcQp = deth.srcQp;
    report.qKey = deth.qKey;
  }
  report.pKey = bth.pKey;
  report.psn = bth.psn;
  if (parts.imm >= 0) report.immediate = u32(bytes, parts.imm);
  if (parts.payload >= 0) report.payloadBytes = parts.payloadEnd - parts.payload;
  const flags = (["solicited", "migrated", "fecn", "becn", "ackRequest"] as const).filter((flag) => bth[flag]);
  if (flags.length > 0) report.flags = flags;
}
