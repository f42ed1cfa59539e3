// Owns messages about multicast groups on IP: IGMP (RFC 3376; versions 1 and 2 in section 7) and MLD (RFC 3810; version
// 1 in section 8). Both say the same in almost the same bytes.
//
//     IGMP query   11 | code | checksum | group 4 | rsv:4 S:1 QRV:3 | QQIC | number of sources | sources
//     IGMP report  22 | rsv  | checksum | rsv 16  | number of records | records
//     MLD query    130 | 0 | checksum | code 16 | rsv 16 | group 16 | rsv:4 S:1 QRV:3 | QQIC | sources as above
//     MLD report   143 | 0 | checksum | rsv 16  | number of records | records
import { copyBytes, setU16, setU8, u16, u8, within } from "./bytes.ts";
import { GroupRecord, readGroupRecord, writeGroupRecords } from "./group-record.ts";
import type { GroupReport } from "./group-record.ts";
import { addPseudoHeader, addWords, foldChecksum } from "./internet-checksum.ts";
import { PROTOCOL } from "./ipv4.ts";

/** Types of messages. */
export const IGMP = { query: 0x11, report1: 0x12, report2: 0x16, leave: 0x17, report: 0x22 } as const;
export const MLD = { query: 130, report1: 131, done: 132, report: 143 } as const;

/** What a message is, whatever its protocol and version. */
export type MembershipKind = "query" | "report" | "join" | "leave";

/** Why bytes are no message about groups. */
export type MembershipFault = "other" | "short" | "checksum" | "records";

/** A message about groups: where its parts are. */
export class Membership {
  family: 4 | 6 = 4;
  /** `report` has records, `join` and `leave` are of the older versions and have a group. */
  kind: MembershipKind = "query";
  /** The version of the protocol: IGMP 1 to 3, MLD 1 or 2. */
  version = 0;
  /** Offset of the group's address; −1 in reports. Zero, as an address, in general queries. */
  group = -1;
  /** Of queries: the field Max Resp Code. In IGMP tenths of a second, in MLD milliseconds; large ones are coded. */
  responseCode = 0;
  /** Of queries: routers are not to change their timers. */
  suppress = false;
  robustness = 0;
  intervalCode = 0;
  /** Of queries: where the sources are. */
  sources = -1;
  sourceCount = 0;
  /** Of reports: where the records are, and how many. */
  records = -1;
  recordCount = 0;
}

const scratch = new GroupRecord();

/** Reads the IGMP message from `at` up to `to`: undefined, or why it cannot be read. */
export function readIgmp(bytes: Uint8Array, at: number, to: number, into: Membership): MembershipFault | undefined {
  if (at + 8 > to) return "short";
  if (foldChecksum(addWords(0, bytes, at, to)) !== 0) return "checksum";
  into.family = 4;
  const type = u8(bytes, at);
  if (type === IGMP.report) return readReport(bytes, at, to, 3, into);
  into.records = -1;
  into.recordCount = 0;
  into.group = at + 4;
  into.responseCode = u8(bytes, at + 1);
  if (type === IGMP.query) {
    // Told apart as RFC 3376, 7.1 says.
    if (to - at >= 12) return readQuery(bytes, at + 8, to, 3, into);
    return readOld("query", into.responseCode === 0 ? 1 : 2, into);
  }
  if (type === IGMP.report1) return readOld("join", 1, into);
  if (type === IGMP.report2) return readOld("join", 2, into);
  return type === IGMP.leave ? readOld("leave", 2, into) : "other";
}

/**
 * Reads the MLD message from `at` up to `to`: undefined, or why it cannot be read. `addresses` is where the IPv6 header
 * has its source, which the checksum covers with the destination behind it.
 */
export function readMld(
  bytes: Uint8Array,
  at: number,
  to: number,
  addresses: number,
  into: Membership,
): MembershipFault | undefined {
  if (at + 8 > to) return "short";
  const type = u8(bytes, at);
  if (type !== MLD.query && type !== MLD.report1 && type !== MLD.done && type !== MLD.report) return "other";
  const pseudo = addPseudoHeader(bytes, addresses, 32, PROTOCOL.icmpv6, to - at);
  if (foldChecksum(addWords(pseudo, bytes, at, to)) !== 0) return "checksum";
  into.family = 6;
  if (type === MLD.report) return readReport(bytes, at, to, 2, into);
  if (at + 24 > to) return "short";
  into.records = -1;
  into.recordCount = 0;
  into.group = at + 8;
  into.responseCode = u16(bytes, at + 4);
  if (type === MLD.query) {
    return to - at >= 28 ? readQuery(bytes, at + 24, to, 2, into) : readOld("query", 1, into);
  }
  return readOld(type === MLD.done ? "leave" : "join", 1, into);
}

