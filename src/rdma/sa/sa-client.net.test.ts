// Proves the client of the subnet administrator against the real OpenSM on a simulated fabric.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { formatAddress, parseAddress } from "../../model/ip.ts";
import { TRAP } from "../codec/sa-records.ts";
import type { Notice } from "../codec/sa-records.ts";
import { GroupKeeper } from "./group-keeper.ts";
import type { GroupNews } from "./group-keeper.ts";
import { IbsimPort } from "./ibsim-port.ts";
import { FabricError } from "./management-port.ts";
import { SaClient } from "./sa-client.ts";
import { Fabric } from "../fabric/simulation.ts";
import { until } from "../fabric/until.ts";

let fabric: Fabric;
beforeAll(async () => {
  fabric = await Fabric.start(3);
  return () => fabric[Symbol.asyncDispose]();
});

const open: IbsimPort[] = [];
afterEach(async () => {
  for (const port of open.splice(0)) await port.close();
});

interface Client {
  port: IbsimPort;
  sa: SaClient;
}

async function clientAt(node: string): Promise<Client> {
  const port = await IbsimPort.open({ node, port: fabric.port });
  open.push(port);
  return { port, sa: new SaClient(port, { timeoutMs: 500 }) };
}

const gid = (text: string): Uint8Array => parseAddress(text) as Uint8Array;
const text = (bytes: Uint8Array): string => formatAddress(bytes);
/** What a group is made with. */
const GROUP = { qKey: 0x01234567, pKey: 0xffff, sl: 0, flowLabel: 0, trafficClass: 0 };
const FULL = 1;
const SEND_ONLY = 4;

/** The status with which the administrator refuses. */
async function refusal(asked: Promise<unknown>): Promise<number | undefined> {
  const error = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FabricError);
  return (error as FabricError).status;
}

describe("a path", () => {
  test("leads to another port by the LIDs that both have", async () => {
    const [one, two] = [await clientAt("H2"), await clientAt("H3")];
    expect(text(one.port.gid)).toBe("fe80::20:102");
    const path = await one.sa.path(two.port.gid);
    const [from, to] = [await one.port.place(), await two.port.place()];
    expect([path.slid, path.dlid]).toEqual([from.lid, to.lid]);
    expect(from.lid).toBeGreaterThan(0);
    expect(path).toMatchObject({ pKey: 0xffff, reversible: 1, mtu: 4 });
    expect(text(path.dgid)).toBe(text(two.port.gid));
  });

  test("to nobody is none", async () => {
    const { sa } = await clientAt("H2");
    expect(await refusal(sa.path(gid("fe80::dead")))).toBe(0x0300);
  });
});

describe("a group", () => {
  const mgid = gid("ff12:4001:ffff::f01:203");

  test("is made by the first full member, shared, and gone with the last", async () => {
    const [one, two] = [await clientAt("H2"), await clientAt("H3")];
    expect(await refusal(one.sa.group(mgid))).toBe(0x0300);
    expect(await refusal(one.sa.join(mgid, FULL))).toBe(0x0600);
    expect(await refusal(one.sa.join(mgid, SEND_ONLY, GROUP))).toBeDefined();

    const made = await one.sa.join(mgid, FULL, GROUP);
    expect(made).toMatchObject({ ...GROUP, joinState: FULL, mtu: 4 });
    expect(made.mlid).toBeGreaterThanOrEqual(0xc000);
    expect((await two.sa.join(mgid, SEND_ONLY)).mlid).toBe(made.mlid);
    expect(await two.sa.group(mgid)).toMatchObject({ mlid: made.mlid, qKey: GROUP.qKey });
    expect((await one.sa.path(mgid)).dlid).toBe(made.mlid);
    expect(await refusal(two.sa.join(mgid, FULL, { ...GROUP, qKey: 1 }))).toBe(0x0200);

    // Who is in already may say so again.
    expect((await one.sa.join(mgid, FULL)).mlid).toBe(made.mlid);
    await one.sa.leave(mgid, FULL);
    expect(await refusal(one.sa.leave(mgid, FULL))).toBe(0x0200);
    expect(await refusal(two.sa.group(mgid))).toBe(0x0300);
  });

  test("is reported when it comes and when it goes", async () => {
    const [one, two] = [await clientAt("H2"), await clientAt("H3")];
    const notices: Notice[] = [];
    two.sa.onNotice = (notice) => notices.push(notice);
    await two.sa.subscribe(TRAP.groupCreated);
    await two.sa.subscribe(TRAP.groupDeleted);
    await one.sa.join(mgid, FULL, GROUP);
    await one.sa.leave(mgid, FULL);
    const of = (trap: number): Notice[] =>
      notices.filter((notice) => notice.trap === trap && text(notice.gid) === text(mgid));
    await until("both reports came", () => of(TRAP.groupCreated).length > 0 && of(TRAP.groupDeleted).length > 0);
  });
});

