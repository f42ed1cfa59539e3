// Proves what the client of the subnet administrator makes of losses, strangers' answers, and reports.
import { describe, expect, test } from "vitest";
import { MAD_BYTES, MadHeader, MANAGEMENT_CLASS, METHOD, readMadHeader, writeMadHeader } from "../codec/mad.ts";
import { RMPP_STATUS, RMPP_TYPE } from "../codec/rmpp.ts";
import { readSaHeader, SA_ATTRIBUTE, writeSaBody } from "../codec/sa.ts";
import { MC_MEMBER_RECORD, NOTICE, TRAP } from "../codec/sa-records.ts";
import type { McMemberRecord } from "../codec/sa-records.ts";
import { GroupKeeper } from "./group-keeper.ts";
import type { GroupNews } from "./group-keeper.ts";
import { FabricError } from "./management-port.ts";
import type { ManagementPort } from "./management-port.ts";
import { SaClient } from "./sa-client.ts";
import { TableSender } from "./testing/table-sender.ts";

const MGID = Uint8Array.from({ length: 16 }, (_, i) => i);

/** A port whose administrator is a function: what it gives comes back as answers. */
class ScriptedPort implements ManagementPort {
  onMad: (mad: Uint8Array, slid: number) => void = () => {};
  readonly gid = new Uint8Array(16).fill(9);
  readonly sent: { mad: Uint8Array; dlid: number }[] = [];
  smLid = 1;
  readonly #answer: (mad: Uint8Array, times: number) => Uint8Array[];

  constructor(answer: (mad: Uint8Array, times: number) => Uint8Array[]) {
    this.#answer = answer;
  }

  place() {
    return Promise.resolve({ lid: 5, smLid: this.smLid });
  }

  send(mad: Uint8Array, dlid: number): void {
    this.sent.push({ mad, dlid });
    for (const answer of this.#answer(mad, this.sent.length)) queueMicrotask(() => this.onMad(answer, this.smLid));
  }

  close() {
    return Promise.resolve();
  }
}

/** An answer to a request, with changes to its header. */
function answerTo(mad: Uint8Array, change: Partial<MadHeader> = {}, record: Partial<McMemberRecord> = {}): Uint8Array {
  const header = new MadHeader();
  readMadHeader(mad, 0, header);
  const answer = new Uint8Array(MAD_BYTES);
  writeMadHeader(answer, 0, Object.assign(header, { answer: true, method: METHOD.get }, change));
  writeSaBody(MC_MEMBER_RECORD, answer, 0, record);
  return answer;
}

const clientOf = (port: ManagementPort): SaClient => new SaClient(port, { timeoutMs: 20, attempts: 3 });

describe("a request", () => {
  test("is sent to the manager's LID with the fields and the mask that it is about", async () => {
    const port = new ScriptedPort((mad) => [answerTo(mad, {}, { mlid: 0xc005 })]);
    expect((await clientOf(port).join(MGID, 1)).mlid).toBe(0xc005);
    const [{ mad, dlid }] = port.sent as [{ mad: Uint8Array; dlid: number }];
    const header = new MadHeader();
    readMadHeader(mad, 0, header);
    expect(header).toMatchObject({ managementClass: 3, classVersion: 2, method: METHOD.set, attribute: 0x38 });
    expect([dlid, readSaHeader(mad, 0).componentMask]).toEqual([1, 0x10003n]);
  });

  test("that was lost is sent again with the same number, to where the manager is now", async () => {
    const port = new ScriptedPort((mad, times) => {
      port.smLid = 7;
      return times < 3 ? [] : [answerTo(mad)];
    });
    await clientOf(port).group(MGID);
    expect(port.sent.map(({ dlid }) => dlid)).toEqual([1, 7, 7]);
    expect(port.sent.map(({ mad }) => mad)).toEqual([port.sent[0]?.mad, port.sent[0]?.mad, port.sent[0]?.mad]);
  });

  test("is not answered by another's answer, one to something else, another class, or half a datagram", async () => {
    const port = new ScriptedPort((mad) => [
      answerTo(mad, { tidLow: 1 }),
      answerTo(mad, { attribute: SA_ATTRIBUTE.pathRecord }),
      answerTo(mad, { managementClass: MANAGEMENT_CLASS.cm }),
      answerTo(mad, { answer: false }),
      answerTo(mad).subarray(0, 200),
    ]);
    const error = await clientOf(port)
      .group(MGID)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FabricError);
    expect((error as FabricError).status).toBeUndefined();
    expect(port.sent).toHaveLength(3);
  });

  test("is answered though the upper half of its number was changed", async () => {
    const port = new ScriptedPort((mad) => [answerTo(mad, { tidHigh: 0x00010000 }, { mlid: 0xc001 })]);
    expect((await clientOf(port).group(MGID)).mlid).toBe(0xc001);
  });

  test("waits where there is no manager yet", async () => {
    const port = new ScriptedPort(() => []);
    port.smLid = 0;
    await expect(clientOf(port).group(MGID)).rejects.toThrow("did not answer in 60 ms");
    expect(port.sent).toEqual([]);
  });

  test("that is refused says why", async () => {
    const port = new ScriptedPort((mad) => [answerTo(mad, { status: 0x0700 })]);
    await expect(clientOf(port).leave(MGID, 1)).rejects.toMatchObject({
      message: expect.stringContaining("denied"),
      status: 0x0700,
    });
  });
});

