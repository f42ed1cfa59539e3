// Proves what the bridge hears of IP: IPoIB's header and ARP, and messages about multicast groups.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holds } from "../../host/netlink/testing/seeds.ts";
import { formatAddress } from "../../model/ip.ts";
import { setU16, u16 } from "./bytes.ts";
import { GRH_BYTES, GRH_SGID, Grh, writeGrh } from "./grh.ts";
import { GROUP_RECORD, GroupRecord, readGroupRecord } from "./group-record.ts";
import type { GroupReport } from "./group-record.ts";
import { IPOIB_ARP_BYTES, IPOIB_BYTES, IpoibArp, ipoibType, readIpoibArp, writeIpoib, writeIpoibArp } from "./ipoib.ts";
import { locateEthernet, locateInfiniband } from "./locate.ts";
import { readMembership } from "./locate-membership.ts";
import { addressBytes, Membership, readIgmp, readMld, writeIgmpQuery, writeIgmpReport } from "./membership.ts";
import { writeMldQuery, writeMldReport } from "./membership.ts";
import type { GroupQuery } from "./membership.ts";
import { PacketParts } from "./packet-parts.ts";
import { fromHex, IGMP_JOIN, MLD_JOIN, toHex, vector } from "./testing/vectors.ts";
import { sourcePortOfFlow, udpChecksum } from "./udp.ts";

describe("IPoIB", () => {
  const { bytes } = vector("ib_ipoib_arp");
  const parts = new PacketParts();
  locateInfiniband(parts, bytes, 0, bytes.length);

  it("ARP comes out as it went in", () => {
    expect(ipoibType(bytes, parts.payload)).toBe(0x0806);
    const arp = new IpoibArp();
    expect(readIpoibArp(bytes, parts.payload + IPOIB_BYTES, parts.payloadEnd, arp)).toBe(true);
    expect([arp.operation, arp.sender.qpn, arp.sender.flags, arp.target.qpn]).toEqual([1, 0x48, 0, 0]);
    expect([arp.senderIp, arp.targetIp, arp.sender.gid].map((one) => formatAddress(one))).toEqual([
      "198.51.100.1",
      "198.51.100.20",
      "fe80::20:101",
    ]);
    const again = new Uint8Array(IPOIB_BYTES + IPOIB_ARP_BYTES).fill(0xff);
    writeIpoib(again, 0, 0x0806);
    writeIpoibArp(again, IPOIB_BYTES, arp);
    expect(toHex(again)).toBe(toHex(bytes.slice(parts.payload, parts.payloadEnd)));
  });

  it("ARP of Ethernet, of another protocol, or cut short is none", () => {
    const at = parts.payload + IPOIB_BYTES;
    expect(readIpoibArp(bytes, at, parts.payloadEnd - 1, new IpoibArp())).toBe(false);
    for (const [offset, value] of [
      [1, 1],
      [2, 0x86],
      [4, 6],
      [5, 16],
    ] as const) {
      const other = bytes.slice();
      other[at + offset] = value;
      expect(readIpoibArp(other, at, parts.payloadEnd, new IpoibArp())).toBe(false);
    }
  });
});

describe("messages about groups in real frames", () => {
  const read = (hex: string): [Membership, Uint8Array] => {
    const bytes = fromHex(hex);
    const [parts, membership] = [new PacketParts(), new Membership()];
    locateEthernet(parts, bytes, 0, bytes.length);
    expect(readMembership(parts, bytes, bytes.length, membership)).toBeUndefined();
    return [membership, bytes];
  };

  it.each([
    ["IGMPv3", IGMP_JOIN, 4, "239.192.7.9"],
    ["MLDv2", MLD_JOIN, 6, "ff02::1:ff02:0"],
  ] as const)("%s", (_, hex, family, group) => {
    const [membership, bytes] = read(hex);
    expect(membership).toMatchObject({ family, kind: "report", recordCount: 1 });
    const record = new GroupRecord();
    const length = addressBytes(membership);
    expect(readGroupRecord(bytes, membership.records, bytes.length, length, record)).toBe(bytes.length);
    expect([record.type, record.sourceCount]).toEqual([GROUP_RECORD.toExclude, 0]);
    expect(formatAddress(bytes.slice(record.group, record.group + length))).toBe(group);
  });

  it("with a wrong checksum, cut short, or lying about their records are refused", () => {
    const parts = new PacketParts();
    const judge = (change: (bytes: Uint8Array) => Uint8Array): string | undefined => {
      const bytes = change(fromHex(IGMP_JOIN));
      locateEthernet(parts, bytes, 0, bytes.length);
      return readMembership(parts, bytes, bytes.length, new Membership());
    };
    const set = (at: number, value: number) => (bytes: Uint8Array) => {
      bytes[at] = value;
      return bytes;
    };
    expect(judge((bytes) => bytes)).toBeUndefined();
    expect(judge(set(52, 1))).toBe("checksum");
    expect(judge((bytes) => bytes.slice(0, 50))).toBe("short");
    expect(judge(set(23, 6))).toBe("other");
    // One more source than there is; the checksum is made to agree.
    const lying = set(49, 1)(fromHex(IGMP_JOIN));
    const sum = u16(lying, 40) - 1;
    lying.set([sum >> 8, sum & 255], 40);
    expect(judge(() => lying)).toBe("records");
  });

  it("that ask about more sources than they name are refused", () => {
    const query = { group: new Uint8Array(4), responseCode: 1, suppress: false, robustness: 2, intervalCode: 125 };
    const bytes = new Uint8Array(64);
    const end = writeIgmpQuery(bytes, 0, { ...query, sources: [new Uint8Array(4)] });
    expect(readIgmp(bytes, 0, end, new Membership())).toBeUndefined();
    // Without the address, which is zero, the checksum is the same.
    expect(readIgmp(bytes, 0, end - 4, new Membership())).toBe("short");
  });
});

