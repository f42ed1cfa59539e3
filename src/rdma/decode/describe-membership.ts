// Owns what is told of messages about multicast groups.
import { GROUP_RECORD, GroupRecord, readGroupRecord } from "../codec/group-record.ts";
import { readMembership } from "../codec/locate-membership.ts";
import { addressBytes, Membership } from "../codec/membership.ts";
import type { MembershipFault } from "../codec/membership.ts";
import type { PacketParts } from "../codec/packet-parts.ts";
import type { MembershipReport } from "./report.ts";
import { addressText } from "./texts.ts";

const FAULTS: Readonly<Record<Exclude<MembershipFault, "other">, string>> = {
  short: "it ends within a message about multicast groups",
  checksum: "the checksum of its message about multicast groups is wrong",
  records: "the records of its message about multicast groups do not fit in it",
};

/** Names of record types as in GROUP_RECORD, with hyphens. */
const TYPES = new Map<number, string>(
  Object.entries(GROUP_RECORD).map(([name, type]) => [
    type,
    name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`),
  ]),
);

const message = new Membership();
const record = new GroupRecord();

/** The message in a packet that was located: a report, the fault of a broken one, or undefined where there is none. */
export function describeMembership(
  parts: PacketParts,
  bytes: Uint8Array,
  to: number,
): MembershipReport | string | undefined {
  const fault = readMembership(parts, bytes, to, message);
  if (fault !== undefined) return fault === "other" ? undefined : FAULTS[fault];
  const { family, version, kind } = message;
  const length = addressBytes(message);
  const report: MembershipReport = { protocol: `${family === 4 ? "IGMP" : "MLD"}v${version}`, kind };
  if (message.group >= 0) report.group = addressText(bytes, message.group, length);
  if (message.sourceCount > 0) report.sources = addresses(bytes, message.sources, message.sourceCount, length);
  if (kind !== "report") return report;
  report.records = [];
  for (let next = message.records; report.records.length < message.recordCount;) {
    next = readGroupRecord(bytes, next, to, length, record);
    report.records.push({
      type: TYPES.get(record.type) ?? String(record.type),
      group: addressText(bytes, record.group, length),
      sources: addresses(bytes, record.sources, record.sourceCount, length),
    });
  }
  return report;
}

function addresses(bytes: Uint8Array, at: number, count: number, length: number): string[] {
  return Array.from({ length: count }, (_, i) => addressText(bytes, at + i * length, length));
}