describe("members", () => {
  const mgid = gid("ff12:4001:ffff::f01:209");
  /** OpenSM's sa_key unless it is configured (OSM_DEFAULT_SA_KEY). */
  const KEY = 1n;

  test("are told to who has the key, with join states, until they leave", async () => {
    const [one, two] = [await clientAt("H2"), await clientAt("H3")];
    const ports = async (): Promise<string[]> =>
      (await one.sa.members(KEY, mgid)).records.map(({ portGid, joinState }) => `${text(portGid)} ${joinState}`);
    expect(await ports()).toEqual([]);
    await one.sa.join(mgid, FULL, GROUP);
    expect(await ports()).toEqual([`fe80::20:102 ${FULL}`]);
    await two.sa.join(mgid, SEND_ONLY);
    expect((await ports()).toSorted()).toEqual([`fe80::20:102 ${FULL}`, `fe80::20:202 ${SEND_ONLY}`]);
    await two.sa.leave(mgid, SEND_ONLY);
    expect(await ports()).toEqual([`fe80::20:102 ${FULL}`]);
    await one.sa.leave(mgid, FULL);
  });

  test("of many groups come in more datagrams than are sent at once", async () => {
    const { sa, port } = await clientAt("H2");
    const groups = Array.from({ length: 150 }, (_, i) => gid(`ff12:4001:ffff::f02:${i.toString(16)}`));
    for (const group of groups) await sa.join(group, FULL, GROUP);
    const { records, more } = await sa.members(KEY);
    const own = records.filter(({ portGid }) => text(portGid) === text(port.gid)).map((record) => text(record.mgid));
    expect(own.toSorted()).toEqual(groups.map(text).toSorted());
    expect(more).toBe(false);
    for (const group of groups) await sa.leave(group, FULL);
    expect((await sa.members(KEY)).records).toEqual([]);
  });

  test("are told to nobody else: who has another key gets no answer, who has none gets blanks", async () => {
    const { sa } = await clientAt("H2");
    await sa.join(mgid, FULL, GROUP);
    // The key of old releases, in the byte order of a small machine, is another one.
    for (const key of [2n, 0x0100000000000000n]) expect(await refusal(sa.members(key, mgid))).toBeUndefined();
    const [blank] = (await sa.members(0n, mgid)).records;
    expect(blank).toMatchObject({ joinState: 0, qKey: GROUP.qKey });
    expect(text(blank?.portGid ?? new Uint8Array())).toBe("::");
    expect(await sa.group(mgid)).toMatchObject({ qKey: GROUP.qKey });
    await sa.leave(mgid, FULL);
  });
});

describe("a membership that is kept", () => {
  const groups = ["ff12:4001:ffff::f01:204", "ff12:4001:ffff::f01:205"].map(gid);

  test("is taken anew when the subnet manager has forgotten it, and only then", async () => {
    const { sa, port } = await clientAt("H2");
    const news: GroupNews[] = [];
    const keeper = new GroupKeeper(sa, (one) => news.push(one));
    for (const mgid of groups) await keeper.hold({ mgid, joinState: FULL, more: GROUP });
    await keeper.check();
    expect(news.map(({ what }) => what)).toEqual(["joined", "joined"]);
    expect(keeper.records).toHaveLength(2);

    await fabric.stopManager();
    // Nobody answers: nothing is known, so nothing is told.
    await keeper.check();
    expect(news).toHaveLength(2);

    await fabric.startManager();
    expect(await refusal(sa.path(groups[0] as Uint8Array))).toBe(0x0300);
    await until("all are there again", async () => {
      await keeper.check();
      const ways = await Promise.all(groups.map((mgid) => sa.path(mgid).catch(() => undefined)));
      return ways.every((way, i) => way?.dlid === keeper.records[i]?.mlid);
    });

    for (const mgid of groups) await keeper.release(mgid);
    expect(await refusal(sa.group(groups[0] as Uint8Array))).toBe(0x0300);
    expect((await port.place()).lid).toBeGreaterThan(0);
  });

  test("that the manager refuses is told once, and had when it can be", async () => {
    const [one, two] = [await clientAt("H2"), await clientAt("H3")];
    const mgid = groups[0] as Uint8Array;
    const news: GroupNews[] = [];
    const keeper = new GroupKeeper(two.sa, (latest) => news.push(latest));
    await keeper.hold({ mgid, joinState: SEND_ONLY });
    await keeper.check();
    expect(news).toMatchObject([{ what: "lost", error: { name: "FabricError" } }]);
    await one.sa.join(mgid, FULL, GROUP);
    await keeper.check();
    expect(news[1]).toMatchObject({ what: "joined" });
    await one.sa.leave(mgid, FULL);
    await keeper.check();
    expect(news[2]).toMatchObject({ what: "lost" });
    await keeper.release(mgid);
  });
});

describe("nobody there", () => {
  test("is said of a node that is none, and of a fabric that is none", async () => {
    await expect(IbsimPort.open({ node: "H9", port: fabric.port })).rejects.toThrow("knows no such node");
    await expect(IbsimPort.open({ node: "H2", port: 9, timeoutMs: 20 })).rejects.toThrow("does not answer");
    await expect(IbsimPort.open({ node: "" })).rejects.toThrow(RangeError);
  });
});
