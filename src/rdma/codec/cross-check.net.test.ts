// Proves the codec against others' eyes on random packets: scapy (ICRC and fields, both ways) and tshark (fields).
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tshark } from "../../../test/tshark.ts";
import { formatAddress, parseAddress } from "../../model/ip.ts";
import { Bth } from "./bth.ts";
import { FAULT } from "./fault.ts";
import { icrcIsRight } from "./icrc.ts";
import { locateEthernet } from "./locate.ts";
import { isUd } from "./opcodes.ts";
import { PacketParts } from "./packet-parts.ts";
import { packet } from "./testing/arbitrary-packets.ts";
import type { PacketWishes } from "./testing/arbitrary-packets.ts";
import { buildPacket } from "./build-packet.ts";
import type { PacketFields } from "./build-packet.ts";
import { readPacket } from "./read-packet.ts";
import { fromHex, toHex } from "./testing/vectors.ts";
import { LINK_TYPE, writeErf, writePcap } from "./testing/write-capture.ts";

let place = "";
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-rdma-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

interface Case {
  fields: PacketFields;
  bytes: Uint8Array;
}

/** Packets of a fixed seed and as many of a new one. */
function samples(wishes: PacketWishes, count: number): Case[] {
  const seeds = [72, Math.floor(Math.random() * 2 ** 31)];
  return seeds
    .flatMap((seed) => fc.sample(packet(wishes), { seed, numRuns: count }))
    .map((fields) => {
      // Built first, so that the fields that follow from others are there.
      const bytes = buildPacket(fields);
      return { fields, bytes };
    });
}

function scapy(question: object): unknown[] {
  const judge = join(import.meta.dirname, "testing/scapy_judge.py");
  // Debian's interpreter is the one that has Debian's scapy.
  const answer = execFileSync("/usr/bin/python3", [judge], { input: JSON.stringify(question), encoding: "utf8" });
  return JSON.parse(answer) as unknown[];
}

describe("scapy", () => {
  test("finds the ICRC right, and the same fields", () => {
    const cases = samples({ wires: ["roce-ipv4", "roce-ipv6", "rocev1"] }, 100);
    const said = scapy({ read: cases.map(({ bytes }) => toHex(bytes)) });
    expect(said).toHaveLength(200);
    for (const [i, { fields, bytes }] of cases.entries()) {
      const { bth, grh, ipv4, udp, vlans, wire } = fields;
      const [source, destination] = wire === "roce-ipv4" ? [ipv4.source, ipv4.destination] : [grh.sgid, grh.dgid];
      const { source: from, destination: to, ...rest } = said[i] as { source: string; destination: string };
      expect([from, to].map((text) => toHex(parseAddress(text) as Uint8Array))).toEqual(
        [source, destination].map((address) => toHex(address)),
      );
      expect(rest).toEqual({
        ...(bth as object),
        vlans: vlans.map(({ id }) => id),
        sourcePort: wire === "rocev1" ? 0 : udp.sourcePort,
        rest: toHex(bytes.slice(bytes.length - restBytes(fields), -4)),
        icrc: toHex(bytes.slice(-4)),
      });
    }
  });

  test("makes packets that are read as it meant them, with a right ICRC", () => {
    const number = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
    const address = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => formatAddress(bytes));
    const fields = fc.record({
      source: address,
      destination: address,
      tos: number(8),
      ttl: number(8),
      id: number(16),
      sourcePort: number(16),
      vlan: fc.option(number(12)),
      opcode: fc.constantFrom(0x64, 0x65),
      pad: number(2),
      destQp: number(24),
      psn: number(24),
      pKey: number(16),
      migrated: fc.boolean(),
      becn: fc.boolean(),
      // DETH, immediate and at least the padding; a multiple of 4.
      rest: fc.nat(60).chain((words) => fc.uint8Array({ minLength: 16 + words * 4, maxLength: 16 + words * 4 })),
    });
    const asked = fc.sample(fields, 200).map(({ rest, ...others }) => ({ ...others, rest: toHex(rest) }));
    const frames = scapy({ make: asked }) as string[];
    expect(frames).toHaveLength(200);
    for (const [i, frame] of frames.entries()) {
      const bytes = fromHex(frame);
      const parts = new PacketParts();
      expect(locateEthernet(parts, bytes, 0, bytes.length)).toBe(FAULT.none);
      expect(icrcIsRight(parts, bytes)).toBe(true);
      const read = readPacket(parts, bytes);
      const { source, destination, vlan, tos, ttl, id, sourcePort, rest, ...bth } = asked[i] as (typeof asked)[number];
      expect(read.bth).toEqual(Object.assign(new Bth(), bth));
      expect([formatAddress(read.ipv4.source), formatAddress(read.ipv4.destination)]).toEqual([source, destination]);
      expect(read.ipv4).toMatchObject({ tos, ttl, id });
      expect(read.udp.sourcePort).toBe(sourcePort);
      expect(read.vlans.map((tag) => tag.id)).toEqual(vlan === null ? [] : [vlan]);
      expect(toHex(bytes.slice(parts.bth + 12, parts.icrc))).toBe(rest);
    }
  });
});

