// Owns what is told of the payload of UD packets: management datagrams and IP over InfiniBand.
import { bthDestQp, GSI_QP, SMI_QP } from "../codec/bth.ts";
import { u16, u8 } from "../codec/bytes.ts";
import { CM_ATTRIBUTE } from "../codec/cm.ts";
import { ETHERTYPE } from "../codec/ethernet.ts";
import { GRH_BYTES, GRH_DGID, GRH_SGID } from "../codec/grh.ts";
import { IPOIB_BYTES, IpoibArp, ipoibType, readIpoibArp } from "../codec/ipoib.ts";
import type { IpoibAddress } from "../codec/ipoib.ts";
import { IPV4_BYTES, IPV4_DESTINATION, IPV4_SOURCE } from "../codec/ipv4.ts";
import { MAD_BYTES, MadHeader, MANAGEMENT_CLASS, METHOD, readMadHeader } from "../codec/mad.ts";
import type { PacketParts } from "../codec/packet-parts.ts";
import { readRecord } from "../codec/record.ts";
import type { Layout } from "../codec/record.ts";
import { describeStatus, readSaHeader, SA_DATA } from "../codec/sa.ts";
import { SA_RECORDS } from "../codec/sa-records.ts";
import { describeSidr } from "./describe-sidr.ts";
import type { IpoibReport, MadReport, PacketReport, SaReport } from "./report.ts";
import { addressText, hex, hexOfUsed } from "./texts.ts";

const header = new MadHeader();
const arp = new IpoibArp();

/** Adds what the payload says to the report of a packet without fault. */
export function describePayload(report: PacketReport, parts: PacketParts, bytes: Uint8Array): void {
  const { payload, payloadEnd } = parts;
  if (parts.deth < 0) return;
  const destQp = bthDestQp(bytes, parts.bth);
  if (destQp === SMI_QP || destQp === GSI_QP) {
    if (payloadEnd - payload === MAD_BYTES) describeMad(report, bytes, payload);
  } else if (parts.lrh >= 0) {
    const found = describeIpoib(bytes, payload, payloadEnd);
    if (found) report.ipoib = found;
  }
}

const CLASS_NAMES = new Map<number, string>([
  [MANAGEMENT_CLASS.subnetLid, "SMP"],
  [MANAGEMENT_CLASS.subnetDirected, "SMP directed"],
  [MANAGEMENT_CLASS.sa, "SA"],
  [MANAGEMENT_CLASS.performance, "PM"],
  [MANAGEMENT_CLASS.cm, "CM"],
]);
const METHOD_NAMES = new Map<number, string>(
  Object.entries(METHOD).map(([name, method]) => [method, `${name.charAt(0).toUpperCase()}${name.slice(1)}`]),
);
/** Messages of the communication manager by their attributes (IBA vol 1, 12.6). */
const CM_NAMES = new Map<number, string>(
  ["REQ", "MRA", "REJ", "REP", "RTU", "DREQ", "DREP", "SIDR_REQ", "SIDR_REP", "LAP", "APR"].map((name, i) => [
    0x10 + i,
    name,
  ]),
);
const CLASS_PORT_INFO = 1;

function describeMad(report: PacketReport, bytes: Uint8Array, at: number): void {
  readMadHeader(bytes, at, header);
  const { managementClass, method, answer, attribute, status } = header;
  const mad: MadReport = {
    class: CLASS_NAMES.get(managementClass) ?? hex(managementClass, 2),
    method: `${METHOD_NAMES.get(method) ?? hex(method, 2)}${answer ? "Resp" : ""}`,
    attribute: hex(attribute, 4),
    tid: hex((BigInt(header.tidHigh) << 32n) | BigInt(header.tidLow), 16),
    status,
    // The upper half is each class's own.
    meaning: managementClass === MANAGEMENT_CLASS.sa || status < 0x100 ? describeStatus(status) : hex(status, 4),
  };
  report.mad = mad;
  if (attribute === CLASS_PORT_INFO) mad.attribute = "ClassPortInfo";
  if (managementClass === MANAGEMENT_CLASS.cm) {
    mad.attribute = CM_NAMES.get(attribute) ?? mad.attribute;
    if (attribute === CM_ATTRIBUTE.sidrReq || attribute === CM_ATTRIBUTE.sidrRep) {
      report.sidr = describeSidr(bytes, at, attribute);
    }
  }
  const record = managementClass === MANAGEMENT_CLASS.sa ? SA_RECORDS.get(attribute) : undefined;
  if (record) {
    mad.attribute = record.name;
    report.sa = describeRecord(record.layout, bytes, at, answer);
  }
}

/** The record's fields: of answers and of records without component mask all, of requests those that the mask names. */
function describeRecord(layout: Layout, bytes: Uint8Array, at: number, answer: boolean): SaReport {
  const { componentMask } = readSaHeader(bytes, at);
  const record: SaReport["record"] = {};
  for (const [name, value] of Object.entries(readRecord(layout, bytes, at + SA_DATA))) {
    const { component } = layout.fields[name] ?? {};
    if (!answer && component !== undefined && ((componentMask >> BigInt(component)) & 1n) === 0n) continue;
    if (typeof value === "number") record[name] = value;
    else if (typeof value === "bigint") record[name] = hex(value, 16);
    else record[name] = /gid$/i.test(name) ? addressText(value, 0, 16) : hexOfUsed(value, 0, value.length);
  }
  return { record };
}

/** IP over InfiniBand has no mark of its own: a type that is IP's, zeros behind it, and what the type says behind those. */
function describeIpoib(bytes: Uint8Array, at: number, to: number): IpoibReport | undefined {
  const datagram = at + IPOIB_BYTES;
  if (datagram >= to || u16(bytes, at + 2) !== 0) return undefined;
  const type = ipoibType(bytes, at);
  const version = u8(bytes, datagram) >> 4;
  if (type === ETHERTYPE.ipv4 && version === 4 && datagram + IPV4_BYTES <= to) {
    const source = addressText(bytes, datagram + IPV4_SOURCE, 4);
    return { type: "ipv4", source, destination: addressText(bytes, datagram + IPV4_DESTINATION, 4) };
  }
  if (type === ETHERTYPE.ipv6 && version === 6 && datagram + GRH_BYTES <= to) {
    const source = addressText(bytes, datagram + GRH_SGID, 16);
    return { type: "ipv6", source, destination: addressText(bytes, datagram + GRH_DGID, 16) };
  }
  if (type !== ETHERTYPE.arp || !readIpoibArp(bytes, datagram, to, arp)) return undefined;
  const end = ({ qpn, gid }: IpoibAddress, ip: Uint8Array) => {
    return { address: addressText(ip, 0, 4), qpn, gid: addressText(gid, 0, 16) };
  };
  const { operation, sender, senderIp, target, targetIp } = arp;
  return { type: "arp", arp: { operation, sender: end(sender, senderIp), target: end(target, targetIp) } };
}
