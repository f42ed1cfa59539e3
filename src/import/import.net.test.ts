// Owns the proof of taking over on the real kernel: what people's scripts made is imported, applied, and nothing changes
// but whose it is.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TestNamespace } from "../../test/namespace.ts";

const root = join(import.meta.dirname, "../..");
let place = "";
let namespace: TestNamespace;
const file = (): string => join(place, "heddle.yaml");

interface Run {
  code: number | null;
  out: string;
  err: string;
}

function inside(program: string, words: readonly string[], input = ""): Run {
  const fence = [`--net=/proc/${process.pid}/fd/${namespace.fd}`, "--"];
  const { status, stdout, stderr } = spawnSync("nsenter", [...fence, program, ...words], { encoding: "utf8", input });
  return { code: status, out: stdout, err: stderr };
}

/** Runs the program from its sources inside the namespace. */
function heddle(...words: string[]): Run {
  const program = [join(root, "src/cli/main.ts"), "-f", file(), "--state", join(place, "state"), ...words];
  return inside(process.execPath, program);
}

/** All routes and rules with everything that ip tells, and whose they are apart from it. */
function inventory(): { all: string; owners: string } {
  const dumps = ["-d rule", "-d -6 rule", "-d route show table all", "-d -6 route show table all"];
  const text = dumps.map((words) => namespace.ip(words)).join("\n");
  // The kernel adds its link-local and multicast routes some time after a link went up.
  const settled = text.replaceAll(/^.*(?:fe80::|ff00::).*\n/gm, "");
  return { all: settled.replaceAll(/ proto \w+/g, ""), owners: settled };
}

/** Imports this namespace, applies that, and checks that nothing changed but the tags. */
function takeOver(): string {
  const before = inventory();
  const imported = heddle("import", "-o", file());
  expect(imported).toMatchObject({ code: 0 });
  expect(heddle("check")).toMatchObject({ code: 0, err: "" });
  const plan = JSON.parse(heddle("--json", "plan").out) as { steps: { action: string }[]; blocked: unknown[] };
  expect(plan.blocked).toEqual([]);
  expect(new Set(plan.steps.map(({ action }) => action))).toEqual(new Set(["adopt"]));
  expect(heddle("apply").err).toBe("");
  const after = inventory();
  expect(after.all).toBe(before.all);
  expect(after.owners).not.toBe(before.owners);
  expect(heddle("plan")).toMatchObject({ code: 0 });
  return readFileSync(file(), "utf8");
}

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-import-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

beforeEach(() => {
  rmSync(join(place, "state"), { recursive: true, force: true });
  rmSync(file(), { force: true });
  namespace = new TestNamespace();
  namespace.addLink("ib0", ["172.16.34.1/16", "10.20.7.7/16", "fd00:16::1/64"]);
  namespace.addLink("ib1", ["172.16.34.2/16", "fd00:17::1/64"]);
  return () => namespace[Symbol.dispose]();
});

