// Owns the proof of the program as its users run it: the built bundle, in a namespace, from another folder.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TestNamespace } from "../../test/namespace.ts";
import { namespaceCookie } from "../host/native.ts";
import { ROLES } from "../roles/index.ts";

const root = join(import.meta.dirname, "../..");
let place = "";
let namespace: TestNamespace;
const file = (): string => join(place, "heddle.yaml");

interface Run {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the built program inside the namespace, from a folder that is not the project's. */
function heddle(...words: string[]): Run {
  const inside = [`--net=/proc/${process.pid}/fd/${namespace.fd}`, "--"];
  const program = [join(root, "bin/heddle"), "-f", file(), "--state", join(place, "state"), ...words];
  const { status, stdout, stderr } = spawnSync("nsenter", [...inside, ...program], { cwd: "/", encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
}

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-cli-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));
beforeEach(() => {
  rmSync(join(place, "state"), { recursive: true, force: true });
  namespace = new TestNamespace();
  namespace.addLink("ib0", ["172.16.34.1/16"]);
  namespace.addLink("ib1", ["172.16.34.2/16"]);
  writeFileSync(file(), "version: 1\nmultihome:\n  ib: { links: [ib0, ib1] }\n");
  return () => namespace[Symbol.dispose]();
});

describe("a life", () => {
  test("check, plan, apply, status, drift, apply, remove", () => {
    const untouched = namespace.everything();
    expect(heddle("check")).toMatchObject({ code: 0, err: "" });

    const plan = heddle("plan");
    expect(plan.code).toBe(2);
    expect(plan.out).toContain("+ rule   7000: from 172.16.34.1 lookup 7000");
    expect(namespace.everything()).toBe(untouched);
    expect(heddle("status")).toMatchObject({ code: 2 });

    expect(heddle("apply").code).toBe(0);
    expect(namespace.ip("rule")).toContain("7000:\tfrom 172.16.34.1 lookup 7000 proto 72");
    expect(namespace.ip("route show table 7001")).toContain("172.16.0.0/16 dev ib1");
    expect(heddle("plan")).toMatchObject({ code: 0, out: "Nothing to do: 13 objects are in place.\n" });
    expect(heddle("status").out).toContain(
      "multihome/ib: in place (13 of 13 objects); tables: ib0 7000, ib1 7001, unbound 7002",
    );

    namespace.ip("rule del from 172.16.34.1 lookup 7000");
    const drift = heddle("status");
    expect(drift.code).toBe(2);
    expect(drift.out).toContain("+ rule   7000: from 172.16.34.1 lookup 7000  # was made before and is gone");
    expect(heddle("apply").code).toBe(0);
    expect(heddle("status").code).toBe(0);

    expect(heddle("remove").code).toBe(0);
    expect(namespace.everything()).toBe(untouched);
    expect(heddle("remove")).toMatchObject({ code: 0 });
  });

  test("sysctls get back what they were, unless somebody else changed them meanwhile", () => {
    const value = (key: string): string => namespace.run("cat", `/proc/sys/net/ipv4/conf/ib0/${key}`).trim();
    namespace.run("sysctl", "-qw", "net.ipv4.conf.ib0.rp_filter=1");
    heddle("apply");
    expect([value("rp_filter"), value("arp_ignore")]).toEqual(["2", "1"]);
    namespace.run("sysctl", "-qw", "net.ipv4.conf.ib0.arp_ignore=8");
    heddle("remove");
    expect([value("rp_filter"), value("arp_ignore")]).toEqual(["1", "8"]);
  });

  test("numbers stay when the state directory and a link come and go", () => {
    writeFileSync(file(), "version: 1\nmultihome:\n  ib: { links: [ib1, ib0] }\n");
    heddle("apply");
    namespace.ip("link del ib1");
    expect(heddle("apply").code).toBe(3);
    namespace.addLink("ib1", ["172.16.34.2/16"]);
    expect(heddle("apply").code).toBe(0);
    expect(heddle("status").out).toContain("tables: ib1 7000, ib0 7001, unbound 7002");
  });
});

test("a switch of the whole host that overrules one of a link is named, with its value", () => {
  const all = (key: string, value: number): unknown =>
    namespace.run("sysctl", "-qw", `net.ipv4.conf.all.${key}=${value}`);
  writeFileSync(file(), "version: 1\nmultihome:\n  ib: { links: [ib0, ib1], rp_filter: strict }\n");
  all("rp_filter", 0);
  expect(heddle("plan").err).toBe("");
  all("rp_filter", 1);
  expect(heddle("plan").err).toBe("");
  all("rp_filter", 2);
  all("arp_ignore", 8);
  const { code, err } = heddle("plan");
  expect(code).toBe(2);
  expect(err).toContain("warning: net.ipv4.conf.all.rp_filter is 2, which overrules what is asked of ib0, ib1");
  expect(err).toContain("warning: net.ipv4.conf.all.arp_ignore is 8");
  expect(err).toContain(`${file()}:3:`);
  expect(heddle("apply").code).toBe(0);
  expect(heddle("remove").code).toBe(0);
  expect(namespace.run("cat", "/proc/sys/net/ipv4/conf/all/rp_filter")).toBe("2\n");
});

describe("routes beside the file", () => {
  const beside = "version: 1\nstatic:\n  far:\n    routes_from: far.routes\n";

  test("are applied, and their mistakes and refusals are shown where they stand", () => {
    writeFileSync(file(), beside);
    const routes = join(place, "far.routes");
    writeFileSync(routes, "10.20.0.0/16 link ib0 table 77\n10.21.0.0/16 via 172.16.0.1 link ib1 table 77\n");
    expect(heddle("apply").code).toBe(0);
    expect(namespace.ip("route show table 77")).toContain("10.21.0.0/16 via 172.16.0.1 dev ib1");
    expect(heddle("plan").code).toBe(0);

    writeFileSync(routes, "10.20.0.0/16 link ib0 table 77\n10.21.0.0/16 via 192.0.2.1 link ib1 table 77\n");
    const refused = heddle("apply");
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`${routes}:2:1\n  2 | 10.21.0.0/16 via 192.0.2.1 link ib1 table 77`);

    writeFileSync(routes, "10.20.0.0/16 dev ib0\n");
    expect(heddle("check").err).toContain(`${routes}:1:14\n  1 | 10.20.0.0/16 dev ib0`);

    for (const [what, words] of [
      ["a folder", "It is no file."],
      ["nothing", "There is no such file."],
      ["other bytes", "It is not UTF-8 text."],
    ]) {
      rmSync(routes, { recursive: true, force: true });
      if (what === "a folder") mkdirSync(routes);
      if (what === "other bytes") writeFileSync(routes, new Uint8Array([0xff, 0xfe, 0x0a]));
      const run = heddle("check");
      expect([what, run.code, run.err]).toEqual([what, 1, expect.stringContaining(words ?? "")]);
      expect(run.err).toContain(`${file()}:4:5`);
    }
    rmSync(routes, { recursive: true, force: true });
  });

  test("are saved with a plan, as they were", () => {
    writeFileSync(file(), beside);
    const routes = join(place, "far.routes");
    writeFileSync(routes, "10.20.0.0/16 link ib0 table 77\n");
    const saved = join(place, "saved.plan");
    expect(heddle("plan", "--out", saved).code).toBe(2);
    writeFileSync(routes, "10.66.0.0/16 link ib0 table 77\n");
    expect(heddle("apply", "--plan", saved).code).toBe(0);
    expect(namespace.ip("route show table 77")).toContain("10.20.0.0/16");
    rmSync(routes);
  });
});

