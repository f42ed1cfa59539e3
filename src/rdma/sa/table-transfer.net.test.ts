// Proves the header of RMPP, and the key of a trusted request, against tshark: what both ends say is what it reads.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tshark } from "../../../test/tshark.ts";
import { MAD_BYTES, MadHeader, METHOD, writeMadHeader } from "../codec/mad.ts";
import { SA_ATTRIBUTE, setSmKey, writeSaBody } from "../codec/sa.ts";
import { MC_MEMBER_RECORD } from "../codec/sa-records.ts";
import { LINK_TYPE, writePcap } from "../codec/testing/write-capture.ts";
import { groupPacket } from "../hosts/messages.ts";
import { TableSender } from "./testing/table-sender.ts";
import { TableTransfer } from "./table-transfer.ts";

/** Queue pair 1 and its key. */
const [GSI, GSI_KEY] = [1, 0x80010000];
const MGID = new Uint8Array(16).fill(0xff);

const FIELDS = {
  method: "infiniband.mad.method",
  version: "infiniband.rmpp.rmppversion",
  type: "infiniband.rmpp.rmpptype",
  flags: "infiniband.rmpp.rmppflags",
  status: "infiniband.rmpp.rmppstatus",
  segment: "infiniband.rmpp.segmentnumber",
  length: "infiniband.rmpp.payloadlength",
  window: "infiniband.rmpp.newwindowlast",
} as const;
const KEY = "infiniband.sa.smkey";

type Read = Partial<Record<keyof typeof FIELDS, number>> & { key?: string };

/** What tshark reads in MADs that are sent to queue pair 1. */
function read(mads: readonly Uint8Array[]): Read[] {
  const folder = mkdtempSync(join(tmpdir(), "heddle-rmpp-"));
  try {
    const packets = mads.map((mad) =>
      groupPacket("roce-ipv4", mad, ({ bth, deth }) => {
        bth.destQp = GSI;
        deth.qKey = GSI_KEY;
      }),
    );
    writeFileSync(join(folder, "pcap"), writePcap(packets, { linkType: LINK_TYPE.ethernet }));
    return tshark(join(folder, "pcap"), [...Object.values(FIELDS), KEY]).map((values) => {
      const there = Object.entries(FIELDS).filter(([, field]) => values[field] !== "");
      const numbers = Object.fromEntries(there.map(([name, field]) => [name, Number(values[field])]));
      return { ...numbers, key: values[KEY] ?? "" };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("tshark reads what both ends say", () => {
  const request = new Uint8Array(MAD_BYTES);
  const header = {
    managementClass: 3,
    classVersion: 2,
    method: METHOD.getTable,
    attribute: SA_ATTRIBUTE.mcMemberRecord,
  };
  writeMadHeader(request, 0, Object.assign(new MadHeader(), header));
  writeSaBody(MC_MEMBER_RECORD, request, 0, { mgid: MGID });
  setSmKey(request, 0, 0x0102030405060708n);
  const sender = new TableSender(
    request,
    Array.from({ length: 5 }, (_, mlid) => ({ mlid })),
  );
  const transfer = new TableTransfer(1280);
  const answers = sender.segments.map((segment) => transfer.take(segment) as Uint8Array);
  const given = new TableTransfer(1280);
  given.take(sender.segments[0] as Uint8Array);
  const mads = [request, ...sender.segments, ...answers, given.abandon() as Uint8Array];
  const data = { method: 0x92, version: 1, type: 1 };
  const said = { method: 0x12, version: 1, flags: 1 };
  expect(read(mads)).toMatchObject([
    { method: 0x12, key: "0x0102030405060708" },
    // 280 bytes of records, and twenty in each of two datagrams.
    { ...data, flags: 3, segment: 1, length: 320 },
    { ...data, flags: 5, segment: 2, length: 100 },
    { ...said, type: 2, segment: 1, window: 33 },
    { ...said, type: 2, segment: 2, window: 33 },
    { ...said, type: 4, status: 118 },
  ]);
});
