// Proves the receiving end of tables in several datagrams against a sender with a window, on wires that lose, double and
// reorder; and what becomes of senders that lie.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { holds } from "../../host/netlink/testing/seeds.ts";
import { MAD_BYTES, MadHeader, METHOD, readMadHeader, writeMadHeader } from "../codec/mad.ts";
import { readRmpp, RMPP_STATUS, RMPP_TYPE, RmppHeader, writeRmpp } from "../codec/rmpp.ts";
import { SA_ATTRIBUTE } from "../codec/sa.ts";
import { MC_MEMBER_RECORD } from "../codec/sa-records.ts";
import { TableSender } from "./testing/table-sender.ts";
import { TableTransfer } from "./table-transfer.ts";

const REQUEST = new Uint8Array(MAD_BYTES);
writeMadHeader(
  REQUEST,
  0,
  Object.assign(new MadHeader(), {
    managementClass: 3,
    classVersion: 2,
    method: METHOD.getTable,
    attribute: SA_ATTRIBUTE.mcMemberRecord,
    tidHigh: 7,
    tidLow: 99,
  }),
);

/** A sender of so many records, whose MLIDs are their numbers. */
function senderOf(count: number): TableSender {
  return new TableSender(
    REQUEST,
    Array.from({ length: count }, (_, i) => ({ mlid: i, joinState: 1 })),
  );
}

function rmppOf(mad: Uint8Array | undefined): RmppHeader {
  const header = new RmppHeader();
  readRmpp(mad as Uint8Array, 0, header);
  return header;
}

/** Lets them talk without losses. */
function run(sender: TableSender, transfer: TableTransfer): void {
  for (let i = 0; i < 10_000 && !sender.done; i++) {
    for (const mad of sender.due()) {
      const answer = transfer.take(mad);
      if (answer) sender.take(answer);
    }
  }
}

