// Proves the management datagrams on golden ones: SIDR between hosts, and what OpenSM was asked and answered.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holds } from "../../host/netlink/testing/seeds.ts";
import { formatAddress } from "../../model/ip.ts";
import { CM_ATTRIBUTE, readSidrRep, readSidrReq, SIDR_REP_PRIVATE, SIDR_REQ_PRIVATE, SidrRep, SidrReq } from "./cm.ts";
import { writeSidrRep, writeSidrReq } from "./cm.ts";
import { IP_CM_BYTES, IpCm, ipServiceLow, ipServicePort, ipServiceProtocol, readIpCm, writeIpCm } from "./ip-cm.ts";
import { locateEthernet } from "./locate.ts";
import { MAD_BYTES, MadHeader, MANAGEMENT_CLASS, METHOD, readMadHeader, writeMadHeader } from "./mad.ts";
import { PacketParts } from "./packet-parts.ts";
import { componentMask, readRecord, writeRecord } from "./record.ts";
import type { Layout } from "./record.ts";
import { describeStatus, readSaHeader, SA_DATA, setAttributeOffset, writeSaBody } from "./sa.ts";
import { INFORM_INFO, MC_MEMBER_RECORD, NOTICE, PATH_RECORD, SA_RECORDS, SERVICE_RECORD } from "./sa-records.ts";
import { readSaExchanges, toHex, vector } from "./testing/vectors.ts";

/** The MAD of a golden RoCE packet. */
function madOf(name: string): Uint8Array {
  const { bytes } = vector(name);
  const parts = new PacketParts();
  locateEthernet(parts, bytes, 0, bytes.length);
  expect(parts.payloadEnd - parts.payload).toBe(MAD_BYTES);
  return bytes.slice(parts.payload, parts.payloadEnd);
}

function headerOf(mad: Uint8Array): MadHeader {
  const header = new MadHeader();
  readMadHeader(mad, 0, header);
  return header;
}