/** Bytes from behind the BTH to the end of the packet. */
function restBytes({ bth, extension, payload }: PacketFields): number {
  const headers = isUd(bth.opcode) ? 8 + (bth.opcode & 1 ? 4 : 0) : extension.length;
  return headers + payload.length + bth.pad + 4;
}

const BTH_FIELDS = ["opcode", "se", "m", "padcnt", "tver", "p_key", "destqp", "a", "psn"].map(
  (name) => `infiniband.bth.${name}`,
);
const DETH_FIELDS = ["infiniband.deth.q_key", "infiniband.deth.srcqp", "infiniband.immdt"];

/** What tshark's values for BTH and DETH should be. */
function expectTransport(said: Record<string, string>, { bth, deth, immediate }: PacketFields): void {
  const { opcode, solicited, migrated, pad, version, pKey, destQp, ackRequest, psn } = bth;
  const numbers = [opcode, Number(solicited), Number(migrated), pad, version, pKey, destQp, Number(ackRequest), psn];
  expect(BTH_FIELDS.map((field) => Number(said[field]))).toEqual(numbers);
  const [qKey, srcQp, imm] = DETH_FIELDS.map((field) => said[field] as string) as [string, string, string];
  if (!isUd(opcode)) return;
  expect([Number(qKey), Number(srcQp)]).toEqual([deth.qKey, deth.srcQp]);
  expect(imm === "" ? undefined : Number.parseInt(imm, 16)).toBe(opcode & 1 ? immediate : undefined);
}

describe("tshark", () => {
  test("finds the same fields in RoCE packets", () => {
    const cases = samples({ wires: ["roce-ipv4", "roce-ipv6", "rocev1"] }, 100);
    const file = join(place, "roce.pcap");
    writeFileSync(
      file,
      writePcap(
        cases.map(({ bytes }) => bytes),
        { linkType: LINK_TYPE.ethernet },
      ),
    );
    const others = ["udp.srcport", "ip.src", "ipv6.src", "infiniband.grh.sgid", "ieee8021ad.id", "vlan.id"];
    const said = tshark(file, [...BTH_FIELDS, ...DETH_FIELDS, ...others]);
    expect(said).toHaveLength(200);
    for (const [i, { fields }] of cases.entries()) {
      const values = said[i] as Record<string, string>;
      expectTransport(values, fields);
      const { wire, udp, ipv4, grh, vlans } = fields;
      const source =
        wire === "roce-ipv4"
          ? values["ip.src"]
          : wire === "rocev1"
            ? values["infiniband.grh.sgid"]
            : values["ipv6.src"];
      expect(toHex(parseAddress(source as string) as Uint8Array)).toBe(
        toHex(wire === "roce-ipv4" ? ipv4.source : grh.sgid),
      );
      const tags = [values["ieee8021ad.id"], values["vlan.id"]].filter((id) => id !== "");
      expect(tags.map(Number)).toEqual(vlans.map(({ id }) => id));
      if (wire !== "rocev1") expect(Number(values["udp.srcport"])).toBe(udp.sourcePort);
    }
  });

  test("finds the same fields in InfiniBand packets", () => {
    const cases = samples({ wires: ["ib-local", "ib-global"] }, 100);
    const file = join(place, "ib.pcap");
    writeFileSync(
      file,
      writePcap(
        cases.map(({ bytes }) => writeErf(bytes)),
        { linkType: LINK_TYPE.erf },
      ),
    );
    const lrh = ["vl", "sl", "lnh", "dlid", "pktlen", "slid"].map((name) => `infiniband.lrh.${name}`);
    const grh = ["tclass", "flowlabel", "paylen", "hoplmt"].map((name) => `infiniband.grh.${name}`);
    const crcs = ["infiniband.invariant.crc", "infiniband.variant.crc"];
    const said = tshark(file, [...BTH_FIELDS, ...DETH_FIELDS, ...lrh, ...grh, ...crcs, "infiniband.grh.dgid"]);
    expect(said).toHaveLength(200);
    let crcsSeen = 0;
    for (const [i, { fields, bytes }] of cases.entries()) {
      const values = said[i] as Record<string, string>;
      expectTransport(values, fields);
      const { vl, sl, next, dlid, words, slid } = fields.lrh;
      expect(lrh.map((field) => Number(values[field]))).toEqual([vl, sl, next, dlid, words, slid]);
      // tshark shows them only where it knows what the payload is, or that nobody does.
      if (values[crcs[0] as string] !== "") {
        const shown = crcs.map((field) => (values[field] as string).slice(2));
        expect(shown).toEqual([toHex(bytes.slice(-6, -2)), toHex(bytes.slice(-2))]);
        crcsSeen++;
      }
      if (fields.wire !== "ib-global") continue;
      const { trafficClass, flowLabel, payloadLength, hopLimit, dgid } = fields.grh;
      expect(grh.map((field) => Number(values[field]))).toEqual([trafficClass, flowLabel, payloadLength, hopLimit]);
      expect(toHex(parseAddress(values["infiniband.grh.dgid"] as string) as Uint8Array)).toBe(toHex(dgid));
    }
    expect(crcsSeen).toBeGreaterThan(50);
  });
});
