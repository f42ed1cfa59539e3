// Owns the proof that a running agent keeps what marks sockets: the program, the control groups and the users that it
// means, however they go and come.
import { appendFileSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Lab } from "../lab/lab.ts";
import { until } from "../../test/contract-steps.ts";
import { heddle, upEgressLab, writeSection } from "../../test/egress-lab.ts";
import { WorkerAgent } from "../../test/worker-agent.ts";

let lab: Lab;
let agent: WorkerAgent;
beforeAll(async () => {
  lab = await upEgressLab("programs");
  agent = new WorkerAgent(lab);
}, 60_000);
afterAll(() => lab.down());

/** Looks of the safety net come too late for any test. */
const NO_NET = ["--look-every", "3600"];
/** The first bit of the range that marks are drawn from. */
const MARK = 0x1000000;
const marked = async (as: string, cgroup?: string): Promise<boolean> => (await agent.markOf(as, cgroup)) === MARK;
const inGroup = (...words: string[]): Promise<unknown> => lab.exec("worker", words);

/** Waits until no look is still to come that could find something by chance. */
const quiet = (): Promise<void> =>
  until(async () => Date.now() - Date.parse((await agent.status()).looks.last ?? "") > 500);

async function begin(match: string): Promise<void> {
  writeSection(lab, `match: { ${match} }`);
  await heddle(lab, "apply");
  await agent.start(...NO_NET);
}

afterEach(async () => {
  await agent.end();
  await heddle(lab, "remove");
});

describe("the program", () => {
  beforeEach(() => begin("users: [aliprod]"));

  test("a pin is removed, all of them are, and their folder: it is put back, and told", async () => {
    expect([await marked("aliprod"), await marked("bob")]).toEqual([true, false]);
    const pins = agent.pins();
    expect(pins).toHaveLength(3);
    for (const [i, damage] of [
      () => unlinkSync(pins[0] as string),
      () => rmSync(dirname(pins[0] as string), { recursive: true }),
    ].entries()) {
      damage();
      await until(async () => agent.told("repaired").length > i && (await marked("aliprod")));
      expect(agent.pins().toSorted()).toEqual(pins.toSorted());
    }
    expect(agent.told("repaired")[0]).toMatchObject({ object: expect.stringContaining("mark-sockets") as string });
    expect((await agent.status()).repairs.count).toBe(2);
  });

  test("a link is detached, its pin left: a glance finds it", async () => {
    const connect4 = agent.pins().find((pin) => pin.endsWith("connect4")) as string;
    agent.detach(connect4);
    await until(async () => agent.told("repaired").length > 0);
    expect(agent.told("repaired")).toEqual([expect.objectContaining({ why: "drift" })]);
    expect((await heddle(lab, "plan")).code).toBe(0);
  });

  test("taken away again and again it rests, as every other object does, and status and events tell", async () => {
    for (let times = 1; times <= 3; times++) {
      unlinkSync(agent.pins()[0] as string);
      await until(async () => agent.told("repaired").length === times);
    }
    await until(async () => agent.told("fight").length > 0);
    const [fight] = agent.told("fight");
    expect(fight).toMatchObject({ object: expect.stringContaining("mark-sockets") as string, repairs: 3 });
    // Whoever removes pins is in no event, so nobody is accused of it.
    expect(fight).not.toHaveProperty("culprit");
    expect((await agent.status()).standing).toMatchObject([{ object: "cgroupProgram mark-sockets", why: "fight" }]);
    expect((await heddle(lab, "status")).out).toContain("taken away 3 times");
  });
});

