// Owns how decoded packets look to people: a line each, and one below for what it carries.
import type { IpoibReport, MembershipReport, PacketReport, SaReport, SidrReport } from "../../rdma/decode/report.ts";
import type { Counts } from "../../rdma/decode/tally.ts";
import type { Paint } from "./style.ts";

const WIRES = { infiniband: "IB", rocev1: "RoCEv1", rocev2: "RoCEv2" } as const;
const FRAMES: Readonly<Record<string, string>> = { "0x0800": "IPv4", "0x0806": "ARP", "0x86dd": "IPv6" };
/** Zero in 64 bits. */
const NO_NUMBER = "0x0000000000000000";
/** Where the second line of a packet begins. */
const INDENT = " ".repeat(6);

/** One packet, without a line feed at the end. `start` is the time of the first packet. */
export function renderPacket(report: PacketReport, start: string, paint: Paint): string {
  const number = String(report.number).padStart(5);
  const below = [...carried(report), ...faults(report, paint)].map((line) => `\n${INDENT} ${line}`);
  return `${paint("dim", `${number} ${sinceText(report.time, start)}`)} ${headline(report, paint)}${below.join("")}`;
}

/** What was found, in a sentence or two. */
export function renderCounts({ packets, shown, rdma, icrc, vcrc, broken }: Counts): string {
  const checks = [`ICRC ${checkText(icrc)}`, ...(vcrc.ok + vcrc.bad > 0 ? [`VCRC ${checkText(vcrc)}`] : [])];
  const counted = `${count(packets, "packet")}, ${rdma} of RDMA`;
  const whole = rdma > 0 ? `${counted}: ${checks.join("; ")}.` : `${counted}.`;
  const more = [
    ...(broken > 0 ? [`${count(broken, "packet")} broken.`] : []),
    ...(shown < packets ? [`${shown} shown.`] : []),
  ];
  return [whole, ...more].join(" ");
}

