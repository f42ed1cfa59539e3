// Proves that what real hosts sent comes out of the codec's writers as it went into its readers, to the byte.
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { u16, u8 } from "../codec/bytes.ts";
import { FAULT } from "../codec/fault.ts";
import { GRH_SGID } from "../codec/grh.ts";
import { GroupRecord, readGroupRecord } from "../codec/group-record.ts";
import type { GroupReport } from "../codec/group-record.ts";
import { ipv4HeaderBytes } from "../codec/ipv4.ts";
import { readMembership } from "../codec/locate-membership.ts";
import { locateEthernet } from "../codec/locate.ts";
import { addressBytes, Membership, writeIgmpReport, writeMldReport } from "../codec/membership.ts";
import { PacketParts } from "../codec/packet-parts.ts";
import { buildPacket } from "../codec/build-packet.ts";
import { readPacket } from "../codec/read-packet.ts";
import { toHex } from "../codec/testing/vectors.ts";
import { CAPTURES, framesOf } from "./testing/captures.ts";

/** A report about groups, written anew in the place of the one that was read. */
function rewritten(frame: Uint8Array, parts: PacketParts, message: Membership): Uint8Array {
  const length = addressBytes(message);
  const record = new GroupRecord();
  const reports: GroupReport[] = [];
  for (let next = message.records; reports.length < message.recordCount;) {
    next = readGroupRecord(frame, next, frame.length, length, record);
    const sources = Array.from({ length: record.sourceCount }, (_, i) => {
      return frame.slice(record.sources + i * length, record.sources + (i + 1) * length);
    });
    reports.push({ type: record.type, group: frame.slice(record.group, record.group + length), sources });
  }
  const again = frame.slice();
  const at = message.records - 8;
  again.fill(0xaa, at);
  const end =
    message.family === 4
      ? writeIgmpReport(again, at, reports)
      : writeMldReport(again, at, parts.ipv6 + GRH_SGID, reports);
  expect(end).toBe(frame.length);
  return again;
}

describe.each(readdirSync(CAPTURES))("%s", (name) => {
  test("is written as it was read", () => {
    const [parts, message] = [new PacketParts(), new Membership()];
    let [rdma, reports] = [0, 0];
    for (const frame of framesOf(name)) {
      const fault = locateEthernet(parts, frame, 0, frame.length);
      if (fault === FAULT.none) {
        expect(toHex(buildPacket(readPacket(parts, frame)))).toBe(toHex(frame));
        rdma++;
      } else if (readMembership(parts, frame, frame.length, message) === undefined) {
        expect(toHex(rewritten(frame, parts, message))).toBe(toHex(frame));
        if (parts.ipv4 >= 0) expect([u8(frame, parts.ipv4 + 9), ipv4HeaderBytes(frame, parts.ipv4)]).toEqual([2, 24]);
        reports++;
      } else {
        // ARP, neighbour discovery, pings: what is left is none of RDMA's.
        expect([0x0806, 0x0800, 0x86dd]).toContain(u16(frame, 12));
        expect(parts.udp).toBe(-1);
      }
    }
    expect(rdma).toBeGreaterThan(0);
    if (name === "mckey.pcap") expect(reports).toBe(7);
  });
});