describe("what stands in the way", () => {
  test("another's route under the same key is left alone, said, and the exit code tells", () => {
    namespace.ip("route add 10.9.0.0/16 dev ib1 table 77 proto static");
    writeFileSync(file(), "version: 1\nstatic:\n  a:\n    routes: [{ to: 10.9.0.0/16, link: ib0, table: 77 }]\n");
    const run = heddle("apply");
    expect(run.code).toBe(3);
    expect(run.out).toContain("# in the way, and not ours: route 10.9.0.0/16 dev ib1 table 77");
    expect(namespace.ip("route show table 77")).toBe("10.9.0.0/16 dev ib1 proto static scope link \n");
  });

  test("a step that the kernel refuses is named with its line, and what was done before it is undone", () => {
    writeFileSync(
      file(),
      "version: 1\nstatic:\n  a:\n    routes:\n      - { to: 10.9.0.0/16, link: ib0, table: 77 }\n" +
        "      - { to: 10.8.0.0/16, via: 192.0.2.1, link: ib0, table: 77 }\n",
    );
    const untouched = namespace.everything();
    const run = heddle("apply");
    expect(run.code).toBe(1);
    expect(run.err).toContain("the kernel refused route 10.8.0.0/16 via 192.0.2.1 dev ib0 table 77");
    expect(run.err).toContain(`${file()}:6:9`);
    expect(run.err).toContain("Nexthop has invalid gateway");
    expect(namespace.everything()).toBe(untouched);
  });

  test("a second writer is refused while the first holds the lock", () => {
    const cookie = namespaceCookie(namespace.fd);
    mkdirSync("/run/heddle", { recursive: true });
    const inside = [
      "-x",
      "-n",
      `/run/heddle/net-${cookie}.lock`,
      "nsenter",
      `--net=/proc/${process.pid}/fd/${namespace.fd}`,
      "--",
    ];
    const program = [join(root, "bin/heddle"), "-f", file(), "--state", join(place, "state"), "apply"];
    const { status, stderr } = spawnSync("flock", [...inside, ...program], { encoding: "utf8" });
    expect(status).toBe(4);
    expect(stderr).toContain("another heddle is changing this host");
  });

  test("a damaged state file is said, and the next apply writes it anew", () => {
    heddle("apply");
    writeFileSync(join(place, "state/lib/numbers.json"), "{");
    const run = heddle("apply");
    expect(run).toMatchObject({ code: 0 });
    expect(run.err).toContain("numbers.json cannot be read");
    expect(heddle("plan").err).toBe("");
  });
});

