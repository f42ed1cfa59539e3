// Proves what is counted, what is wanted, and what counts as damage.
import { expect, test } from "vitest";
import type { PacketReport } from "./report.ts";
import { countPacket, foundDamage, isWanted, newCounts, parseOpcode } from "./tally.ts";

const roce: PacketReport = {
  number: 1,
  time: "0.000000000",
  bytes: 130,
  kind: "rocev2",
  icrc: "ok",
  vcrc: "absent",
  opcode: "UD_SEND_ONLY",
  destQp: 1110,
  srcQp: 291,
};
const wrong = { icrc: { is: "00", expected: "01" } };

test("packets are counted by what they are, and a VCRC only where there can be one", () => {
  const counts = newCounts();
  for (const report of [
    roce,
    { ...roce, icrc: "bad", wrong } as const,
    { ...roce, kind: "infiniband", vcrc: "ok" } as const,
    { ...roce, icrc: "absent", fault: "it is cut", kept: 80 } as const,
    { ...roce, icrc: "absent", fault: "it lies" } as const,
    { ...roce, kind: "membership" } as const,
    { ...roce, kind: "other", fault: "it is short" } as const,
  ]) {
    countPacket(counts, report);
  }
  expect(counts).toEqual({
    packets: 7,
    shown: 0,
    rdma: 5,
    icrc: { ok: 2, bad: 1, absent: 2 },
    vcrc: { ok: 1, bad: 0, absent: 0 },
    broken: 2,
  });
});

test("damage is a wrong CRC or a broken packet, and nothing else", () => {
  const of = (report: Partial<PacketReport>): boolean => {
    const counts = newCounts();
    countPacket(counts, { ...roce, ...report });
    return foundDamage(counts);
  };
  expect(of({})).toBe(false);
  expect(of({ icrc: "absent", fault: "it is cut", kept: 80 })).toBe(false);
  expect(of({ kind: "other", icrc: "absent" })).toBe(false);
  expect(of({ icrc: "bad" })).toBe(true);
  expect(of({ kind: "infiniband", vcrc: "bad" })).toBe(true);
  expect(of({ icrc: "absent", fault: "it lies" })).toBe(true);
});

test("all that is wished has to hold", () => {
  expect(isWanted({}, roce)).toBe(true);
  expect(isWanted({ qp: 291, opcode: "UD_SEND_ONLY" }, roce)).toBe(true);
  expect(isWanted({ qp: 1110, opcode: "RC_ACKNOWLEDGE" }, roce)).toBe(false);
  expect(isWanted({ qp: 5 }, roce)).toBe(false);
  expect(isWanted({ bad: true }, roce)).toBe(false);
  expect(isWanted({ bad: true }, { ...roce, wrong })).toBe(true);
});

test.each([
  ["ud-send-only", "UD_SEND_ONLY"],
  ["0x64", "UD_SEND_ONLY"],
  ["100", "UD_SEND_ONLY"],
  ["0x7F", "0x7f"],
  ["256", undefined],
  ["0x100", undefined],
  ["UD_SEND", undefined],
  ["", undefined],
])("the opcode %s is %s", (text, opcode) => {
  expect(parseOpcode(text)).toBe(opcode);
});