function mlids(transfer: TableTransfer): number[] {
  return transfer.records(MC_MEMBER_RECORD).map(({ mlid }) => mlid);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("a table", () => {
  // 3 records fill a datagram all but 32 bytes; 25 fill seven datagrams exactly.
  test.each([0, 1, 3, 4, 7, 25, 200, 1000])("of %i records comes whole", (count) => {
    const [sender, transfer] = [senderOf(count), new TableTransfer(1280)];
    run(sender, transfer);
    expect([transfer.state, sender.acknowledged]).toEqual(["whole", sender.segments.length]);
    expect(mlids(transfer)).toEqual(upTo(count));
  });

  test("is acknowledged as its sender's transaction, in the other direction, with a window", () => {
    const [sender, transfer] = [senderOf(50), new TableTransfer(1280)];
    const answer = transfer.take(sender.segments[0] as Uint8Array) as Uint8Array;
    const header = new MadHeader();
    readMadHeader(answer, 0, header);
    const expected = { managementClass: 3, method: METHOD.getTable, answer: false, tidHigh: 7, tidLow: 99, status: 0 };
    expect(header).toMatchObject(expected);
    expect(rmppOf(answer)).toMatchObject({ version: 1, type: RMPP_TYPE.ack, flags: 1, segment: 1, length: 33 });
    // Until the window is full nothing is said, but of the last.
    expect(transfer.take(sender.segments[1] as Uint8Array)).toBeUndefined();
    expect(rmppOf(transfer.acknowledgement())).toMatchObject({ segment: 2, length: 33 });
    // What comes again is acknowledged again: somebody has missed it.
    expect(rmppOf(transfer.take(sender.segments[0] as Uint8Array))).toMatchObject({ segment: 2, length: 33 });
  });

  test("beyond the bound is stopped, and what has come is kept", () => {
    const [sender, transfer] = [senderOf(1000), new TableTransfer(40)];
    run(sender, transfer);
    expect([transfer.state, transfer.count, sender.ended]).toEqual([
      "cut",
      40,
      [RMPP_TYPE.stop, RMPP_STATUS.resourcesExhausted],
    ]);
    expect(mlids(transfer)).toEqual(upTo(142));
  });

  test("that is over is acknowledged again when its sender has not heard so", () => {
    const [sender, transfer] = [senderOf(10), new TableTransfer(1280)];
    run(sender, transfer);
    expect(rmppOf(transfer.take(sender.segments.at(-1) as Uint8Array))).toMatchObject({
      type: RMPP_TYPE.ack,
      segment: 3,
    });
  });

  test("comes whole over wires that lose, double and reorder", () => {
    holds(
      fc.property(fc.integer({ min: 0, max: 400 }), fc.infiniteStream(fc.nat(99)), (count, chance) => {
        const [sender, transfer] = [senderOf(count), new TableTransfer(1280)];
        const next = (): number => chance.next().value as number;
        for (let round = 0; round < 2000 && !sender.done; round++) {
          const flying = sender
            .due()
            .flatMap((mad) => (next() < 30 ? [] : next() < 10 ? [mad, mad] : [mad]))
            .map((mad) => ({ mad, place: next() < 20 ? next() : 0 }))
            .sort((a, b) => a.place - b.place);
          for (const { mad } of flying) {
            const answer = transfer.take(mad);
            if (answer !== undefined && next() >= 30) sender.take(answer);
          }
          // As whoever waits does.
          const again = transfer.state === "open" ? transfer.acknowledgement() : undefined;
          if (again !== undefined && next() >= 30) sender.take(again);
        }
        expect(transfer.state).toBe("whole");
        expect(sender.acknowledged).toBe(sender.segments.length);
        expect(mlids(transfer)).toEqual(upTo(count));
      }),
      100,
    );
  });
});

describe("a sender that does not keep the rules is told so", () => {
  const changed = (number: number, change: Partial<RmppHeader>): Uint8Array => {
    const mad = (senderOf(20).segments[number - 1] as Uint8Array).slice();
    writeRmpp(mad, 0, Object.assign(rmppOf(mad), change));
    return mad;
  };

  test.each([
    ["another version", changed(1, { version: 2 }), RMPP_STATUS.unsupportedVersion],
    ["an unknown type", changed(1, { type: 9 }), RMPP_STATUS.badType],
    ["a first segment that is none", changed(1, { flags: 1 }), RMPP_STATUS.badFirst],
    ["a second segment that is the first", changed(2, { flags: 3 }), RMPP_STATUS.badFirst],
    ["segment 0", changed(1, { segment: 0 }), RMPP_STATUS.badFirst],
    ["a last segment shorter than its header", changed(1, { flags: 7, length: 19 }), RMPP_STATUS.badLength],
    ["a last segment longer than a datagram", changed(1, { flags: 7, length: 221 }), RMPP_STATUS.badLength],
  ])("%s", (_, mad, status) => {
    const transfer = new TableTransfer(1280);
    expect(rmppOf(transfer.take(mad))).toMatchObject({ type: RMPP_TYPE.abort, status });
    expect([transfer.state, transfer.records(MC_MEMBER_RECORD)]).toEqual(["failed", []]);
    expect(transfer.why).not.toBe("");
    // It is told once.
    expect(transfer.take(mad)).toBeUndefined();
  });

  test("segments beyond the window are passed over, and so is a last one before those that came", () => {
    const transfer = new TableTransfer(1280);
    expect(transfer.take(changed(3, {}))).toBeUndefined();
    expect(transfer.count).toBe(0);
    transfer.take(changed(1, {}));
    expect(transfer.take(changed(4, {}))).toBeUndefined();
    expect(rmppOf(transfer.take(changed(3, { flags: 5, length: 100 })))).toMatchObject({
      type: RMPP_TYPE.abort,
      status: RMPP_STATUS.badLength,
    });
  });

  test("and one that gives up is not answered", () => {
    const transfer = new TableTransfer(1280);
    transfer.take(changed(1, {}));
    expect(transfer.take(changed(2, { type: RMPP_TYPE.abort, status: 126 }))).toBeUndefined();
    expect([transfer.state, transfer.why]).toEqual(["failed", "the sender gave it up, status 126"]);
  });
});

test("records that say to be smaller than they are, are none", () => {
  const transfer = new TableTransfer(1280);
  const mad = (senderOf(1).segments[0] as Uint8Array).slice();
  mad.fill(0, 44, 46);
  transfer.take(mad);
  expect([transfer.state, mlids(transfer)]).toEqual(["whole", []]);
});