describe("a control group", () => {
  const removeGroup = (path: string): Promise<unknown> =>
    inGroup("sh", "-c", 'rmdir "$(findmnt -nfo TARGET -t cgroup2)/$1"', "sh", path);
  const makeGroup = (path: string): Promise<unknown> => lab.exec("worker", ["true"], { cgroup: path });

  test("that is removed and made anew, as by a service that starts again, is chosen again at once", async () => {
    await makeGroup("site.slice/jobs");
    await begin('cgroups: ["/site.slice/jobs"]');
    expect(await marked("bob", "site.slice/jobs/1")).toBe(true);
    for (const path of ["site.slice/jobs/1", "site.slice/jobs"]) await removeGroup(path);
    await until(async () => agent.told("made").length > 0);
    const made = agent.told("made").length;
    await makeGroup("site.slice/jobs");
    await until(async () => agent.told("made").length > made);
    expect(await marked("bob", "site.slice/jobs")).toBe(true);
    expect(await marked("bob", "site.slice")).toBe(false);
    // The one above it goes and comes as well.
    for (const path of ["site.slice/jobs", "site.slice"]) await removeGroup(path);
    await makeGroup("site.slice/jobs");
    await until(async () => marked("bob", "site.slice/jobs"));
    expect(agent.told("fight")).toEqual([]);
  });

  test("that was never there is chosen as soon as it is made", async () => {
    await begin('cgroups: ["/late/deep/er"]');
    await makeGroup("late/deep/er");
    await until(async () => marked("bob", "late/deep/er"));
  });
});

test("a user that becomes known late is chosen then, and at once by an apply", async () => {
  await begin("users: [latecomer, aliprod]");
  expect(await marked("aliprod")).toBe(true);
  const passwd = join(lab.folder, "users", "worker.passwd");
  const before = readFileSync(passwd, "utf8");
  appendFileSync(passwd, "latecomer:x:5006:601::/:/bin/sh\n");
  try {
    expect(await marked("bob")).toBe(false);
    await until(async () => marked("bob"));
    // What was told a moment ago counts for repairs, not for who asks.
    writeFileSync(passwd, before);
    writeSection(lab, "match: { users: [latest, aliprod] }");
    expect((await heddle(lab, "apply")).code).toBe(3);
    appendFileSync(passwd, "latest:x:5006:601::/:/bin/sh\n");
    expect((await heddle(lab, "apply")).code).toBe(0);
    expect(await marked("bob")).toBe(true);
  } finally {
    writeFileSync(passwd, before);
  }
});

test("a switch that somebody changes is put back at once, though there is no event of the network's", async () => {
  await begin("users: [aliprod]");
  const read = async (): Promise<string> =>
    (await lab.exec("worker", ["cat", "/proc/sys/net/ipv4/conf/ib0/rp_filter"])).stdout.trim();
  const asked = await read();
  await lab.exec("worker", ["sysctl", "-qw", "net.ipv4.conf.ib0.rp_filter=1"]);
  await until(async () => (await read()) === asked);
  expect(agent.told("repaired")).toEqual([expect.objectContaining({ why: "drift" })]);
});

test.each([
  ["redirect", "egress-2"],
  ["mark", "sock_create"],
])(
  "programs that spread packets by %s are put back: a pin goes, their folder, what is behind one",
  { timeout: 90_000 },
  async (by, name) => {
    const links = "{ eth0: { via: 192.168.7.1 }, ib0: { via: 10.20.3.227 } }";
    const section = `spread: { even: { links: ${links}, to: 198.51.100.0/24, mechanism: ${by} } }`;
    writeFileSync(lab.configOf("worker"), `version: 1\n${section}\n`);
    await heddle(lab, "apply");
    await agent.start(...NO_NET);
    const whole = agent.pins().toSorted();
    const pin = whole.find((one) => one.endsWith(`/${name}`)) as string;
    for (const [i, damage] of [
      () => unlinkSync(pin),
      () => rmSync(dirname(pin), { recursive: true }),
      () => agent.detach(pin),
    ].entries()) {
      await quiet();
      damage();
      await until(async () => agent.told("repaired").length > i);
      expect(agent.pins().toSorted()).toEqual(whole);
    }
    expect((await heddle(lab, "plan")).code).toBe(0);
  },
);