describe("members", () => {
  const KEY = 0x0102030405060708n;
  const gidOf = (i: number): Uint8Array => new Uint8Array(16).fill(i);

  /** A client whose administrator sends so many members, and what becomes of each datagram that is sent to it. */
  function membersOf(count: number, lose: (mad: Uint8Array, times: number) => boolean = () => false) {
    let sender: TableSender | undefined;
    const port = new ScriptedPort((mad, times) => {
      if (lose(mad, times)) return [];
      if (mad[25] === RMPP_TYPE.none) {
        const records = Array.from({ length: count }, (_, i) => ({ mgid: MGID, portGid: gidOf(i), joinState: 1 }));
        sender = new TableSender(mad, records);
      } else sender?.take(mad);
      return sender?.due() ?? [];
    });
    const said = (): [number, number] | undefined => sender?.ended;
    return { asked: clientOf(port).members(KEY, MGID), port, said, sender: () => sender };
  }

  test("are asked for as one who knows the key", async () => {
    const { asked, port } = membersOf(2);
    const { records, more } = await asked;
    expect(records.map(({ portGid }) => portGid)).toEqual([gidOf(0), gidOf(1)]);
    expect(more).toBe(false);
    const { mad, dlid } = port.sent[0] as { mad: Uint8Array; dlid: number };
    const header = new MadHeader();
    readMadHeader(mad, 0, header);
    expect(header).toMatchObject({ method: METHOD.getTable, attribute: SA_ATTRIBUTE.mcMemberRecord });
    expect([...mad.subarray(36, 44)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([dlid, readSaHeader(mad, 0).componentMask]).toEqual([1, 1n]);
  });

  test("come in as many datagrams as it takes", async () => {
    const { asked, sender } = membersOf(200);
    expect((await asked).records).toHaveLength(200);
    expect(sender()?.done).toBe(true);
  });

  test("come though acknowledgements are lost, and the last one is said again", async () => {
    const { asked, port, sender } = membersOf(200, (_, times) => times % 2 === 0);
    expect((await asked).records).toHaveLength(200);
    const last = sender()?.segments.at(-1) as Uint8Array;
    const before = port.sent.length;
    port.onMad(last, 1);
    expect(port.sent).toHaveLength(before + 1);
    expect(port.sent.at(-1)?.mad[25]).toBe(RMPP_TYPE.ack);
  });

  test("that do not come whole are not told of, and the sender hears that", async () => {
    const { asked, port } = membersOf(200, (mad) => mad[25] === RMPP_TYPE.ack);
    await expect(asked).rejects.toMatchObject({
      message: expect.stringContaining("did not come whole"),
      status: undefined,
    });
    expect([port.sent.at(-1)?.mad[25], port.sent.at(-1)?.mad[27]]).toEqual([RMPP_TYPE.abort, RMPP_STATUS.tooLong]);
    // The request itself went once: another answer would have come between.
    expect(port.sent.filter(({ mad }) => mad[25] === RMPP_TYPE.none)).toHaveLength(1);
  });

  test("are refused with the reason, and without an answer nobody knows", async () => {
    const refusing = new ScriptedPort((mad) => [answerTo(mad, { method: METHOD.getTable, status: 0x0700 })]);
    await expect(clientOf(refusing).members(KEY, MGID)).rejects.toMatchObject({ status: 0x0700 });
    const silent = new ScriptedPort(() => []);
    await expect(clientOf(silent).members(KEY, MGID)).rejects.toThrow("did not answer in 60 ms");
    expect(silent.sent).toHaveLength(3);
  });
});

test("a report is answered with itself, and told", () => {
  const port = new ScriptedPort(() => []);
  const client = clientOf(port);
  const traps: number[] = [];
  client.onNotice = ({ trap }) => traps.push(trap);
  const report = new Uint8Array(MAD_BYTES);
  const header = {
    managementClass: 3,
    classVersion: 2,
    method: METHOD.report,
    attribute: SA_ATTRIBUTE.notice,
    tidLow: 77,
  };
  writeMadHeader(report, 0, Object.assign(new MadHeader(), header));
  writeSaBody(NOTICE, report, 0, { trap: TRAP.groupDeleted, gid: MGID });
  port.onMad(report, 4);
  expect(traps).toEqual([TRAP.groupDeleted]);
  const answered = report.slice();
  answered[3] = 0x86;
  expect(port.sent).toEqual([{ mad: answered, dlid: 4 }]);
});

describe("a membership that is kept", () => {
  /** A keeper whose administrator does as `answer` says, and what it told. */
  function keep(answer: (mad: Uint8Array, times: number) => Uint8Array[]): [GroupKeeper, GroupNews[], ScriptedPort] {
    const port = new ScriptedPort(answer);
    const news: GroupNews[] = [];
    return [new GroupKeeper(clientOf(port), (one) => news.push(one)), news, port];
  }

  test("is told again when the group is another, and not when it is the same", async () => {
    let mlid = 0xc001;
    const [keeper, news] = keep((mad) => [answerTo(mad, {}, { mlid })]);
    await keeper.hold({ mgid: MGID, joinState: 1 });
    await keeper.check();
    mlid = 0xc002;
    await keeper.check();
    await keeper.check();
    expect(news.map(({ record }) => record?.mlid)).toEqual([0xc001, 0xc002]);
  });

  test("is lost when it is refused, and stays when nobody answers", async () => {
    let answer: "yes" | "no" | "nothing" = "yes";
    const [keeper, news] = keep((mad) =>
      answer === "nothing" ? [] : [answerTo(mad, answer === "no" ? { status: 0x0200 } : {})],
    );
    await keeper.hold({ mgid: MGID, joinState: 1 });
    answer = "nothing";
    await keeper.check();
    expect(keeper.records).toHaveLength(1);
    answer = "no";
    await keeper.check();
    await keeper.check();
    expect(keeper.records).toEqual([]);
    answer = "yes";
    await keeper.check();
    expect(news.map(({ what }) => what)).toEqual(["joined", "lost", "joined"]);
  });

  test("that is given up while it is asked for is left when the answer comes", async () => {
    const joined = Promise.withResolvers<void>();
    const [keeper, news, port] = keep((mad) => {
      if (mad[3] !== METHOD.set) return [answerTo(mad)];
      // The administrator makes it a member after it was told to forget it.
      void joined.promise.then(() => port.onMad(answerTo(mad), 1));
      return [];
    });
    const asked = keeper.hold({ mgid: MGID, joinState: 1 });
    await keeper.release(MGID);
    joined.resolve();
    await asked;
    expect(port.sent.map(({ mad }) => mad[3])).toEqual([METHOD.set, METHOD.delete, METHOD.delete]);
    expect([news, keeper.records]).toEqual([[], []]);
    await keeper.check();
    expect(port.sent).toHaveLength(3);
  });
});