/** A MAD of FF that `write` has written to: what it does not write shows. */
function written(write: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(MAD_BYTES).fill(0xff);
  write(bytes);
  return bytes;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replace(/\0+$/, "");

describe("SIDR", () => {
  it.each([
    ["roce4_sidr_req", 4, "::c000:20a", "::c000:214", 0x1f2e3d4c],
    ["roce6_sidr_req", 6, "2001:db8::10", "2001:db8::20", 0x1f2e3d4d],
  ] as const)("%s: a request with the addresses of its ends", (name, ipVersion, source, destination, requestId) => {
    const mad = madOf(name);
    expect(headerOf(mad)).toMatchObject({
      managementClass: MANAGEMENT_CLASS.cm,
      method: METHOD.send,
      attribute: CM_ATTRIBUTE.sidrReq,
      classVersion: 2,
      answer: false,
      status: 0,
    });
    const [req, ip] = [new SidrReq(), new IpCm()];
    readSidrReq(mad, 0, req);
    expect(req).toEqual({ requestId, pKey: 0xffff, serviceIdHigh: 0, serviceIdLow: 0x01111c06 });
    expect([ipServiceProtocol(0, req.serviceIdLow), ipServicePort(req.serviceIdLow)]).toEqual([17, 7174]);
    expect(ipServiceLow(17, 7174)).toBe(req.serviceIdLow);
    expect(readIpCm(mad, SIDR_REQ_PRIVATE, ip)).toBe(true);
    expect([ip.ipVersion, ip.sourcePort]).toEqual([ipVersion, 54321]);
    expect([formatAddress(ip.source), formatAddress(ip.destination)]).toEqual([source, destination]);
    expect(text(mad.slice(SIDR_REQ_PRIVATE + IP_CM_BYTES))).toBe("hello-sidr");

    const again = written((bytes) => {
      writeMadHeader(bytes, 0, headerOf(mad));
      writeSidrReq(bytes, 0, req);
      writeIpCm(bytes, SIDR_REQ_PRIVATE, ip);
      bytes.set(mad.subarray(SIDR_REQ_PRIVATE + IP_CM_BYTES), SIDR_REQ_PRIVATE + IP_CM_BYTES);
    });
    expect(toHex(again)).toBe(toHex(mad));
  });

  it.each([
    ["roce4_sidr_rep", { status: 0, qpn: 0x456, qKey: 0x01234567 }, "welcome"],
    ["roce4_sidr_rep_reject", { status: 2, qpn: 0, qKey: 0 }, ""],
  ] as const)("%s: an answer", (name, said, welcome) => {
    const mad = madOf(name);
    expect(headerOf(mad)).toMatchObject({ attribute: CM_ATTRIBUTE.sidrRep });
    const rep = new SidrRep();
    readSidrRep(mad, 0, rep);
    const both = { requestId: 0x1f2e3d4c, informationBytes: 0, serviceIdHigh: 0, serviceIdLow: 0x01111c06 };
    expect(rep).toEqual({ ...both, ...said });
    expect(text(mad.slice(SIDR_REP_PRIVATE))).toBe(welcome);

    const again = written((bytes) => {
      writeMadHeader(bytes, 0, headerOf(mad));
      writeSidrRep(bytes, 0, rep);
      bytes.set(mad.subarray(48), 48);
    });
    expect(toHex(again)).toBe(toHex(mad));
  });

  it("has no addresses where the header is of another convention", () => {
    const mad = madOf("roce4_sidr_req");
    for (const [at, value] of [
      [0, 0x10],
      [1, 0x50],
      [1, 0x00],
    ] as const) {
      const other = mad.slice();
      other[SIDR_REQ_PRIVATE + at] = value;
      expect(readIpCm(other, SIDR_REQ_PRIVATE, new IpCm())).toBe(false);
    }
    expect(ipServiceProtocol(1, 0x01111c06)).toBe(-1);
    expect(ipServiceProtocol(0, 0x02111c06)).toBe(-1);
  });
});

/** Bits that a layout has fields for, as the bytes of a record in which all of them are set. */
function fieldsOf(layout: Layout): Uint8Array {
  const bytes = new Uint8Array(layout.bytes);
  const all = Object.entries(layout.fields).map(([name, field]) => {
    if (field.type === "bits") return [name, 2 ** field.bits - 1] as const;
    return [name, field.type === "wide" ? 2n ** 64n - 1n : new Uint8Array(field.length).fill(0xff)] as const;
  });
  writeRecord(layout, bytes, 0, Object.fromEntries(all));
  return bytes;
}

const EXCHANGES = readSaExchanges();

describe.each(EXCHANGES)("OpenSM: $name", ({ request, response, status }) => {
  const header = headerOf(request);
  const { layout } = SA_RECORDS.get(header.attribute) ?? { layout: PATH_RECORD };

  it("was asked in bytes that come out the same", () => {
    const record: Record<string, unknown> = readRecord(layout as Layout, request, SA_DATA);
    const { componentMask: mask } = readSaHeader(request, 0);
    // What is asked for is what the mask names.
    const asked = Object.fromEntries(
      Object.entries(layout.fields as Layout["fields"]).flatMap(([name, { component, components = 1 }]) => {
        const named = component !== undefined && (mask >> BigInt(component)) & ((1n << BigInt(components)) - 1n);
        return named ? [[name, record[name]]] : [];
      }),
    );
    const again = written((bytes) => {
      writeMadHeader(bytes, 0, header);
      writeSaBody(layout as Layout, bytes, 0, asked as never);
    });
    expect(toHex(again)).toBe(toHex(request));
  });

  it("answered with the status, and in fields that come out the same", () => {
    const answer = headerOf(response);
    expect(answer).toMatchObject({ answer: true, attribute: header.attribute, tidLow: header.tidLow });
    expect(answer.status).toBe(Number(status));
    const mask = fieldsOf(layout);
    const kept = response.slice(SA_DATA, SA_DATA + layout.bytes).map((byte, i) => byte & (mask[i] as number));
    const again = new Uint8Array(layout.bytes).fill(0xff);
    writeRecord(layout as Layout, again, 0, readRecord(layout as Layout, response, SA_DATA) as never);
    expect(toHex(again)).toBe(toHex(kept));
    if (answer.status !== 0) return;
    const offset = written((bytes) => setAttributeOffset(bytes, 0, layout));
    expect(readSaHeader(offset, 0).attributeOffset).toBe(readSaHeader(response, 0).attributeOffset);
  });
});

describe("records of the subnet administrator", () => {
  const answer = (name: string): Uint8Array => {
    const found = EXCHANGES.find((one) => one.name.startsWith(name));
    return found?.response ?? new Uint8Array();
  };

  it("a path", () => {
    const { dgid, sgid, ...path } = readRecord(PATH_RECORD, answer("PathRecord Get"), SA_DATA);
    expect([formatAddress(dgid), formatAddress(sgid)]).toEqual(["fe80::20:201", "fe80::20:101"]);
    expect(path).toMatchObject({ dlid: 4, slid: 3, reversible: 1, pathCount: 0, pKey: 0xffff, hopLimit: 0 });
    expect(path).toMatchObject({ mtuSelector: 2, mtu: 4, rateSelector: 2, rate: 3, lifetimeSelector: 2, lifetime: 18 });
  });

  it("a membership", () => {
    const { mgid, ...group } = readRecord(MC_MEMBER_RECORD, answer("MCMemberRecord Set (create"), SA_DATA);
    expect(formatAddress(mgid)).toBe("ff12:4001:ffff::f01:203");
    expect(group).toMatchObject({ qKey: 0x01234567, mlid: 0xc001, pKey: 0xffff, joinState: 1, mtu: 4, rate: 3 });
  });

  // The order of the mask's bits in Linux include/rdma/ib_sa.h.
  it.each([
    [
      PATH_RECORD,
      "serviceId serviceId dgid sgid dlid slid rawTraffic - flowLabel hopLimit trafficClass reversible pathCount pKey " +
        "qosClass sl mtuSelector mtu rateSelector rate lifetimeSelector lifetime preference",
    ],
    [
      MC_MEMBER_RECORD,
      "mgid portGid qKey mlid mtuSelector mtu trafficClass pKey rateSelector rate lifetimeSelector lifetime sl flowLabel " +
        "hopLimit scope joinState proxyJoin",
    ],
    [
      SERVICE_RECORD,
      `serviceId serviceGid pKey - lease key name ${"data8 ".repeat(16)}${"data16 ".repeat(8)}${"data32 ".repeat(4)}data64 data64`,
    ],
  ])("are asked for by the bits that Linux has for them", (layout: Layout, names) => {
    const bits: string[] = [];
    for (const [name, { component = 0, components = 1 }] of Object.entries(layout.fields)) {
      for (let i = 0; i < components; i++) bits[component + i] = name;
    }
    expect(Array.from(bits, (name) => name ?? "-").join(" ")).toBe(names);
  });

  it("fill their layouts without overlap, and every mask bit once", () => {
    for (const layout of [PATH_RECORD, MC_MEMBER_RECORD, SERVICE_RECORD, INFORM_INFO, NOTICE] as Layout[]) {
      const used = new Set<number>();
      const components = new Set<number>();
      for (const field of Object.values(layout.fields)) {
        const [from, bits] =
          field.type === "bits"
            ? [field.bit, field.bits]
            : [field.at * 8, field.type === "wide" ? 64 : field.length * 8];
        for (let bit = from; bit < from + bits; bit++) {
          expect(used.has(bit)).toBe(false);
          used.add(bit);
        }
        for (let i = 0; field.component !== undefined && i < (field.components ?? 1); i++) {
          expect(components.has(field.component + i)).toBe(false);
          components.add(field.component + i);
        }
        expect(from + bits).toBeLessThanOrEqual(layout.bytes * 8);
      }
    }
  });

  it("of any values come back as they went", () => {
    const layouts = fc.constantFrom<Layout>(PATH_RECORD, MC_MEMBER_RECORD, SERVICE_RECORD, INFORM_INFO, NOTICE);
    const records = layouts.chain((layout) =>
      fc.record({
        layout: fc.constant(layout),
        values: fc.record(
          Object.fromEntries(
            Object.entries(layout.fields).map(([name, field]) => {
              if (field.type === "bits") return [name, fc.integer({ min: 0, max: 2 ** field.bits - 1 })];
              if (field.type === "wide") return [name, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })];
              return [name, fc.uint8Array({ minLength: field.length, maxLength: field.length })];
            }),
          ) as Record<string, fc.Arbitrary<number | bigint | Uint8Array>>,
        ),
      }),
    );
    holds(
      fc.property(records, ({ layout, values }) => {
        const bytes = new Uint8Array(layout.bytes + 2).fill(0xaa);
        writeRecord(layout, bytes, 1, values as never);
        expect([bytes[0], bytes[layout.bytes + 1]]).toEqual([0xaa, 0xaa]);
        expect(Object.entries(readRecord(layout, bytes, 1)).map(plain)).toEqual(Object.entries(values).map(plain));
      }),
      300,
    );
  });

  it.each([
    { dlid: 0x10000 },
    { sl: 16 },
    { flowLabel: 0x100000 },
    { dlid: -1 },
    { dlid: 1.5 },
    { dgid: new Uint8Array(4) },
  ])("refuse what no field can hold: %j", (values) => {
    expect(() => writeRecord(PATH_RECORD, new Uint8Array(64), 0, values)).toThrow(RangeError);
  });

  it("are asked for by the bits of what is given, where the fields have bits", () => {
    expect(componentMask(PATH_RECORD, { dgid: new Uint8Array(16), pKey: 1 })).toBe(0x2004n);
    expect(componentMask(INFORM_INFO, { trap: 66 })).toBe(0n);
  });
});

it.each([
  [0, "ok"],
  [0x0200, "the request is not valid"],
  [0x0300, "no such record"],
  [0x0600, "the request lacks components"],
  [0x0001, "busy"],
  [0x000c, "method and attribute do not go together"],
  [0x001c, "a value of the attribute is not valid"],
  [0xff00, "status 0xff00"],
])("status %i is %s", (status, words) => {
  expect(describeStatus(status)).toBe(words);
});

function plain([name, value]: [string, unknown]): [string, unknown] {
  return [name, value instanceof Uint8Array ? toHex(value) : value];
}
