// Owns the proof of the role `egress` where it is easily wrong: destinations that no gateway serves, names that mean
// something else later, makers of sockets that are not what they seem.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitFor } from "../src/lab/child.ts";
import type { Lab } from "../src/lab/lab.ts";
import { applySection, arrivalOf, CHOSEN, heddle, ORDINARY, toWorld, upEgressLab, WORLD } from "./egress-lab.ts";
import { ConnectionProgram } from "./endings/endings.ts";

let lab: Lab;
let program: ConnectionProgram;
beforeAll(async () => {
  program = new ConnectionProgram();
  lab = await upEgressLab("corners");
}, 60_000);
afterAll(async () => {
  program[Symbol.dispose]();
  await lab.down();
});

const LINKS = ["eth0", "ib0"].map((link) => ({ host: "worker", link }));

/** Pings as aliprod, and says how it ended and by which links echo requests went: "0 ib0 alinat fe80::1". */
async function ping(...words: string[]): Promise<string> {
  await using capture = await lab.capture(LINKS);
  const { code } = await lab.exec("worker", ["ping", "-c1", "-W5", ...words], { as: "aliprod" });
  const requests = (await capture.take()).flatMap((frame) =>
    frame.kind === "echo-request" && frame.sentByHost
      ? `${frame.link} ${arrivalOf(lab, frame) ?? frame.destinationMac} ${frame.source}`
      : [],
  );
  return [code, ...requests].join(" ");
}

async function linkLocal(host: string, link: string): Promise<string> {
  const { stdout } = await lab.exec(host, ["ip", "-6", "address", "show", "dev", link, "scope", "link"]);
  const address = /inet6 (fe80:[0-9a-f:]+)/.exec(stdout)?.[1];
  if (address === undefined) throw new Error(`${link} of ${host} has no link-local address`);
  return address;
}

describe.each(["bpf", "nftables"])("by %s", (by) => {
  beforeAll(() =>
    applySection(lab, "match: { users: [aliprod] }", `by: ${by}`, "routes: [{ to: 192.0.2.80/32, via: main }]"),
  );

  test("link-local destinations are reached on either link, from its own link-local address", async () => {
    for (const [link, peer, at] of [
      ["ib0", "alinat", "ib0"],
      ["eth0", "router", "lan0"],
    ] as const) {
      const [own, theirs] = [await linkLocal("worker", link), await linkLocal(peer, at)];
      expect(await ping("-6", `${theirs}%${link}`)).toBe(`0 ${link} ${peer} ${own}`);
    }
  });

  test("multicast on the link has its link-local address as the source", async () => {
    expect(await ping("-6", "ff02::1%ib0")).toBe(`0 ib0 33:33:00:00:00:01 ${await linkLocal("worker", "ib0")}`);
  });

  test("the host itself is reached by all of its addresses, and nothing leaves", async () => {
    const own = [CHOSEN[4], CHOSEN[6], ORDINARY[4], ORDINARY[6], "127.0.0.1", "::1"];
    expect(await Promise.all(own.map((address) => ping(address)))).toEqual(own.map(() => "0"));
  });

  test("`via: main` goes as if nobody were chosen", async () => {
    expect(await ping(WORLD[4])).toBe(`0 eth0 ${ORDINARY.host} ${ORDINARY[4]}`);
    expect(await ping(WORLD[6])).toBe(`0 ib0 ${CHOSEN.host} ${CHOSEN[6]}`);
  });

  test("who is root in a user namespace of one's own is who one was", async () => {
    await using capture = await lab.capture(LINKS);
    const datagram = ["socat", "-u", "-", `UDP6-SENDTO:[${WORLD[6]}]:9`];
    const contained = ["unshare", "--user", "--map-root-user", ...datagram];
    expect((await lab.exec("worker", contained, { as: "aliprod", input: "x" })).code).toBe(0);
    const frames = toWorld(lab, await capture.take(), ({ kind }) => kind === "udp");
    expect(frames).toEqual([{ by: CHOSEN.host, source: CHOSEN[6], kind: "udp" }]);
  });
});

