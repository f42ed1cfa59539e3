// Proves the marks that sockets get for who makes them, with real sockets of real users, and that changes have no gap.
import { closeSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newNamespace } from "../native.ts";
import { MOST_MEMBERS } from "../../model/socket-marks.ts";
import { NOTHING_KNOWN } from "./mark-config.ts";
import type { SocketMarks } from "./mark-maps.ts";
import { markSockets } from "./mark-sockets.ts";
import type { SocketMarker } from "./mark-sockets.ts";
import { Stand } from "./testing/stand.ts";

const MASK = 0xff0000;
const USER = 0x10000;
const GROUP = 0x20000;
const MEMBER = 0x40000;
const CGROUP = 0x80000;
const OTHER = 0x100000;

const NOBODY: SocketMarks = { users: [], groups: [], members: [], cgroups: [] };
const one = (id: number, bits: number): { first: number; last: number; bits: number } => ({
  first: id,
  last: id,
  bits,
});

let stand: Stand;
let marker: SocketMarker;

beforeEach(async () => {
  stand = await Stand.make();
  marker = stand.marker();
});
afterEach(async () => {
  await marker.remove();
  stand[Symbol.dispose]();
});

const id = (cgroup: string): string => statSync(cgroup, { bigint: true }).ino.toString();

describe("sockets of a chosen user", () => {
  const marked = ["udp4", "udp6", "udplite4", "ping4", "ping6", "tcp4", "tcp6", "mapped", "fast4", "fast6"];
  const plain = ["idle4", "listener4", "listener6", "accepted4", "accepted6", "unix"];

  test("are marked when they are made, TCP when it connects, and listeners are not", async () => {
    await marker.write(MASK, { ...NOBODY, users: [one(1234, USER)] });
    const sorts = [...marked, "fastconnect4", ...plain];
    const wanted = [...marked, "fastconnect4"].map((sort) => [sort, USER]);
    expect(stand.marks({ user: 1234 }, ...sorts)).toEqual(
      Object.fromEntries([...wanted, ...plain.map((sort) => [sort, 0])]),
    );
    expect(stand.marks({ user: 1235 }, ...sorts)).toEqual(Object.fromEntries(sorts.map((sort) => [sort, 0])));
  });

  test("are marked when they are raw, also with TCP's number", async () => {
    await marker.write(MASK, { ...NOBODY, users: [one(0, USER)] });
    expect(stand.marks({}, "raw4", "raw6", "rawtcp4", "mptcp4")).toEqual({
      raw4: USER,
      raw6: USER,
      rawtcp4: USER,
      mptcp4: USER,
    });
  });

  test("have their mark on the first packet, also when that carries data, or is of MPTCP", async () => {
    const inside = (...words: string[]): string => stand.inside(stand.namespace, ...words);
    const opening = "add rule ip t o tcp flags syn / syn,ack meta mark";
    inside("nft", "add table ip t; add chain ip t o { type filter hook output priority 0; }");
    inside("nft", `${opening} 0 counter; ${opening} ${USER} counter`);
    const counted = (): number[] =>
      [...inside("nft", "list", "table", "ip", "t").matchAll(/packets (\d+)/g)].map(([, count]) => Number(count));
    stand.marks({ user: 1234 }, "tcp4");
    expect(counted()).toEqual([1, 0]);
    await marker.write(MASK, { ...NOBODY, users: [one(1234, USER)] });
    // The second one knows the server's cookie, which data in the first packet needs (RFC 7413).
    stand.marks({ user: 1234 }, "tcp4", "mptcp4", "fast4");
    stand.marks({ user: 1234 }, "fast4");
    expect(counted()).toEqual([1, 4]);
    const [names = "", values = ""] = inside("cat", "/proc/net/netstat").split("\n");
    expect(values.split(" ")[names.split(" ").indexOf("TCPFastOpenActive")]).toBe("1");
  });

  test("in another network namespace are left alone", async () => {
    await marker.write(MASK, { ...NOBODY, users: [one(1234, USER)] });
    const namespace = newNamespace();
    stand.prepare(namespace);
    expect(stand.marks({ user: 1234, namespace }, "udp4", "tcp4", "tcp6")).toEqual({ udp4: 0, tcp4: 0, tcp6: 0 });
    closeSync(namespace);
  });
});

