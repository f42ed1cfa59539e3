// Proves the codec on the golden packets: what it reads, that it writes the same bytes, and both CRCs.
import { describe, expect, it } from "vitest";
import { FAULT } from "./fault.ts";
import { computeIcrc, icrcHead, icrcIsRight, icrcOfChange, setIcrc } from "./icrc.ts";
import { locateEthernet, locateInfiniband } from "./locate.ts";
import { PacketParts } from "./packet-parts.ts";
import { buildPacket } from "./build-packet.ts";
import { readPacket } from "./read-packet.ts";
import { readVectors, toHex, vector } from "./testing/vectors.ts";
import type { Vector } from "./testing/vectors.ts";
import { computeVcrc, setVcrc, vcrcIsRight } from "./vcrc.ts";

/** Its GRH is there for the CRCs alone: the fields of length and next header mean nothing. */
const SENSELESS = "iba_sample_global";

function located({ link, bytes }: Vector): PacketParts {
  const parts = new PacketParts();
  const locate = link === "ethernet" ? locateEthernet : locateInfiniband;
  expect(locate(parts, bytes, 0, bytes.length)).toBe(FAULT.none);
  return parts;
}

/** Bytes as hexadecimal after `write` has stored into four of them. */
function stored(write: (bytes: Uint8Array) => void, length: number): string {
  const bytes = new Uint8Array(length);
  write(bytes);
  return toHex(bytes);
}

const VECTORS = readVectors();

describe.each(VECTORS.filter(({ name }) => name !== SENSELESS))("$name", (golden) => {
  it("has the CRCs that it should have", () => {
    const parts = located(golden);
    expect(icrcIsRight(parts, golden.bytes)).toBe(true);
    expect(stored((to) => setIcrc(to, 0, computeIcrc(parts, golden.bytes)), 4)).toBe(golden.icrc);
    expect(parts.vcrc >= 0).toBe(golden.vcrc !== undefined);
    if (golden.vcrc === undefined) return;
    expect(vcrcIsRight(parts, golden.bytes)).toBe(true);
    expect(stored((to) => setVcrc(to, 0, computeVcrc(golden.bytes, 0, parts.vcrc)), 2)).toBe(golden.vcrc);
  });

  it("is written as it was read", () => {
    expect(toHex(buildPacket(readPacket(located(golden), golden.bytes)))).toBe(toHex(golden.bytes));
  });

  it("has the fields that are said of it", () => {
    const { bth, deth, lrh } = readPacket(located(golden), golden.bytes);
    const read = {
      psn: bth.psn,
      sqpn: deth.srcQp,
      dqpn: bth.destQp,
      qkey: deth.qKey,
      ...(lrh as object),
      mlid: hex(lrh.dlid),
    };
    const { request_id: _, service_id: __, qpn: ___, ...said } = golden.fields;
    // Those of the answers to SIDR requests are about what the message says, and cm.test.ts has them.
    if (golden.name.includes("sidr")) delete said["qkey"];
    expect(read).toMatchObject(said);
  });
});

describe("the sample packet of the specification with a GRH", () => {
  it("has the CRCs that were computed for it, though its GRH says nothing sensible", () => {
    const { bytes, icrc } = vector(SENSELESS);
    const parts = new PacketParts();
    expect(locateInfiniband(parts, bytes, 0, bytes.length)).toBe(FAULT.grhNext);
    expect(vcrcIsRight(parts, bytes)).toBe(true);
    parts.bth = parts.grh + 40;
    parts.icrc = parts.vcrc - 4;
    expect(stored((to) => setIcrc(to, 0, computeIcrc(parts, bytes)), 4)).toBe(icrc);
  });
});

describe("the ICRC of the other side", () => {
  const pairs = VECTORS.flatMap((one) => (one.pair === null ? [] : [[one.name, one.pair] as const]));
  it("has pairs to be shown with", () => expect(pairs.length).toBeGreaterThan(10));

  it.each(pairs)("%s: %s has it by the difference of the headers alone", (from, to) => {
    const [before, after] = [vector(from), vector(to)];
    const [near, far] = [located(before), located(after)];
    // Headers up to the DETH change; what follows is the same bytes.
    const tail = near.icrc - near.payload;
    const heads = [icrcHead(near, before.bytes, near.payload), icrcHead(far, after.bytes, far.payload)] as const;
    const made = icrcOfChange(computeIcrc(near, before.bytes), heads[0], heads[1], tail);
    expect(toHex(before.bytes.slice(near.payload, near.icrc))).toBe(toHex(after.bytes.slice(far.payload, far.icrc)));
    expect(stored((bytes) => setIcrc(bytes, 0, made), 4)).toBe(after.icrc);
  });
});

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
