// Proves that changes of the marking have no gap, that a kill at any moment is recovered from, that an upgrade keeps the
// counters, and that cgroups of version 1 and kernels without a cookie for namespaces are served.
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SocketMarks } from "./mark-maps.ts";
import { markSockets } from "./mark-sockets.ts";
import { otherBuild, otherLayout } from "./testing/old-objects.ts";
import { Stand } from "./testing/stand.ts";

const MASK = 0xff0000;
const USER = 0x10000;
const OTHER = 0x20000;
const MOVES = 200;

/** Marks that all give user 1234 the bit USER, in every way that there is. */
const always: SocketMarks[] = [
  { users: [{ first: 1234, last: 1234, bits: USER }], groups: [], members: [], cgroups: [] },
  { users: [{ first: 1000, last: 1999, bits: USER }], groups: [], members: [], cgroups: [] },
  { users: [], groups: [{ first: 500, last: 500, bits: USER }], members: [], cgroups: [] },
  { users: [], groups: [], members: [{ first: 600, last: 699, bits: USER }], cgroups: [] },
];
const person = { user: 1234, group: 500, groups: [600] };
const child = (name: string): string => fileURLToPath(new URL(`testing/${name}.ts`, import.meta.url));

let stand: Stand;

beforeEach(async () => {
  stand = await Stand.make();
});
afterEach(async () => {
  await stand.marker().remove();
  stand[Symbol.dispose]();
});

test("a socket is never without its mark while the marking changes, and without it once it is removed", async () => {
  const marker = stand.marker();
  await marker.write(MASK, always[0] as SocketMarks);
  const maker = stand.loop(person, 600_000, "udp4", "tcp4", "tcp6");
  let seen = "";
  maker.stdout?.setEncoding("utf8").on("data", (text: string) => (seen += text));
  const until = async (text: string): Promise<void> => {
    while (!seen.includes(text)) await once(maker.stdout as NodeJS.EventEmitter, "data");
  };
  await until(`seen ${USER.toString(16)}\n`);
  for (let i = 1; i <= MOVES; i++) {
    // The maker works on the other core, or gets its turn here.
    await new Promise(setImmediate);
    await marker.write(MASK, always[i % always.length] as SocketMarks);
  }
  const before = seen;
  await marker.remove();
  // The same observer sees a socket without a mark when there is one.
  await until("seen 0\n");
  maker.kill();
  await once(maker, "close");
  expect(before).toBe(`seen ${USER.toString(16)}\n`);
});

describe("a kill at any moment", () => {
  const first = always[0] as SocketMarks;
  const second: SocketMarks = { ...(always[1] as SocketMarks), cgroups: [{ id: "99", hierarchy: "v2", bits: OTHER }] };

  /** Changes the marking in a process of its own, killed at a point where one is given. */
  const change = (point: number, cgroup: string, marks: SocketMarks | null): number | "killed" => {
    const json = JSON.stringify(marks && { mask: MASK, marks });
    const inside = [`--net=/proc/${process.pid}/fd/${stand.namespace}`, "--", process.execPath, child("kill-child")];
    // There are hundreds of children: what the first one compiled is kept for the others.
    const env = { PATH: process.env["PATH"], NODE_COMPILE_CACHE: join(stand.folder, "compiled") };
    const words = [...inside, cgroup, stand.bpffs, String(point), json];
    const { stdout, stderr, signal } = spawnSync("nsenter", words, { encoding: "utf8", env });
    if (signal === "SIGKILL") return "killed";
    expect(stderr).toBe("");
    return Number(stdout);
  };
  const points = (cgroup: string, marks: SocketMarks | null): number => {
    const told = change(0, cgroup, marks);
    if (told === "killed") throw new Error("nobody was to be killed");
    return told;
  };
  const marked = (): unknown => stand.marks(person, "udp4", "tcp4", "tcp6");
  const all = { udp4: USER, tcp4: USER, tcp6: USER };
  const none = { udp4: 0, tcp4: 0, tcp6: 0 };

  test.each([
    ["the first writing", null, second],
    ["a change", first, second],
    ["a removal", first, null],
  ])("of %s is recovered from", { timeout: 300_000 }, async (_, before, after) => {
    const marker = stand.marker();
    const prepare = async (): Promise<void> => {
      await marker.remove();
      if (before) await marker.write(MASK, before);
    };
    await prepare();
    const count = points(stand.cgroup, after);
    expect(count).toBeGreaterThan(after ? 20 : 5);
    for (let point = 1; point <= count; point++) {
      await prepare();
      expect(change(point, stand.cgroup, after), `point ${point}`).toBe("killed");
      if (before && after) expect(marked(), `after a kill at point ${point}`).toEqual(all);
      const left = await marker.read();
      expect(left === undefined || typeof left.attached === "boolean").toBe(true);
      if (left?.attached) expect([first, second], `point ${point}`).toContainEqual(left.marks);
      if (point % 2 === 0) {
        await marker.write(MASK, second);
        expect(await marker.read(), `written after ${point}`).toMatchObject({ attached: true, marks: second });
        expect(marked(), `written after ${point}`).toEqual(all);
      }
      await marker.remove();
      expect(await marker.read(), `removed after ${point}`).toBeUndefined();
      await stand.untilUnattached();
      expect(marked(), `removed after ${point}`).toEqual(none);
      expect(stand.pins(), `removed after ${point}`).toEqual([]);
    }
  });

  test("of a move to another cgroup is recovered from", { timeout: 300_000 }, async () => {
    const marker = stand.marker();
    const inner = stand.childCgroup("inner");
    await marker.write(MASK, first);
    const count = points(inner, first);
    for (let point = 1; point <= count; point++) {
      await marker.write(MASK, first);
      expect(change(point, inner, first), `point ${point}`).toBe("killed");
      // Who is in both cgroups is marked at every moment.
      expect(stand.marks({ ...person, cgroup: inner }, "udp4", "tcp4"), `point ${point}`).toEqual({
        udp4: USER,
        tcp4: USER,
      });
      await marker.write(MASK, first);
      expect(await marker.read(), `point ${point}`).toMatchObject({ attached: true, marks: first });
      expect(marked(), `point ${point}`).toEqual(all);
    }
    await marker.remove();
    await stand.untilUnattached(inner);
    await stand.untilUnattached();
    expect(stand.pins()).toEqual([]);
  });
});