describe("random messages about groups", () => {
  const address = (length: number) =>
    fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => new Uint8Array(bytes));
  const of = (family: 4 | 6) => {
    const length = family === 4 ? 4 : 16;
    const report = fc.record({
      type: fc.integer({ min: 1, max: 6 }),
      group: address(length),
      sources: fc.array(address(length), { maxLength: 3 }),
    });
    const query = fc.record({
      group: address(length),
      responseCode: fc.nat(255),
      suppress: fc.boolean(),
      robustness: fc.nat(7),
      intervalCode: fc.nat(255),
      sources: fc.array(address(length), { maxLength: 4 }),
    });
    return fc.record({ family: fc.constant(family), reports: fc.array(report, { maxLength: 4 }), query });
  };

  /** Room with an IPv6 header before, whose addresses MLD's checksum covers. */
  const room = (): Uint8Array => {
    const bytes = new Uint8Array(600).fill(0xff);
    const header = new Grh();
    header.sgid.set([0xfe, 0x80]);
    header.dgid.set([0xff, 0x02, 0x16]);
    writeGrh(bytes, 0, header);
    return bytes;
  };

  const read = (family: 4 | 6, bytes: Uint8Array, end: number): Membership => {
    const into = new Membership();
    const fault = family === 4 ? readIgmp(bytes, GRH_BYTES, end, into) : readMld(bytes, GRH_BYTES, end, GRH_SGID, into);
    expect(fault).toBeUndefined();
    return into;
  };

  const reportsOf = (bytes: Uint8Array, end: number, message: Membership): GroupReport[] => {
    const length = addressBytes(message);
    const record = new GroupRecord();
    const found: GroupReport[] = [];
    for (let next = message.records; found.length < message.recordCount;) {
      next = readGroupRecord(bytes, next, end, length, record);
      const { type, group, sources, sourceCount } = record;
      found.push({
        type,
        group: bytes.slice(group, group + length),
        sources: addresses(bytes, sources, sourceCount, length),
      });
    }
    return found;
  };

  it("come back as they went", () => {
    holds(
      fc.property(fc.oneof(of(4), of(6)), ({ family, reports, query }) => {
        const bytes = room();
        const write =
          family === 4
            ? writeIgmpReport(bytes, GRH_BYTES, reports)
            : writeMldReport(bytes, GRH_BYTES, GRH_SGID, reports);
        const report = read(family, bytes, write);
        expect(report).toMatchObject({ family, kind: "report", version: family === 4 ? 3 : 2 });
        expect(reportsOf(bytes, write, report)).toEqual(reports);

        const end =
          family === 4 ? writeIgmpQuery(bytes, GRH_BYTES, query) : writeMldQuery(bytes, GRH_BYTES, GRH_SGID, query);
        const { group, sources, sourceCount, ...asked } = read(family, bytes, end);
        const length = family === 4 ? 4 : 16;
        const again: GroupQuery = {
          group: bytes.slice(group, group + length),
          responseCode: asked.responseCode,
          suppress: asked.suppress,
          robustness: asked.robustness,
          intervalCode: asked.intervalCode,
          sources: addresses(bytes, sources, sourceCount, length),
        };
        expect(again).toEqual(query);
        expect(asked).toMatchObject({ kind: "query", version: family === 4 ? 3 : 2, recordCount: 0 });
      }),
      300,
    );
  });

  it.each([
    ["1164ee9b00000000", "query", 2],
    ["1100eeff00000000", "query", 1],
    ["1600fa040a0000fb" /* no group, but the shape is what counts */, "join", 2],
    ["1200fe040a0000fb", "join", 1],
    ["1700f9040a0000fb", "leave", 2],
  ] as const)("of older versions of IGMP: %s is a %s of version %i", (hex, kind, version) => {
    const bytes = fromHex(hex);
    // The checksum is not the point here.
    bytes[2] = bytes[3] = 0;
    let sum = 0;
    for (let at = 0; at < 8; at += 2) sum += u16(bytes, at);
    sum = (~((sum & 0xffff) + (sum >> 16)) & 0xffff) >>> 0;
    bytes.set([sum >> 8, sum & 255], 2);
    const into = new Membership();
    expect(readIgmp(bytes, 0, 8, into)).toBeUndefined();
    expect(into).toMatchObject({ kind, version, group: 4, recordCount: 0 });
  });
});

it("a UDP checksum that comes out as zero is said as ones, because zero says that there is none", () => {
  const { bytes } = vector("roce4_ud_send_udpsum");
  expect(udpChecksum(bytes, 34, 4)).toBe(u16(bytes, 40));
  // What was missing goes into the source port, so that nothing is missing.
  const port = u16(bytes, 34) + u16(bytes, 40);
  setU16(bytes, 34, (port & 0xffff) + (port >> 16));
  expect(udpChecksum(bytes, 34, 4)).toBe(0xffff);
});

it("a flow label gives the source port that Linux gives it", () => {
  // rdma_flow_label_to_udp_sport(0x12345): 0x2345 ^ (0x10000 >> 14), with the two highest bits.
  expect(sourcePortOfFlow(0x12345)).toBe(0xe341);
  expect(sourcePortOfFlow(0)).toBe(0xc000);
  expect(() => sourcePortOfFlow(0x100000)).toThrow(RangeError);
});

function addresses(bytes: Uint8Array, at: number, count: number, length: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => bytes.slice(at + i * length, at + (i + 1) * length));
}
