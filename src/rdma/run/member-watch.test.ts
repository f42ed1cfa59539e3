// Proves when it is asked who is in the groups on InfiniBand, and what is known while nobody answers. The real OpenSM is
// asked in bridge.net.test.ts.
import { beforeEach, describe, expect, test } from "vitest";
import type { McMemberRecord } from "../codec/sa-records.ts";
import { MOST_LISTENERS } from "../bridge/listeners.ts";
import { FabricError } from "../sa/management-port.ts";
import type { Members } from "../sa/sa-client.ts";
import { MemberWatch } from "./member-watch.ts";
import type { GroupPorts, KeySource } from "./member-watch.ts";
import { bridged } from "./testing/stand.ts";

const MGIDS = ["239.37.0.1", "239.37.0.2", "239.37.0.3"];

let groups: ReturnType<typeof bridged>["group"][];
let asked: [mgid: string, key: bigint][];
let told: string[];
let answer: () => Members | FabricError;

beforeEach(() => {
  groups = MGIDS.map((group, i) => bridged(i, group).group);
  for (const group of groups) group.infiniband = { mlid: 0xc001, qKey: 1, pKey: 0xffff, sl: 0, hopLimit: 0, mtu: 2048 };
  asked = [];
  told = [];
  answer = () => members(1);
});

/** So many records: ports in all states by turns. */
function members(count: number): Members {
  const records = Array.from({ length: count }, (_, i) => {
    const portGid = new Uint8Array(16).fill(i + 1);
    if (i > 254) portGid[0] = 0xfe;
    return { portGid, joinState: 1 << (i % 3) } as unknown as McMemberRecord;
  });
  return { records, more: false };
}

function watch(key: KeySource | undefined): MemberWatch {
  const client = {
    members: (smKey: bigint, mgid = new Uint8Array()): Promise<Members> => {
      asked.push([mgid.join(), smKey]);
      const given = answer();
      return given instanceof FabricError ? Promise.reject(given) : Promise.resolve(given);
    },
  };
  return new MemberWatch(client, groups, new Uint8Array(16).fill(1), key, (what) => told.push(what));
}

/** Looks every 50 ms from one time to another. */
async function look(at: MemberWatch, fromMs: number, toMs: number): Promise<void> {
  for (let ms = fromMs; ms < toMs; ms += 50) await at.look(ms);
}

describe("with a key", () => {
  test("each group is asked for in turn, and again after ten seconds", async () => {
    const watched = watch(() => 5n);
    expect(watched.told).toBe("asking");
    await look(watched, 0, 9000);
    const all = groups.map(({ mgid }) => [mgid.join(), 5n]);
    expect(asked).toEqual(all);
    expect([watched.told, told]).toEqual(["told", ["members-told"]]);
    await look(watched, 9000, 11_000);
    expect(asked).toEqual([...all, ...all]);
  });

  test("what is told are ports, whether they listen, and when", async () => {
    answer = () => members(3);
    const watched = watch(() => 5n);
    await look(watched, 0, 50);
    expect(watched.of(groups[0] as (typeof groups)[0])).toEqual({
      ports: [
        { gid: "101:101:101:101:101:101:101:101", states: ["full"], listens: true, self: true },
        { gid: "202:202:202:202:202:202:202:202", states: ["non-member"], listens: true },
        { gid: "303:303:303:303:303:303:303:303", states: ["send-only"], listens: false },
      ],
      count: 3,
      listening: 1,
      more: false,
      askedMs: 0,
    });
    expect(watched.of(groups[1] as (typeof groups)[0])).toBeUndefined();
  });

  test("a group that is not there is not asked for, and what was known of it is forgotten", async () => {
    const watched = watch(() => 5n);
    await look(watched, 0, 1000);
    const [first] = groups as [(typeof groups)[0]];
    first.infiniband = undefined;
    asked = [];
    await look(watched, 10_000, 11_000);
    expect(asked).toHaveLength(2);
    expect(watched.of(first)).toBeUndefined();
    // One that differs from the file is there.
    first.trouble = { why: "", differs: [{ what: "rate", wanted: 10, has: 40 }] };
    asked = [];
    await look(watched, 21_000, 22_000);
    expect(asked).toHaveLength(3);
  });

  test("ports are bounded, and counted beyond", async () => {
    answer = () => members(MOST_LISTENERS.group + 10);
    const watched = watch(() => 5n);
    await look(watched, 0, 50);
    const { ports, count, listening } = watched.of(groups[0] as (typeof groups)[0]) as GroupPorts;
    // Of 266 by turns every third only sends, 88 of them, and one is the bridge.
    expect([ports.length, count, listening]).toEqual([MOST_LISTENERS.group, MOST_LISTENERS.group + 10, 177]);
  });

  test("without an answer nothing is known, and nobody is asked for half a minute", async () => {
    const watched = watch(() => 5n);
    await look(watched, 0, 1000);
    answer = () => new FabricError("the subnet administrator did not answer in 4000 ms");
    asked = [];
    await look(watched, 10_000, 39_000);
    expect(asked).toHaveLength(1);
    expect([watched.told, watched.why]).toEqual(["unanswered", "the subnet administrator did not answer in 4000 ms"]);
    expect(groups.map((group) => watched.of(group))).toEqual([undefined, undefined, undefined]);
    answer = () => members(1);
    await look(watched, 40_000, 42_000);
    expect([watched.told, watched.why]).toEqual(["told", ""]);
    expect(told).toEqual(["members-told", "members-unanswered", "members-told"]);
  });

  test("a refusal is told", async () => {
    answer = () => new FabricError("the subnet administrator says: the request is denied", 0x0700);
    const watched = watch(() => 5n);
    await look(watched, 0, 50);
    expect([watched.told, watched.why]).toEqual(["refused", "the subnet administrator says: the request is denied"]);
  });
});

describe("without a key", () => {
  test("nobody is asked", async () => {
    const watched = watch(undefined);
    await look(watched, 0, 60_000);
    expect([watched.told, watched.why, asked, told]).toEqual(["no-key", "", [], []]);
  });

  test("that can be read it says why, and asks as soon as it can be", async () => {
    let key: bigint | { why: string } = { why: "/k cannot be read: ENOENT" };
    const watched = watch(() => key);
    await look(watched, 0, 1000);
    expect([watched.told, watched.why, asked]).toEqual(["no-key", "/k cannot be read: ENOENT", []]);
    key = 6n;
    await look(watched, 10_000, 11_000);
    expect([watched.told, asked.length, asked[0]?.[1]]).toEqual(["told", 3, 6n]);
  });
});