describe("what another heddle left", () => {
  test.each([
    ["of another build", otherBuild],
    ["of another layout", otherLayout],
  ])("%s is known to be so, and goes on counting under this one", async (_, object) => {
    const place = { namespace: stand.namespace, cgroup: stand.cgroup, bpffs: stand.bpffs };
    await markSockets({ ...place, object: object() }).write(MASK, always[0] as SocketMarks);
    const marker = stand.marker();
    expect((await marker.read())?.attached).toBe(false);
    stand.marks(person, "udp4", "udp6");
    await marker.write(MASK, always[1] as SocketMarks);
    stand.marks(person, "tcp4");
    const told = await marker.read();
    expect(told).toMatchObject({ attached: true, marks: always[1] });
    expect(told?.sockets[16]).toBe(3);
  });

  test("in a cgroup that has gone is made anew", async () => {
    const gone = stand.childCgroup("gone");
    await markSockets({ namespace: stand.namespace, cgroup: gone, bpffs: stand.bpffs }).write(
      MASK,
      always[0] as SocketMarks,
    );
    rmdirSync(gone);
    const marker = stand.marker();
    expect((await marker.read())?.attached).toBe(false);
    await marker.write(MASK, always[0] as SocketMarks);
    expect(stand.marks(person, "udp4", "tcp4")).toEqual({ udp4: USER, tcp4: USER });
    expect((await marker.read())?.attached).toBe(true);
  });
});

test("cgroups of version 1 are seen, from the chosen one downwards, and told apart from version 2", async () => {
  const hierarchy = join(stand.folder, "v1");
  mkdirSync(hierarchy);
  execFileSync("mount", ["-t", "cgroup", "-o", "net_cls", "cgroup", hierarchy]);
  const job = join(hierarchy, `heddle-test-${process.pid}`);
  const step = join(job, "step");
  const beside = join(hierarchy, `heddle-test-${process.pid}-2`);
  for (const path of [job, step, beside]) mkdirSync(path);
  try {
    const number = (path: string): string => statSync(path, { bigint: true }).ino.toString();
    const cgroups = [
      { id: number(job), hierarchy: "net_cls", bits: OTHER },
      // The same numbers mean other cgroups in other hierarchies.
      { id: number(beside), hierarchy: "freezer", bits: USER },
      { id: number(beside), bits: USER },
    ];
    const marker = stand.marker();
    await marker.write(MASK, { users: [], groups: [], members: [], cgroups });
    const of = (...places: string[]): unknown =>
      stand.marks({ cgroup: [stand.cgroup, ...places].join(" ") }, "udp4", "tcp4")["tcp4"];
    expect([of(), of(job), of(step), of(beside), of(hierarchy)]).toEqual([0, OTHER, OTHER, 0, 0]);
    expect((await marker.read())?.marks.cgroups).toContainEqual({ ...cgroups[0] });
    await expect(
      marker.write(MASK, { ...(always[0] as SocketMarks), cgroups: [{ id: "1", hierarchy: "colour", bits: USER }] }),
    ).rejects.toThrow("cgroup hierarchy colour: ENOENT");
  } finally {
    for (const path of [step, job, beside]) rmdirSync(path);
    execFileSync("umount", [hierarchy]);
  }
});

test("a namespace's cookie is learned by a program as a socket option tells it", () => {
  const [program = "", ...words] = stand.wordsAs({}, process.execPath, child("learn-child"), stand.cgroup);
  const [learned, told] = execFileSync(program, words, { encoding: "utf8" }).split(" ");
  expect(learned).toMatch(/^[1-9]\d*$/);
  expect(learned).toBe(told);
});