function readOld(kind: MembershipKind, version: number, into: Membership): undefined {
  into.kind = kind;
  into.version = version;
  into.suppress = false;
  into.robustness = 0;
  into.intervalCode = 0;
  into.sources = -1;
  into.sourceCount = 0;
}

function readQuery(
  bytes: Uint8Array,
  at: number,
  to: number,
  version: number,
  into: Membership,
): MembershipFault | undefined {
  readOld("query", version, into);
  const flags = u8(bytes, at);
  into.suppress = (flags & 0x08) !== 0;
  into.robustness = flags & 0x07;
  into.intervalCode = u8(bytes, at + 1);
  into.sources = at + 4;
  into.sourceCount = u16(bytes, at + 2);
  return into.sources + into.sourceCount * addressBytes(into) > to ? "short" : undefined;
}

function readReport(
  bytes: Uint8Array,
  at: number,
  to: number,
  version: number,
  into: Membership,
): MembershipFault | undefined {
  readOld("report", version, into);
  into.group = -1;
  into.responseCode = 0;
  into.records = at + 8;
  into.recordCount = u16(bytes, at + 6);
  let next = into.records;
  for (let i = 0; i < into.recordCount && next >= 0; i++) {
    next = readGroupRecord(bytes, next, to, addressBytes(into), scratch);
  }
  return next < 0 ? "records" : undefined;
}

/** Length of the message's addresses. */
export function addressBytes({ family }: Pick<Membership, "family">): 4 | 16 {
  return family === 4 ? 4 : 16;
}

/** Writes an IGMPv3 report at `at` and gives where it ends. */
export function writeIgmpReport(bytes: Uint8Array, at: number, records: readonly GroupReport[]): number {
  const end = writeReport(bytes, at, IGMP.report, records);
  setU16(bytes, at + 2, foldChecksum(addWords(0, bytes, at, end)));
  return end;
}

/** Writes an MLDv2 report at `at` and gives where it ends. `addresses` as in readMld: they are there already. */
export function writeMldReport(
  bytes: Uint8Array,
  at: number,
  addresses: number,
  records: readonly GroupReport[],
): number {
  const end = writeReport(bytes, at, MLD.report, records);
  setMldChecksum(bytes, at, end, addresses);
  return end;
}

function writeReport(bytes: Uint8Array, at: number, type: number, records: readonly GroupReport[]): number {
  bytes.fill(0, at, at + 8);
  setU8(bytes, at, type);
  setU16(bytes, at + 6, records.length);
  return writeGroupRecords(bytes, at + 8, records);
}

/** A query to be written: general with the group zero, of a group, or of a group and sources. */
export interface GroupQuery {
  group: Uint8Array;
  responseCode: number;
  suppress: boolean;
  robustness: number;
  intervalCode: number;
  sources: readonly Uint8Array[];
}

/** Writes an IGMPv3 query at `at` and gives where it ends. RangeError for a value that its field cannot hold. */
export function writeIgmpQuery(bytes: Uint8Array, at: number, query: GroupQuery): number {
  bytes.fill(0, at, at + 12);
  setU8(bytes, at, IGMP.query);
  setU8(bytes, at + 1, query.responseCode);
  copyBytes(bytes, at + 4, query.group, 0, 4);
  const end = writeQueryEnd(bytes, at + 8, query, 4);
  setU16(bytes, at + 2, foldChecksum(addWords(0, bytes, at, end)));
  return end;
}

/** Writes an MLDv2 query at `at` and gives where it ends. `addresses` as in readMld: they are there already. */
export function writeMldQuery(bytes: Uint8Array, at: number, addresses: number, query: GroupQuery): number {
  bytes.fill(0, at, at + 28);
  setU8(bytes, at, MLD.query);
  setU16(bytes, at + 4, query.responseCode);
  copyBytes(bytes, at + 8, query.group, 0, 16);
  const end = writeQueryEnd(bytes, at + 24, query, 16);
  setMldChecksum(bytes, at, end, addresses);
  return end;
}

function writeQueryEnd(bytes: Uint8Array, at: number, query: GroupQuery, length: 4 | 16): number {
  setU8(bytes, at, (query.suppress ? 0x08 : 0) | within(query.robustness, 0x07));
  setU8(bytes, at + 1, query.intervalCode);
  setU16(bytes, at + 2, query.sources.length);
  let next = at + 4;
  for (const source of query.sources) {
    copyBytes(bytes, next, source, 0, length);
    next += length;
  }
  return next;
}

function setMldChecksum(bytes: Uint8Array, at: number, end: number, addresses: number): void {
  const pseudo = addPseudoHeader(bytes, addresses, 32, PROTOCOL.icmpv6, end - at);
  setU16(bytes, at + 2, foldChecksum(addWords(pseudo, bytes, at, end)));
}