function checkText({ ok, bad, absent }: Counts["icrc"]): string {
  return [`${ok} ok`, ...(bad > 0 ? [`${bad} bad`] : []), ...(absent > 0 ? [`${absent} absent`] : [])].join(", ");
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** Seconds since the start, with six decimals as other tools have them. */
function sinceText(time: string, start: string): string {
  const [seconds = 0, nanoseconds = 0] = time.split(".").map(Number);
  const [first = 0, firstNanoseconds = 0] = start.split(".").map(Number);
  return (seconds - first + (nanoseconds - firstNanoseconds) / 1e9).toFixed(6).padStart(11);
}

function headline(report: PacketReport, paint: Paint): string {
  const words = [...tags(report), endsText(report)];
  if (report.kind === "other" || report.kind === "membership") {
    const type = report.etherType ?? "";
    words.push(report.membership?.protocol ?? FRAMES[type] ?? (type || "not known"), count(report.bytes, "byte"));
    return paint("dim", words.filter((word) => word !== "").join("  "));
  }
  words.unshift(WIRES[report.kind]);
  if (report.opcode !== undefined) words.push(paint("bold", report.opcode), pairText(report));
  if (report.qKey !== undefined) words.push(`qkey ${hex(report.qKey, 8)}`);
  if (report.psn !== undefined) words.push(`psn ${report.psn}`);
  if (report.immediate !== undefined) words.push(`imm ${hex(report.immediate, 8)}`);
  if (report.payloadBytes !== undefined) words.push(count(report.payloadBytes, "byte"));
  // Every adapter sets this one, or none of them.
  words.push((report.flags ?? []).filter((flag) => flag !== "migrated").join(" "));
  words.push(checksText(report, paint));
  return words.filter((word) => word !== "").join("  ");
}

function tags({ vlans, lrh }: PacketReport): string[] {
  const vlan = vlans === undefined ? [] : [`vlan ${vlans.join(".")}`];
  return lrh === undefined ? vlan : [...vlan, `vl ${lrh.vl} sl ${lrh.sl}`];
}

function endsText({ source, destination, lrh, udpPort }: PacketReport): string {
  const from = [lrh && lidText(lrh.slid), source && withPort(source, udpPort)].filter(Boolean).join(" ");
  const to = [lrh && lidText(lrh.dlid), destination].filter(Boolean).join(" ");
  return from === "" ? "" : `${from} > ${to}`;
}

/** Those of multicast groups are known by their hexadecimal digits. */
function lidText(lid: number): string {
  return `lid ${lid < 0xc000 ? lid : hex(lid, 4)}`;
}

function withPort(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function pairText({ srcQp, destQp = 0 }: PacketReport): string {
  return srcQp === undefined ? `qp ${hex(destQp, 1)}` : `qp ${hex(srcQp, 1)} > ${hex(destQp, 1)}`;
}

function checksText({ kind, icrc, vcrc, wrong }: PacketReport, paint: Paint): string {
  const checks = [["icrc", icrc, wrong?.icrc] as const, ["vcrc", vcrc, wrong?.vcrc] as const];
  return checks
    .filter(([name]) => name === "icrc" || kind === "infiniband")
    .map(([name, check, is]) => {
      if (is === undefined) return `${name} ${check}`;
      return paint(["bold", "red"], `${name.toUpperCase()} BAD (is ${is.is}, expected ${is.expected})`);
    })
    .join("  ");
}

function faults({ fault, kept, bytes }: PacketReport, paint: Paint): string[] {
  if (fault === undefined) return [];
  // Where the capture kept a part only, the packet is not to blame.
  return [kept === undefined ? paint("red", `! ${fault}`) : `captured ${kept} of ${bytes} bytes: ${fault}`];
}

function carried({ mad, sidr, sa, ipoib, membership }: PacketReport): string[] {
  const lines: string[] = [];
  if (sidr) lines.push(sidrText(sidr));
  else if (mad) {
    const answer = mad.method.endsWith("Resp") ? `: ${mad.meaning}` : "";
    lines.push(`${mad.class} ${mad.method} ${mad.attribute} tid ${mad.tid}${answer}${sa ? ` ${recordText(sa)}` : ""}`);
  }
  if (ipoib) lines.push(ipoibText(ipoib));
  if (membership) lines.push(...membershipLines(membership));
  return lines;
}

function sidrText(sidr: SidrReport): string {
  const { message, requestId, serviceId, service, source, sourcePort, destination, status, meaning, qpn, qKey } = sidr;
  const words = [`${message} ${hex(requestId, 8)}`, `service ${serviceId}`];
  if (service) words.push(`(${service.protocol} port ${service.port})`);
  if (source !== undefined) words.push(`from ${withPort(source, sourcePort)} to ${destination}`);
  if (status === 0) words.push(`qp ${hex(qpn ?? 0, 1)} qkey ${hex(qKey ?? 0, 8)}`);
  else if (meaning !== undefined) words.push(`refused: ${meaning}`);
  if (sidr.privateData !== "") words.push(`private ${privateText(sidr.privateData)}`);
  return words.join(" ");
}

/** Bytes as text where they are printable ASCII, as digits otherwise. */
function privateText(digits: string): string {
  const bytes = digits.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [];
  const printable = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  return printable ? JSON.stringify(String.fromCharCode(...bytes)) : digits;
}

/** The record's values that are not zero: the others were seldom meant. */
function recordText({ record }: SaReport): string {
  return Object.entries(record)
    .filter(([, value]) => value !== 0 && value !== "" && value !== "::" && value !== NO_NUMBER)
    .map(([name, value]) => `${name} ${typeof value === "number" && value > 9 ? hex(value, 1) : value}`)
    .join(", ");
}

function ipoibText({ type, source, destination, arp }: IpoibReport): string {
  if (!arp) return `IPoIB ${type} ${source} > ${destination}`;
  const { operation, sender, target } = arp;
  const who = `${sender.address} (qp ${hex(sender.qpn, 1)} ${sender.gid})`;
  if (operation === 1) return `IPoIB ARP: who has ${target.address}? asks ${who}`;
  return `IPoIB ARP: ${who} tells ${target.address}${operation === 2 ? "" : ` (operation ${operation})`}`;
}

function membershipLines({ kind, group, sources, records }: MembershipReport): string[] {
  const from = (list: readonly string[] | undefined): string =>
    list && list.length > 0 ? ` from ${list.join(", ")}` : "";
  if (records) return records.map(({ type, group: of, sources: list }) => `${type} ${of}${from(list)}`);
  return [`${kind} ${group}${from(sources)}`];
}

function hex(number: number, digits: number): string {
  return `0x${number.toString(16).padStart(digits, "0")}`;
}