test("a control group that was removed and made again is another one: plan and status say so, and apply mends it", async () => {
  const cgroup = "again";
  const send = async (): Promise<(string | undefined)[]> => {
    await using capture = await lab.capture(LINKS);
    await lab.exec("worker", ["socat", "-u", "-", `UDP4-SENDTO:${WORLD[4]}:9`], { as: "bob", cgroup, input: "x" });
    return toWorld(lab, await capture.take(), ({ kind }) => kind === "udp").map(({ by }) => by);
  };
  await send();
  await applySection(lab, `match: { cgroups: [${cgroup}] }`);
  expect(await send()).toEqual([CHOSEN.host]);
  const remove = ["sh", "-c", 'rmdir "$(findmnt -nfo TARGET -t cgroup2)/again"'];
  await waitFor("the control group to be empty", async () =>
    (await lab.exec("worker", remove)).code === 0 ? true : undefined,
  );
  const gone = await heddle(lab, "plan");
  expect(gone).toMatchObject({ code: 2, err: expect.stringContaining("there is no control group /again") as string });
  expect(await send()).toEqual([ORDINARY.host]);

  const ids = (text: string): string[] =>
    [...text.matchAll(/^[-+] .*1 control group \((#\d+)\)/gm)].map(([, id]) => id as string);
  const planned = await heddle(lab, "plan");
  expect([planned.code, new Set(ids(planned.out)).size]).toEqual([2, 2]);
  const status = await heddle(lab, "status");
  expect([status.code, ids(status.out)]).toEqual([2, ids(planned.out)]);
  expect((await heddle(lab, "apply")).code).toBe(0);
  expect(await send()).toEqual([CHOSEN.host]);
});

test("a control group of version 1 is found by its controller, whatever its name", async () => {
  const mount = mkdtempSync(join(tmpdir(), "heddle-freezer-"));
  // The controller that a host can have as version 1 beside everything else as version 2.
  execFileSync("mount", ["-t", "cgroup", "-o", "freezer", "freezer", mount]);
  const top = join(mount, `heddle-test-${process.pid}`);
  const job = join(top, "a b:c");
  mkdirSync(job, { recursive: true });
  try {
    await applySection(lab, `match: { cgroups: ["freezer:${basename(top)}"] }`);
    const enter = 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"';
    const datagram = ["socat", "-u", "-", `UDP4-SENDTO:${WORLD[4]}:9`];
    const ways: (string | undefined)[] = [];
    for (const place of [mount, job]) {
      await using capture = await lab.capture(LINKS);
      expect((await lab.exec("worker", ["sh", "-c", enter, "sh", place, ...datagram], { input: "x" })).code).toBe(0);
      ways.push(...toWorld(lab, await capture.take(), ({ kind }) => kind === "udp").map(({ by }) => by));
    }
    expect(ways).toEqual([ORDINARY.host, CHOSEN.host]);
  } finally {
    rmdirSync(job);
    rmdirSync(top);
    execFileSync("umount", [mount]);
    rmdirSync(mount);
  }
});

test("a mark that a program gives its own socket before it connects stays beside heddle's bit", async () => {
  await applySection(lab, "match: { users: [0] }");
  const port = lab.nextNumber();
  const place = [WORLD[4], String(port)];
  await using _far = await lab.spawn("world", [program.path, "receive", ...place, "slow"], { says: /^listening$/m });
  const words = [program.path, "send", "mark=7", ...place, "1", "wait"];
  await using _near = await lab.spawn("worker", words, { says: /^queued$/m });
  const { stdout } = await lab.exec("worker", ["ss", "-Htne", `dport = :${port}`]);
  expect(stdout).toMatch(/fwmark:0x1000007\b/);
});
