// Proves that the model's adapter checks what a real one does (IBA vol 1, 9.6), one thing wrong at a time.
import { describe, expect, test } from "vitest";
import { parseAddress } from "../../model/ip.ts";
import type { PacketFields, Wire } from "../codec/build-packet.ts";
import { locateInfiniband } from "../codec/locate.ts";
import { PacketParts } from "../codec/packet-parts.ts";
import { computeVcrc, setVcrc } from "../codec/vcrc.ts";
import { groupPacket } from "../hosts/messages.ts";
import { Adapter } from "./adapter.ts";
import type { AdapterDrop } from "./adapter.ts";

const MGID = parseAddress("ff12:4001:ffff::f25:1") as Uint8Array;
const OTHER = parseAddress("ff12:4001:ffff::f25:2") as Uint8Array;
const MLID = 0xc003;
/** A message of a reliable connection (IBA vol 1, 9.2.1). */
const RC_SEND_ONLY = 0x04;

function adapter(): Adapter {
  const made = new Adapter();
  made.lid = 7;
  made.mtu = 1024;
  made.attach({ mgid: MGID, mlid: MLID, qKey: 0x01234567 });
  return made;
}

function packet(change: (fields: PacketFields) => void = () => {}, bytes = 64, wire: Wire = "ib-global"): Uint8Array {
  return groupPacket(wire, new Uint8Array(bytes).fill(1), (fields) => {
    Object.assign(fields.lrh, { slid: 9, dlid: MLID });
    fields.grh.dgid.set(MGID);
    change(fields);
  });
}

/** Damages a byte of the payload, as a wire does, or as an adapter before this one: then the VCRC is right. */
function damaged(mendVcrc: boolean): Uint8Array {
  const bytes = packet();
  const parts = new PacketParts();
  locateInfiniband(parts, bytes, 0, bytes.length);
  bytes[parts.payload] = 2;
  if (mendVcrc) setVcrc(bytes, parts.vcrc, computeVcrc(bytes, 0, parts.vcrc));
  return bytes;
}

function judge(bytes: Uint8Array, to: Adapter = adapter()): AdapterDrop | "taken" {
  const before = { ...to.drops };
  if (to.takes(bytes, 0, bytes.length)) return "taken";
  const [reason] = (Object.keys(before) as AdapterDrop[]).filter((name) => to.drops[name] > before[name]);
  return reason ?? "taken";
}

test("a message to a group that a queue pair is attached to is taken", () => {
  expect(judge(packet())).toBe("taken");
  expect(judge(packet(() => {}, 1024))).toBe("taken");
  expect(judge(packet(({ bth }) => (bth.pKey = 0x7fff)))).toBe("taken");
});

test("one to the port's own LID is taken, whoever is attached to what", () => {
  expect(judge(packet(({ lrh }) => (lrh.dlid = 7)))).toBe("taken");
  expect(judge(packet(({ lrh }) => (lrh.dlid = 7), 64, "ib-local"))).toBe("taken");
});

describe("is dropped, and counted", () => {
  test.each<[AdapterDrop, string, Uint8Array]>([
    ["vcrc", "damaged on the wire", damaged(false)],
    ["vcrc", "cut short", packet().subarray(0, 40)],
    ["icrc", "damaged before", damaged(true)],
    ["broken", "of another transport", packet(({ bth }) => (bth.opcode = RC_SEND_ONLY))],
    ["lid", "to another port", packet(({ lrh }) => (lrh.dlid = 8))],
    ["too-big", "longer than the MTU", packet(() => {}, 1025)],
    ["p-key", "of another partition", packet(({ bth }) => (bth.pKey = 0x8001))],
    ["not-attached", "to a group without a queue pair", packet(({ grh }) => grh.dgid.set(OTHER))],
    ["not-attached", "to the group by another's LID", packet(({ lrh }) => (lrh.dlid = MLID + 1))],
    ["not-attached", "to one queue pair", packet(({ bth }) => (bth.destQp = 5))],
    ["not-attached", "without a GRH", packet(() => {}, 64, "ib-local")],
    ["q-key", "without the key", packet(({ deth }) => (deth.qKey = 1))],
  ])("as %s: one %s", (reason, _, bytes) => {
    expect(judge(bytes)).toBe(reason);
  });

  test("as not attached: one to a group that was left", () => {
    const left = adapter();
    left.detach(MGID);
    expect(judge(packet(), left)).toBe("not-attached");
  });

  test("as of another partition: one of a limited member for a limited member", () => {
    const limited = adapter();
    limited.pKeys = [0x7fff];
    expect(
      judge(
        packet(({ bth }) => (bth.pKey = 0x7fff)),
        limited,
      ),
    ).toBe("p-key");
    expect(judge(packet(), limited)).toBe("taken");
  });
});
