// Owns the proof of the role `egress`: who is chosen, which packets are, that chosen connections never go another way, and
// that others never go theirs. Everything is judged by frames at the switch.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Capture } from "../src/lab/capture.ts";
import type { Lab } from "../src/lab/lab.ts";
import type { Method } from "../src/lab/step-schema.ts";
import { tryWays } from "../src/lab/try-ways.ts";
import type { WaySeen } from "../src/lab/ways.ts";
import { applySection, CHOSEN, heddle, ORDINARY, toWorld, upEgressLab, WORLD } from "./egress-lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await upEgressLab("egress");
}, 60_000);
afterAll(() => lab.down());

/** Everything that the senders sent to the world, by sender: the host that it went to, the source, the answer. */
async function waysOf(
  senders: readonly string[],
  by: readonly Method[],
  families: readonly (4 | 6)[] = [4, 6],
): Promise<Record<string, string[]>> {
  const to = families.map((family) => WORLD[family]);
  const seen = await tryWays(lab, { ways: { from: "worker", as: [...senders], to, by: [...by] } });
  const nameOf = ({ way }: WaySeen): string =>
    `${way.as ?? "root"}${way.cgroup === undefined ? "" : ` in ${way.cgroup}`}`;
  const say = (one: WaySeen): string =>
    `${one.way.method} ${one.by.join("+") || "nobody"} ${one.sources.join("+")} ${one.answered ? "answered" : "lost"}`;
  return Object.fromEntries(senders.map((who) => [who, seen.filter((one) => nameOf(one) === who).map(say)]));
}

/** What is expected of a sender that is chosen, or of one that is not. */
function all(
  way: typeof CHOSEN | typeof ORDINARY,
  by: readonly Method[],
  families: readonly (4 | 6)[] = [4, 6],
): string[] {
  return families.flatMap((family) => by.map((method) => `${method} ${way.host} ${way[family]} answered`));
}

const EVERYTHING: readonly Method[] = ["ping", "tcp", "udp"];
const SENDERS = ["root", "aliprod", "carol", "dave", "bob"];

describe.each(["bpf", "nftables"])("by %s", (by) => {
  const rows: [what: string, match: string, chosen: string[]][] = [
    ["a user by name", "users: [aliprod]", ["aliprod"]],
    ["a user by id", "users: [5006]", ["bob"]],
    ["a range of ids", "users: [5004-5005]", ["carol", "dave"]],
    ["a group by name", "groups: [alice]", ["carol"]],
    ["a group by id, and a user", "groups: [601], users: [aliprod]", ["aliprod", "dave", "bob"]],
  ];
  test.each(rows)("%s: what they send goes their way, and nothing else does", async (_what, match, chosen) => {
    await applySection(lab, `match: { ${match} }`, `by: ${by}`);
    const expected = SENDERS.map((who) => [who, all(chosen.includes(who) ? CHOSEN : ORDINARY, EVERYTHING)]);
    expect(await waysOf(SENDERS, EVERYTHING)).toEqual(Object.fromEntries(expected));
  });

  test("protocols, ports and destinations narrow it down", async () => {
    await applySection(lab, "match: { users: [aliprod], protocols: [tcp] }", `by: ${by}`);
    const tcp = await waysOf(["aliprod"], EVERYTHING, [4]);
    expect(tcp["aliprod"]).toEqual([
      ...all(ORDINARY, ["ping"], [4]),
      ...all(CHOSEN, ["tcp"], [4]),
      ...all(ORDINARY, ["udp"], [4]),
    ]);

    await applySection(lab, "match: { users: [aliprod], ports: [1000-1094], protocols: [udp] }", `by: ${by}`);
    const udp = await waysOf(["aliprod"], EVERYTHING, [6]);
    expect(udp["aliprod"]).toEqual([...all(ORDINARY, ["ping", "tcp"], [6]), ...all(CHOSEN, ["udp"], [6])]);
    await applySection(lab, "match: { users: [aliprod], ports: [1-1093] }", `by: ${by}`);
    expect((await waysOf(["aliprod"], ["tcp"]))["aliprod"]).toEqual(all(ORDINARY, ["tcp"]));

    await applySection(lab, "match: { users: [aliprod], to: [192.0.2.0/24] }", `by: ${by}`);
    expect((await waysOf(["aliprod"], ["tcp"]))["aliprod"]).toEqual([
      ...all(CHOSEN, ["tcp"], [4]),
      ...all(ORDINARY, ["tcp"], [6]),
    ]);
  });
});

describe("only by bpf", () => {
  test("supplementary groups count where the file says so", async () => {
    await applySection(lab, "match: { groups: [alice], members: true }");
    const expected = SENDERS.map((who) => [who, all(["carol", "dave"].includes(who) ? CHOSEN : ORDINARY, EVERYTHING)]);
    expect(await waysOf(SENDERS, EVERYTHING)).toEqual(Object.fromEntries(expected));
  });

  test("a control group means all below it, also what is made later", async () => {
    await lab.exec("worker", ["true"], { cgroup: "slurm" });
    await applySection(lab, "match: { cgroups: [slurm] }");
    const senders = ["bob", "bob in slurm", "carol in slurm/uid_5004/job_1", "root in other"];
    const expected = senders.map((who) => [who, all(who.includes("slurm") ? CHOSEN : ORDINARY, EVERYTHING)]);
    expect(await waysOf(senders, EVERYTHING)).toEqual(Object.fromEntries(expected));
  });

  test("two sections may mean the same user: the first whose rule fits decides", async () => {
    const { writeFileSync } = await import("node:fs");
    writeFileSync(
      lab.configOf("worker"),
      `version: 1
egress:
  web: { match: { users: [aliprod], ports: [1094], protocols: [tcp] }, link: ib0, gateways: [10.20.3.227], routes: [{ to: 192.0.2.80/32, via: main }] }
  all: { match: { users: [aliprod, bob] }, link: ib0, gateways: [10.20.3.227] }
`,
    );
    expect((await heddle(lab, "apply")).code).toBe(0);
    const ways = await waysOf(["aliprod", "bob"], ["tcp", "udp"], [4]);
    // What the first leaves to main is asked of the second before main is.
    expect(ways).toEqual({ aliprod: all(CHOSEN, ["tcp", "udp"], [4]), bob: all(CHOSEN, ["tcp", "udp"], [4]) });
  });

  test("what a listener of a chosen user accepts is answered the way it came", async () => {
    await applySection(lab, "match: { users: [aliprod] }");
    const listens = { address: ORDINARY[4], port: 7001 };
    const server = ["socat", `TCP4-LISTEN:7001,bind=${ORDINARY[4]},reuseaddr,fork`, "PIPE"];
    await using _served = await lab.spawn("worker", server, { as: "aliprod", listens });
    await using capture = await watch();
    const asked = await lab.exec("world", ["socat", "-T2", "-", `TCP4:${ORDINARY[4]}:7001,connect-timeout=2`], {
      input: "x\n",
    });
    expect([asked.code, asked.stdout]).toEqual([0, "x\n"]);
    const frames = toWorld(lab, await capture.take(), ({ kind }) => kind === "tcp");
    expect(new Set(frames.map(({ by }) => by))).toEqual(new Set([ORDINARY.host]));
  });
});

function watch(): Promise<Capture> {
  return lab.capture(["eth0", "ib0"].map((link) => ({ host: "worker", link })));
}