describe("who is chosen", () => {
  test("by ranges of users, the ends included", async () => {
    const users = [
      { first: 1000, last: 2002, bits: USER },
      { first: 2003, last: 2003, bits: OTHER },
      { first: 60000, last: 0xfffffffe, bits: OTHER },
    ];
    await marker.write(MASK, { ...NOBODY, users });
    const of = (user: number): unknown => stand.marks({ user }, "udp4")["udp4"];
    const ids = [999, 1000, 1001, 2002, 2003, 2004, 59999, 60000, 70000, 0xfffffffe];
    expect(ids.map(of)).toEqual([0, USER, USER, USER, OTHER, 0, 0, OTHER, OTHER, OTHER]);
  });

  test("by group and by supplementary group, which are told apart", async () => {
    await marker.write(MASK, {
      ...NOBODY,
      groups: [one(500, GROUP)],
      members: [one(600, MEMBER), { first: 700, last: 710, bits: OTHER }],
    });
    const of = (group: number, groups: number[] = []): unknown =>
      stand.marks({ user: 7, group, groups }, "udp4", "tcp6")["tcp6"];
    expect(of(500)).toBe(GROUP);
    expect(of(600)).toBe(0);
    expect(of(1, [500])).toBe(0);
    expect(of(1, [600])).toBe(MEMBER);
    expect(of(500, [1, 2, 600, 601])).toBe(GROUP | MEMBER);
    expect(of(1, [699, 711])).toBe(0);
    expect(of(1, [600, 710])).toBe(MEMBER | OTHER);
    expect(of(1, [700])).toBe(OTHER);
  });

  test("by supplementary group of somebody in very many", async () => {
    const many = (without: number): number[] =>
      Array.from({ length: 3000 }, (_, i) => 10_000 + i).filter((group) => group !== without);
    for (const chosen of [10_000, 11_234, 12_999]) {
      await marker.write(MASK, { ...NOBODY, members: [one(chosen, MEMBER)] });
      expect(stand.marks({ user: 7, groups: many(-1) }, "udp4")).toEqual({ udp4: MEMBER });
      expect(stand.marks({ user: 7, groups: many(chosen) }, "udp4")).toEqual({ udp4: 0 });
    }
  });

  test("by the ids of the filesystem, as the owner of the socket's file is", async () => {
    await marker.write(MASK, { ...NOBODY, users: [one(4321, USER)], groups: [one(4322, GROUP)] });
    expect(stand.marks({ words: ["fsuid=4321"] }, "udp4")).toEqual({ udp4: USER });
    expect(stand.marks({ words: ["fsgid=4322"] }, "udp4")).toEqual({ udp4: GROUP });
    expect((await marker.read())?.ids).toBe("filesystem");
  });

  test("by real ids where the kernel does not tell where others are, and what needs those is refused", async () => {
    const place = { namespace: stand.namespace, cgroup: stand.cgroup, bpffs: stand.bpffs };
    const blind = markSockets({ ...place, types: NOTHING_KNOWN });
    await blind.write(MASK, { ...NOBODY, users: [one(4321, USER)], groups: [one(4322, GROUP)] });
    expect(stand.marks({ user: 4321, group: 4322 }, "udp4", "tcp4")).toEqual({
      udp4: USER | GROUP,
      tcp4: USER | GROUP,
    });
    expect(stand.marks({ words: ["fsuid=4321"] }, "udp4")).toEqual({ udp4: 0 });
    expect((await marker.read())?.ids).toBe("real");
    for (const marks of [
      { ...NOBODY, members: [one(1, MEMBER)] },
      { ...NOBODY, cgroups: [{ id: "1", hierarchy: "freezer", bits: CGROUP }] },
    ]) {
      await expect(blind.write(MASK, marks)).rejects.toThrow(/ENOENT .*CONFIG_DEBUG_INFO_BTF/);
    }
  });

  test("not by more ranges of supplementary groups than can be looked at", async () => {
    const many = (count: number): SocketMarks => ({
      ...NOBODY,
      members: Array.from({ length: count }, (_, i) => one(1000 + 2 * i, MEMBER)),
    });
    await marker.write(MASK, many(MOST_MEMBERS));
    expect(stand.marks({ user: 7, groups: [1, 998 + 2 * MOST_MEMBERS] }, "udp4")).toEqual({ udp4: MEMBER });
    await expect(marker.write(MASK, many(MOST_MEMBERS + 1))).rejects.toThrow("at most 64 can be looked at");
    expect(await marker.read()).toMatchObject({ attached: true, marks: many(MOST_MEMBERS) });
  });

  test("by cgroup, with those below that were made later", async () => {
    const job = stand.childCgroup("job");
    const beside = stand.childCgroup("job2");
    const deep = stand.childCgroup(..."abcdefghijkl".split(""));
    const cgroups = [
      { id: id(job), bits: CGROUP },
      { id: id(deep), bits: OTHER },
    ];
    await marker.write(MASK, { ...NOBODY, users: [one(9, USER)], cgroups });
    const step = stand.childCgroup("job", "step", "task");
    const of = (cgroup: string): unknown => stand.marks({ user: 9, cgroup }, "tcp4")["tcp4"];
    expect([stand.cgroup, beside, job, step].map(of)).toEqual([USER, USER, USER | CGROUP, USER | CGROUP]);
    expect([of(join(deep, "..")), of(deep)]).toEqual([USER, USER | OTHER]);
  });
});

describe("what the kernel has", () => {
  const marks: SocketMarks = {
    users: [one(5, USER), { first: 1000, last: 1999, bits: USER | OTHER }, one(2000, USER)],
    groups: [{ first: 0, last: 6, bits: GROUP }],
    members: [one(600, MEMBER), { first: 700, last: 710, bits: OTHER }],
    cgroups: [
      { id: "77", hierarchy: "freezer", bits: CGROUP },
      { id: "12345678901", hierarchy: "v2", bits: CGROUP },
    ],
  };

  test("is read back, by another reader too, and gone after removal", async () => {
    expect(await marker.read()).toBeUndefined();
    await marker.write(MASK, marks);
    const told = await stand.marker().read();
    expect(told).toMatchObject({ mask: MASK, marks, attached: true, ids: "filesystem" });
    await stand.marker().remove();
    expect(await marker.read()).toBeUndefined();
    expect(stand.marks({ user: 5 }, "udp4", "tcp4")).toEqual({ udp4: 0, tcp4: 0 });
    await marker.remove();
  });

  test("counts the sockets that got each bit, over changes", async () => {
    await marker.write(MASK, { ...NOBODY, users: [one(5, USER | OTHER)] });
    stand.marks({ user: 5 }, "udp4", "tcp4", "listener4");
    stand.marks({ user: 6 }, "udp4", "tcp4");
    await marker.write(MASK, { ...NOBODY, users: [one(6, USER)] });
    stand.marks({ user: 6 }, "udp6");
    const sockets = Array<number>(32).fill(0);
    sockets[16] = 3;
    sockets[20] = 2;
    expect((await marker.read())?.sockets).toEqual(sockets);
  });
});
