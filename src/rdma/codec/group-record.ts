// Owns the records of which reports of group membership consist, the same in IGMPv3 (RFC 3376, 4.2.4) and MLDv2
// (RFC 3810, 5.2.5) but for the length of addresses.
//
//     type:8 | words of auxiliary data:8 | number of sources:16 | group | sources | auxiliary data
import { copyBytes, setU16, setU8, u16, u8 } from "./bytes.ts";

/** What a record says of its group. */
export const GROUP_RECORD = {
  isInclude: 1,
  isExclude: 2,
  toInclude: 3,
  toExclude: 4,
  allowSources: 5,
  blockSources: 6,
} as const;

/** Where a record is. Its addresses are read from the packet. */
export class GroupRecord {
  /** See GROUP_RECORD. */
  type = 0;
  /** Offset of the group's address. */
  group = 0;
  /** Offset of the first source. */
  sources = 0;
  sourceCount = 0;
}

/**
 * Reads the record at `at`; `length` is that of an address, 4 or 16. Gives where the next one starts, or −1 when this
 * one does not end up to `to`.
 */
export function readGroupRecord(bytes: Uint8Array, at: number, to: number, length: 4 | 16, into: GroupRecord): number {
  if (at + 4 + length > to) return -1;
  into.type = u8(bytes, at);
  into.sourceCount = u16(bytes, at + 2);
  into.group = at + 4;
  into.sources = at + 4 + length;
  const end = into.sources + into.sourceCount * length + u8(bytes, at + 1) * 4;
  return end > to ? -1 : end;
}

/** A record to be written: a group without sources, or with some. */
export interface GroupReport {
  /** See GROUP_RECORD. */
  type: number;
  /** 4 or 16 bytes, as the protocol has it. */
  group: Uint8Array;
  sources?: readonly Uint8Array[];
}

/** Writes records at `at` and gives where they end. */
export function writeGroupRecords(bytes: Uint8Array, at: number, records: readonly GroupReport[]): number {
  for (const { type, group, sources = [] } of records) {
    setU8(bytes, at, type);
    setU8(bytes, at + 1, 0);
    setU16(bytes, at + 2, sources.length);
    copyBytes(bytes, at + 4, group, 0, group.length);
    at += 4 + group.length;
    for (const source of sources) {
      copyBytes(bytes, at, source, 0, group.length);
      at += group.length;
    }
  }
  return at;
}