describe("odd worlds", () => {
  test("a reader that goes away takes the words along, not the work", () => {
    const inside = `nsenter --net=/proc/${process.pid}/fd/${namespace.fd} -- ${join(root, "bin/heddle")}`;
    const words = `-f ${file()} --state ${join(place, "state")} apply`;
    for (const where of ["| true", "> /dev/full", ">&-"]) {
      const script = `${inside} ${words} ${where}; echo "\${PIPESTATUS[0]}"`;
      heddle("remove");
      const { stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
      expect([where, stdout.trim(), stderr]).toEqual([where, "0", ""]);
      expect(namespace.ip("rule")).toContain("from 172.16.34.1 lookup 7000");
    }
  });

  test("a renamed link gets its earlier switches back", () => {
    heddle("apply");
    namespace.ip("link set ib0 name ibx");
    writeFileSync(file(), "version: 1\nmultihome:\n  ib: { links: [ibx, ib1] }\n");
    expect(heddle("apply").code).toBe(0);
    expect(heddle("remove").code).toBe(0);
    expect(namespace.run("cat", "/proc/sys/net/ipv4/conf/ibx/arp_ignore")).toBe("0\n");
  });

  test("a full disk is said before anything is done, and does not keep heddle from being removed", () => {
    heddle("apply");
    const untouched = namespace.everything();
    const full = join(place, "full");
    mkdirSync(full);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4k,mode=755", "tmpfs", full]);
    const onFull = (...words: string[]): Run => heddle("--state", full, ...words);
    try {
      execFileSync("sh", ["-c", `cat /dev/zero > ${full}/filler 2>/dev/null; true`]);
      writeFileSync(file(), "version: 1\nmultihome:\n  ib: { links: [ib1, ib0] }\n");
      const run = onFull("apply");
      expect(run.code).toBe(1);
      expect(run.err).toMatch(/ENOSPC/);
      expect(namespace.everything()).toBe(untouched);
      expect(onFull("remove")).toMatchObject({ code: 0 });
      expect(namespace.ip("rule")).not.toContain("proto 72");
    } finally {
      execFileSync("umount", [full]);
      rmSync(full, { recursive: true });
    }
  });

  test("a state directory that others can write to is refused", () => {
    const shared = join(place, "state");
    mkdirSync(join(shared, "run"), { recursive: true });
    chmodSync(join(shared, "run"), 0o777);
    const run = heddle("apply");
    expect(run).toMatchObject({ code: 1 });
    expect(run.err).toContain("others can write to it");
    expect(namespace.ip("rule")).not.toContain("proto 72");
  });

  test("names of links that programs trip over", () => {
    namespace.addLink("a..b", ["172.16.34.3/16"]);
    namespace.addLink("__proto__", ["172.16.34.4/16"]);
    writeFileSync(file(), 'version: 1\nmultihome:\n  ib: { links: [ib0, ib1, "a..b", "__proto__"] }\n');
    expect(heddle("apply")).toMatchObject({ code: 0, err: "" });
    expect(namespace.run("cat", "/proc/sys/net/ipv4/conf/a..b/arp_ignore")).toBe("1\n");
    expect(heddle("remove").code).toBe(0);
  });

  test("an address that is still being probed is waited for, and done the next time", () => {
    namespace.run("sysctl", "-qw", "net.ipv6.conf.ib0.accept_dad=1", "net.ipv6.conf.ib0.dad_transmits=3");
    namespace.ip("addr add fd00:16::1/64 dev ib0");
    const run = heddle("apply");
    expect(run.code).toBe(3);
    expect(run.err).toContain("fd00:16::1/64 of ib0 is not usable yet");
  });

  test("links are chosen by their driver as ethtool tells it", () => {
    writeFileSync(file(), "version: 1\nmultihome:\n  ib: { links: { driver: veth, subnet: 172.16.0.0/16 } }\n");
    expect(heddle("apply").code).toBe(0);
    expect(namespace.ip("rule")).toContain("from 172.16.34.2 lookup 7001");
  });

  test("what waits is told alike by plan, apply and status", () => {
    writeFileSync(file(), "version: 1\nmultihome:\n  ib: { links: [ib7, ib8] }\n");
    expect([heddle("plan").code, heddle("apply").code, heddle("status").code]).toEqual([3, 3, 3]);
    expect(heddle("status").out).toContain("multihome/ib: waiting");
  });
});

describe("for programs", () => {
  test("--json is one value on standard output, with nothing on standard error", () => {
    const plan = heddle("--json", "plan");
    expect(plan.err).toBe("");
    const value = JSON.parse(plan.out) as { steps: { action: string; kind: string; owners: string[] }[] };
    expect(value.steps).toHaveLength(13);
    expect(value.steps.at(-1)).toMatchObject({ action: "create", kind: "rule", owners: ["multihome/ib"] });
    expect(JSON.parse(heddle("--json", "apply").out)).toMatchObject({ applied: true, diagnostics: [] });
    expect(JSON.parse(heddle("--json", "status").out)).toMatchObject({ sections: [{ state: "in place" }], steps: [] });
    expect(JSON.parse(heddle("--json", "check").out)).toMatchObject({ valid: true, sections: ["multihome/ib"] });
    writeFileSync(file(), "version: 1\nmultihome:\n  ib: { lnks: [] }\n");
    expect(JSON.parse(heddle("--json", "plan").out)).toMatchObject({ diagnostics: [{ code: "unknown-key" }] });
    const wrong = heddle("--json", "aply");
    expect([wrong.code, wrong.err]).toEqual([64, ""]);
    expect(JSON.parse(wrong.out)).toMatchObject({ diagnostics: [{ code: "usage" }] });
    expect(JSON.parse(heddle("--json", "apply").out)).toMatchObject({ applied: false });
    writeFileSync(file(), "version: 1\nmultihome:\n  ib: { links: [ib1, ib0] }\n");
    const refused = heddle("--json", "--state", "/proc/nowhere", "apply");
    expect([refused.code, refused.err]).toEqual([1, ""]);
    expect(JSON.parse(refused.out)).toMatchObject({ diagnostics: [{ code: "system" }] });
  });

  test("exit codes tell a wrong command line and an unreadable file", () => {
    expect(heddle("aply").code).toBe(64);
    expect(heddle("--nonsense").code).toBe(64);
    rmSync(file());
    const run = heddle("plan");
    expect(run.code).toBe(1);
    expect(run.err).toContain("There is no such file.");
  });

  test("the schema has every key of the file", () => {
    const schema = JSON.parse(heddle("schema").out) as { properties: object };
    expect(Object.keys(schema.properties)).toEqual(["version", "ranges", ...ROLES.map(({ name }) => name)]);
  });
});

test("the bundle runs from another folder that is read-only, with a cold cache", () => {
  const copy = join(place, "installed");
  mkdirSync(copy);
  for (const part of ["bin", "build", "dist"]) cpSync(join(root, part), join(copy, part), { recursive: true });
  mkdirSync(join(copy, "node_modules/.bin"), { recursive: true });
  symlinkSync(process.execPath, join(copy, "node_modules/.bin/node"));
  rmSync(join(copy, "dist/compile-cache"), { recursive: true, force: true });
  execFileSync("chmod", ["-R", "a-w", copy]);
  const run = spawnSync(join(copy, "bin/heddle"), ["-f", file(), "check"], { cwd: "/", encoding: "utf8" });
  chmodSync(copy, 0o755);
  execFileSync("chmod", ["-R", "u+w", copy]);
  expect(run).toMatchObject({ status: 0, stderr: "" });
  expect(readFileSync(join(root, "bin/heddle"), "utf8")).toContain("exec");
});