describe("a host", () => {
  test("with a table for each card, made by hand", () => {
    for (const [link, host, table] of [
      ["ib0", 1, 941],
      ["ib1", 2, 942],
    ]) {
      namespace.ip(`route del 172.16.0.0/16 dev ${link}`);
      namespace.ip(`route add 172.16.0.0/16 dev ${link} proto kernel scope link src 172.16.34.${host} table ${table}`);
      namespace.ip(`rule add from 172.16.34.${host} table ${table}`);
    }
    const yaml = takeOver();
    expect(yaml).toContain("- { priority: 32764, from: 172.16.34.2, table: 942 }");
    expect(yaml).toContain("#     ib: { links: [ib0, ib1] }");
    expect(heddle("remove").code).toBe(0);
    expect(namespace.ip("rule")).not.toContain("941");
  });

  test("with a table for marked packets", () => {
    namespace.ip("rule add fwmark 1 table 201");
    for (const words of [
      "10.20.0.0/16 dev ib0",
      "10.20.1.0/24 dev ib0",
      "10.10.24.0/24 via 10.20.0.1 dev ib0",
      "140.181.2.0/24 via 10.20.0.1 dev ib0",
      "default via 10.20.3.227 dev ib0",
    ]) {
      namespace.ip(`r add ${words} table 201`);
    }
    expect(takeOver()).toContain("- { to: default, via: 10.20.3.227, link: ib0, table: 201, family: ipv4 }");
  });

  test("with whatever else routes and rules can be", () => {
    for (const words of [
      "route add 10.1.0.0/16 table 5 proto static nexthop via 172.16.0.9 dev ib1 weight 3 nexthop via 172.16.0.8 dev ib0",
      "route add 10.2.0.0/16 via 172.16.0.9 dev ib0 mtu lock 1400 advmss 1300 rto_min 5ms metric 7 src 172.16.34.1 table 5",
      "route add 10.3.0.0/16 via 192.0.2.1 dev ib0 onlink table 4000000000",
      "route add 10.3.0.0/16 dev ib0 metric 3 tos 0x10 table 5",
      "route add 10.4.0.0/16 via inet6 fd00:16::9 dev ib0 table 5",
      "route add unreachable default metric 9 table 5",
      "route add 10.9.0.0/16 dev ib0 proto static",
      "nexthop add id 10 via 172.16.0.9 dev ib0",
      "route add 10.5.0.0/16 nhid 10 table 5",
      "-6 route add fd09::/32 table 5 metric 7 mtu 1400 nexthop via fd00:17::9 dev ib1 weight 2 nexthop via fd00:16::9 dev ib0",
      "-6 route add fd0a::/32 dev ib1 table 5 pref high",
      "-6 route add default via fd00:16::9 dev ib0 proto static",
      "-6 route add unreachable fd0c::/32 table 5",
      "rule add pref 50 not from 10.0.0.0/8 to 192.0.2.0/24 fwmark 0x10/0xf0 iif lo oif ib0 tos 0x10 ipproto tcp dport 80-90 lookup 5 suppress_prefixlength 3",
      "rule add pref 60 from 10.0.0.2 lookup 5",
      "rule add pref 60 from 10.0.0.1 lookup 5 proto static",
      "rule add pref 61 to 10.0.0.1 prohibit",
      "-6 rule add pref 60 fwmark 3 goto 32766",
    ]) {
      namespace.ip(words);
    }
    takeOver();
  });

  test("leaves out, with a word, what is not to be taken over, and does not touch it", () => {
    for (const words of [
      "route add 10.1.0.0/16 dev ib0 table 5 proto static",
      "route append 10.1.0.0/16 dev ib1 table 5",
      "route add 10.2.0.0/16 dev ib0 table 5 proto bird",
      "route add 10.3.0.0/16 dev ib0 proto dhcp",
      "route add 10.4.0.0/16 dev ib0 realms 4 table 5",
      "-6 route add fd0b::/32 dev ib0 table 5 expires 3600",
      "rule add from 10.20.3.1/16 table 5 pref 5",
      "rule add from 10.20.0.1 table 5 pref 6 realms 3",
    ]) {
      namespace.ip(words);
    }
    const before = namespace.ip("route show table 5").split("\n").slice(1);
    const imported = heddle("import", "-o", file());
    expect(imported.code).toBe(3);
    const said = readFileSync(file(), "utf8");
    for (const words of [
      "10.1.0.0/16 dev ib1 table 5 (another route to the same stands before it)",
      "10.2.0.0/16 dev ib0 table 5 (bird keeps it)",
      "10.3.0.0/16 dev ib0 table main (it is made by itself (dhcp)",
      "the file has no word for realms",
      "the file has no word for expires",
      "bits set behind its length",
    ]) {
      expect(said.replaceAll(/\n# +/g, " ")).toContain(words);
    }
    expect(heddle("apply").code).toBe(0);
    expect(namespace.ip("route show table 5").split("\n")[0]).toContain("10.1.0.0/16 dev ib0 proto 72");
    expect(namespace.ip("route show table 5").split("\n").slice(1)).toEqual(before);
    expect(namespace.ip("rule")).toContain("from 10.20.3.1/16");
  });

  test("with routes that others keep is all in the file", () => {
    namespace.ip("route add 10.3.0.0/16 dev ib0 proto dhcp");
    namespace.ip("route add 10.4.0.0/16 dev ib0 proto static");
    expect(heddle("import", "-o", file()).code).toBe(0);
    expect(readFileSync(file(), "utf8")).toContain("- { to: 10.4.0.0/16, link: ib0 }");
  });

  test("with nothing of its own gives a file that asks for nothing", () => {
    expect(heddle("import", "-o", file()).code).toBe(0);
    expect(readFileSync(file(), "utf8")).toContain("There is nothing here");
    expect(heddle("check").code).toBe(0);
  });
});

describe("a plan", () => {
  const wanted = (adopt: boolean): void =>
    writeFileSync(
      file(),
      `version: 1\nstatic:\n  a:\n    adopt: ${adopt}\n    routes:\n      - { to: 10.9.0.0/16, link: ib0, table: 77 }\n`,
    );

  test("tells of `adopt: true`, and where the other one differs", () => {
    namespace.ip("route add 10.9.0.0/16 dev ib0 table 77");
    wanted(false);
    expect(heddle("plan").out).toContain("equal: `adopt: true` would take it over");
    namespace.ip("route replace 10.9.0.0/16 dev ib1 table 77 mtu 1400");
    wanted(true);
    const run = heddle("apply");
    expect(run.code).toBe(3);
    expect(run.out).toContain("it differs in: its way, mtu");
    expect(namespace.ip("route show table 77")).toBe("10.9.0.0/16 dev ib1 scope link mtu 1400 \n");
  });

  test("shows whose it was, and gives it back when a later step is refused", () => {
    namespace.ip("route add 10.9.0.0/16 dev ib0 table 77 proto static");
    namespace.ip("rule add pref 60 from 10.0.0.2 lookup 77");
    namespace.ip("rule add pref 60 from 10.0.0.1 lookup 77 proto static");
    const before = inventory();
    const rules = "[{ priority: 60, from: 10.0.0.1, table: 77 }, { priority: 60, from: 10.0.0.2, table: 77 }]";
    const bad = "{ priority: 61, from: 10.0.0.3, goto: 60 }";
    writeFileSync(
      file(),
      `version: 1\nstatic:\n  a:\n    adopt: true\n    routes: [{ to: 10.9.0.0/16, link: ib0, table: 77 }]\n    rules: ${rules.replace("]", `, ${bad}]`)}\n`,
    );
    expect(heddle("plan").out).toContain("@ route  10.9.0.0/16 dev ib0 table 77 (was static)  # static/a");
    const run = heddle("apply");
    expect(run.code).toBe(1);
    expect(inventory()).toEqual(before);
  });
});

describe("the command line", () => {
  test("refuses to write over a file, and what is no script", () => {
    const script = join(place, "script.sh");
    writeFileSync(script, "ip rule add from 10.0.0.1 table 9\n");
    expect(heddle("import", script, "-o", file()).code).toBe(0);
    const refused = heddle("import", script, "-o", file());
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.err).toContain("is there already");
    expect(heddle("import", script, "-o", file(), "--force").code).toBe(0);
    expect(heddle("import", join(place, "none.sh"))).toMatchObject({ code: 1, out: "" });
    writeFileSync(script, Buffer.from([0xff, 0x00, 0x01]));
    expect(heddle("import", script).err).toContain("It is not UTF-8 text.");
    writeFileSync(script, "true\n");
    const empty = heddle("import", script, "-o", join(place, "empty.yaml"));
    expect(empty).toMatchObject({ code: 1 });
    expect(empty.err).toContain("no rules and routes are made in");
    expect(existsSync(join(place, "empty.yaml"))).toBe(false);
    expect(heddle("import", "--nonsense").code).toBe(64);
  });

  test("reads standard input, and says in JSON what it found", () => {
    const program = [join(root, "src/cli/main.ts"), "--json", "import", "-"];
    const run = inside(
      process.execPath,
      program,
      "ip rule add from 10.0.0.1 tible 9\nip rule add from 10.0.0.2 table 9\n",
    );
    expect(run).toMatchObject({ code: 3, err: "" });
    expect(JSON.parse(run.out)).toMatchObject({ rules: 1, routes: 0, diagnostics: [{ code: "not-understood" }, {}] });
  });
});
