// Owns the proof of `heddle explain` and `heddle facts` as programs: what they say of a host, and of hosts that are not here.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { TestNamespace } from "../../test/namespace.ts";
import { namespaceCookie } from "../host/native.ts";
import type { HostFacts } from "../model/host-facts.ts";

const root = join(import.meta.dirname, "../..");
let place = "";
let namespace: TestNamespace;

interface Run {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the built program inside the namespace. */
function heddle(...words: string[]): Run {
  const inside = [`--net=/proc/${process.pid}/fd/${namespace.fd}`, "--"];
  const program = [join(root, "bin/heddle"), "-f", path("heddle.yaml"), "--state", path("state"), ...words];
  const { status, stdout, stderr } = spawnSync("nsenter", [...inside, ...program], { cwd: "/", encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
}

function path(name: string): string {
  return join(place, name);
}

const FILE = `version: 1
multihome:
  ib: { links: [ib0, ib1] }
links:
  eth0: { addresses: [10.5.0.1/24, "fd05::1/64"] }
static:
  out:
    tables: { out: 7500 }
    nexthops:
      a: { via: 10.5.0.9, link: eth0 }
      b: { via: 172.16.0.9, link: ib0 }
      both: { group: { a: 1, b: 3 } }
    rules: [{ mark: 0x5, table: out, family: ipv4 }]
    routes:
      - { to: 10.77.0.0/16, table: out, nexthop: both }
      - { to: 10.78.0.0/16, table: out, via: 10.5.0.8 }
      - { to: default, table: out, type: unreachable, metric: 4000000, family: ipv4 }
`;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-explain-"));
  namespace = new TestNamespace();
  namespace.addLink("ib0", ["172.16.34.1/16"]);
  namespace.addLink("ib1", ["172.16.34.2/16"]);
  namespace.addLink("eth0", ["192.168.5.7/24"]);
  namespace.ip("route add default via 192.168.5.1 dev eth0");
  writeFileSync(path("heddle.yaml"), FILE);
  return () => {
    namespace[Symbol.dispose]();
    rmSync(place, { recursive: true, force: true });
  };
});

describe("explain", () => {
  test("says where a packet goes, and exits with 2 when it goes nowhere", () => {
    const sent = heddle("explain", "--to", "192.0.2.1", "--short");
    expect(sent).toEqual({ code: 0, out: "leaves by eth0 via 192.168.5.1, source 192.168.5.7\n", err: "" });
    const lost = heddle("explain", "--to", "2001:db8::1", "--short");
    expect(lost).toMatchObject({ code: 2, out: "goes nowhere: no rule leads to a route\n", err: "" });
  });

  test("as JSON tells each rule and each way", () => {
    namespace.ip("rule add priority 50 fwmark 7 prohibit");
    const { out, err } = heddle("--json", "explain", "--to", "172.16.0.9", "--from", "172.16.34.2", "--reply");
    expect(err).toBe("");
    const said = JSON.parse(out) as Record<string, unknown>;
    expect(said).toMatchObject({
      answer: "leaves by ib0",
      verdict: { is: "sent", choice: "only", ways: [{ link: "ib0", table: 254 }] },
      reply: {
        verdict: { is: "delivered" },
        answerers: [
          { link: "ib0", answers: true },
          { link: "ib1", why: "own" },
        ],
      },
      diagnostics: [],
    });
    expect(said["rules"]).toMatchObject([
      { priority: 0 },
      { priority: 50, outcome: "passed", on: "mark" },
      { outcome: "answered" },
    ]);
    expect(heddle("--json", "explain", "--to", "172.16.0.9", "--mark", "7").code).toBe(2);
  });

  test("says what is wrong with its options, all of it, with the nearest guess", () => {
    const { code, out, err } = heddle(
      "explain",
      "--to",
      "10.1.2",
      "--oif",
      "ib9",
      "--proto",
      "tpc",
      "--tos",
      "3",
      "--mark",
      "q",
    );
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err.match(/^error: .*|^  Did you.*/gm)).toEqual([
      "error: --to 10.1.2 is no address",
      "error: there is no link ib9 (--oif)",
      '  Did you mean "ib0"?',
      "error: --mark q is no number from 0 to 4294967295",
      "error: --proto tpc is no protocol that is known here",
      '  Did you mean "tcp"?',
      "error: --tos 3 has bits of congestion notification",
    ]);
    const codes = (...words: string[]): string[] =>
      (JSON.parse(heddle("--json", "explain", ...words).out) as { diagnostics: { code: string }[] }).diagnostics.map(
        (one) => one.code,
      );
    expect(codes("--to", "10.0.0.1", "--from", "fd00::1")).toEqual(["address-family"]);
    expect(codes("--to", "10.0.0.1", "--iif", "ib0")).toEqual(["source-missing"]);
    expect(codes("--to", "10.0.0.1", "--user", "nobody-is-called-so")).toEqual(["unknown-user"]);
    expect(codes("--to", "10.0.0.1", "--dport", "80")).toEqual(["port-without-protocol"]);
  });
});

test("a plan explained before it is applied is explained the same afterwards, here and from facts", () => {
  const questions = [
    ["--to", "172.16.0.9", "--from", "172.16.34.2", "--reply"],
    ["--to", "172.16.0.9", "--proto", "tcp", "--full"],
    ["--to", "10.77.1.1", "--mark", "5"],
    ["--to", "10.99.1.1", "--mark", "5"],
    ["--to", "fd05::77"],
    ["--to", "172.16.34.1", "--from", "172.16.0.9", "--iif", "ib1"],
  ];
  expect(heddle("facts", "-o", path("before.json"))).toMatchObject({ code: 0, out: "" });
  const planned = questions.map((words) => heddle("explain", "--planned", ...words));
  const elsewhere = questions
    .slice(0, 3)
    .map((words) => heddle("explain", "--planned", "--facts", path("before.json"), ...words));
  expect(heddle("apply").code).toBe(0);
  const applied = questions.map((words) => heddle("explain", ...words));
  expect(planned.map(({ code, out }) => ({ code, out }))).toEqual(applied.map(({ code, out }) => ({ code, out })));
  expect(elsewhere.map(({ out }) => out)).toEqual(planned.slice(0, 3).map(({ out }) => out));
  expect(applied.map(({ code }) => code)).toEqual([0, 0, 0, 2, 0, 0]);
  expect(applied[2]?.out).toContain("(75 %)");
}, 90_000);

test("a message to a group of a bridge is the bridge's, other packets to it are the kernel's", () => {
  const bridge = `version: 1
bridge:
  fabrics:
    infiniband: { model: "@none", node: H2 }
    ethernet: { link: eth0 }
    multicast: [{ group: 239.37.0.1 }]
`;
  writeFileSync(path("heddle.yaml"), bridge);
  const ask = (port: string): Run =>
    heddle("explain", ...`--to 239.37.0.1 --from 192.168.5.9 --iif eth0 --proto udp --dport ${port}`.split(" "));
  const taken = ask("4791");
  expect(taken).toMatchObject({ code: 0, err: "" });
  expect(taken.out).toMatch(/^bridge\/fabrics passes it on to InfiniBand, to the group ff12:4001:ffff::f25:1\n/);
  expect(ask("4792").out).not.toContain("bridge");
});

test("rules of nftables are followed, here and from facts, and as they are planned", () => {
  namespace.run(
    "nft",
    `table ip web {
      chain out { type route hook output priority -150; tcp dport 443 meta mark set 7; }
      chain in { type filter hook input priority 0; policy drop; tcp dport 22 accept; }
    }`,
  );
  namespace.ip("route add default via 172.16.0.9 dev ib0 table 77");
  namespace.ip("rule add priority 50 fwmark 7 lookup 77");
  heddle("facts", "-o", path("here.json"));
  const ask = (...words: string[]): Run[] =>
    [[], ["--facts", path("here.json")]].map((more) => heddle("explain", ...more, ...words));
  const web = ask("--to", "192.0.2.1", "--proto", "tcp", "--dport", "443");
  const unsaid = ask("--to", "192.0.2.1", "--short");
  const dropped = ask(
    "--to",
    "192.168.5.7",
    "--from",
    "192.168.5.1",
    "--iif",
    "eth0",
    "--proto",
    "tcp",
    "--dport",
    "80",
  );
  for (const [here, there] of [web, unsaid, dropped]) expect(there).toEqual(here);
  expect(web[0]?.out).toMatch(/^leaves by ib0 via 172.16.0.9\n/);
  expect(web[0]?.out).toContain("sets its mark to 0x7: rule ");
  expect(unsaid[0]).toMatchObject({ code: 0, out: expect.stringContaining(", unless nftables has it otherwise") });
  expect(dropped[0]).toMatchObject({
    code: 2,
    out: expect.stringContaining("nftables drops it, chain in, table ip web"),
  });
  // A table of heddle's that is only planned.
  writeFileSync(
    path("heddle.yaml"),
    "version: 1\negress:\n  a: { match: { users: [0] }, link: ib1, gateways: [172.16.0.8], by: nftables }\n",
  );
  const words = ["--to", "192.0.2.1", "--user", "0", "--proto", "udp", "--dport", "53", "--sport", "1000"];
  const planned = heddle("explain", "--planned", ...words);
  expect(planned.out).toMatch(/^leaves by ib1 via 172.16.0.8\n/);
  expect(heddle("apply").code).toBe(0);
  const applied = heddle("explain", ...words);
  // A rule has its number once the kernel has it.
  expect(applied.out.replaceAll(/rule \d+ of chain/g, "chain")).toBe(
    planned.out.replaceAll(/rule \d+ of chain/g, "chain"),
  );
}, 60_000);

test("rules of iptables are followed as far as nft shows them", () => {
  const iptables = (words: string): string => namespace.run("iptables-nft", ...words.split(" "));
  iptables("-A OUTPUT -p tcp --dport 443 -m comment --comment mine -j DROP");
  iptables("-A OUTPUT -m conntrack --ctstate NEW -j ACCEPT");
  const dropped = heddle("explain", "--to", "192.0.2.1", "--proto", "tcp", "--dport", "443", "--short");
  expect(dropped.code).toBe(2);
  expect(dropped.out).toMatch(/^goes nowhere: nftables drops it, rule \d+ of chain OUTPUT, table ip filter\n/);
  const unknown = heddle("explain", "--to", "192.0.2.1", "--proto", "udp", "--dport", "53");
  expect(unknown.out).toMatch(/cannot tell from rule \d+ .* on: it has the match conntrack of iptables/);
});

describe("what passes packets on", () => {
  const passing = `version: 1
gateway:
  alinat:
    inside: ib0
    outside: eth0
    nat: { to: 192.168.5.40 }
    failover:
      address: 172.16.99.1/16
      id: 51
      nodes:
        - { inside: 172.16.34.1, outside: 192.168.5.7 }
        - { inside: 172.16.34.3, outside: 192.168.5.8 }
bridge:
  fabrics:
    infiniband: { model: "@none", node: H2 }
    ethernet: { link: ib1 }
    multicast: [{ group: 239.37.0.1 }]
`;
  const questions = [
    ["--to", "192.0.2.1", "--from", "172.16.0.9", "--iif", "ib0"],
    ["--to", "239.37.0.1", "--from", "172.16.0.9", "--iif", "ib1", "--proto", "udp", "--dport", "4791"],
  ];

  beforeEach(() => {
    namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
    writeFileSync(path("heddle.yaml"), passing);
    const at = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
    const share = { name: "a", state: "standby", since: at - 400, why: "another is preferred", holds: false };
    const rows = [
      {
        kind: "gateway",
        section: "alinat",
        // Not too old for as long as this takes.
        at: at + 4,
        shares: [{ ...share, priority: 150, addresses: ["172.16.99.1"] }],
        drained: false,
        connections: { state: "current" },
      },
      { kind: "probe", name: "egress/out 192.168.5.1", at: at + 4, well: false },
    ];
    const folder = path(`state/run/signals-${namespaceCookie(namespace.fd)}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "gateway.json"), JSON.stringify(rows));
  });

  test("is told from facts as it is told here", () => {
    heddle("facts", "-o", path("here.json"));
    const here = questions.map((words) => JSON.parse(heddle("--json", "explain", ...words).out) as object);
    expect(here).toMatchObject([
      { gateway: { translatedTo: "192.168.5.40", state: "standby" }, health: [{ well: false }] },
      { bridge: { section: "bridge/fabrics", mgid: expect.any(String) as string } },
    ]);
    // The other host's file and state are not here.
    writeFileSync(path("heddle.yaml"), "version: 1\n");
    rmSync(path("state"), { recursive: true });
    const there = questions.map(
      (words) => JSON.parse(heddle("--json", "explain", "--facts", path("here.json"), ...words).out) as object,
    );
    const told = (all: object[]): unknown[] =>
      all.map((one) => {
        const { remarks: _r, gateway, ...rest } = one as { remarks: unknown; gateway?: { said: string } };
        // How long ago depends on the moment.
        return { ...rest, gateway: gateway && { ...gateway, said: gateway.said.replace(/for \d+ s:/, "") } };
      });
    expect(told(there)).toEqual(told(here));
    expect(there[0]).toMatchObject({ remarks: [expect.stringMatching(/^What is told of gateways is as it was on 2/)] });
  });

  test("is taken from the file where its plan is explained, and how gateways are from the facts", () => {
    writeFileSync(path("heddle.yaml"), "version: 1\n");
    heddle("facts", "-o", path("before.json"));
    writeFileSync(path("heddle.yaml"), passing);
    rmSync(path("state"), { recursive: true });
    const [words = []] = questions;
    const { out } = heddle("--json", "explain", "--planned", "--facts", path("before.json"), ...words);
    expect(JSON.parse(out)).toMatchObject({ gateway: { translatedTo: "192.168.5.40", state: "standby" } });
  });

  test("is said to be unknown where an earlier heddle wrote the facts, or where the file is broken", () => {
    heddle("facts", "-o", path("now.json"));
    const { passing: _none, ...early } = JSON.parse(readFileSync(path("now.json"), "utf8")) as HostFacts;
    writeFileSync(path("early.json"), JSON.stringify(early));
    const old = heddle("explain", "--facts", path("early.json"), ...(questions[0] ?? []));
    expect(old).toMatchObject({ code: 0, err: expect.stringContaining("does not tell which gateways and bridges") });
    expect(old.out).not.toContain("gateway/alinat");
    writeFileSync(path("heddle.yaml"), "version: 1\ngateway: 7\n");
    const broken = heddle("explain", ...(questions[0] ?? []));
    expect(broken).toMatchObject({ code: 0, out: expect.stringContaining("Could not look at gateways and bridges") });
  });
});

test("a report holds what it takes, without what is secret", () => {
  writeFileSync(path("heddle.yaml"), `${FILE}# swordfish\n`);
  const { code, err } = heddle("report", "-o", path("report.json"));
  expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining("look at it") as string });
  const text = readFileSync(path("report.json"), "utf8");
  expect(text).not.toContain("swordfish");
  expect(JSON.parse(text)).toMatchObject({
    report: 1,
    config: { version: 1, multihome: { ib: {} } },
    plan: { settled: expect.any(Number) as number },
    facts: { version: 1 },
    findings: expect.arrayContaining([expect.objectContaining({ code: "same-subnet" })]) as object[],
  });
});

describe("facts", () => {
  test("make the plan that the host itself makes, before and after it is applied", () => {
    heddle("facts", "-o", path("before.json"));
    const plan = heddle("--json", "plan");
    const { hosts } = JSON.parse(heddle("--json", "plan", "--facts", path("before.json")).out) as { hosts: object[] };
    const { diagnostics: _said, ...steps } = JSON.parse(plan.out) as { diagnostics: unknown };
    expect(hosts).toMatchObject([steps]);
    expect(heddle("apply").code).toBe(0);
    heddle("facts", "-o", path("after.json"));
    expect(heddle("plan", "--facts", path("after.json"))).toMatchObject({ code: 0 });
    const both = heddle("plan", "--facts", path("before.json"), path("after.json"));
    expect(both.code).toBe(2);
    expect(both.out).toContain("Nothing to do");
    expect(both.out).toContain("Plan: ");
  });

  test("are one JSON document, without files and without secrets", () => {
    namespace.run("sysctl", "-qw", "net.ipv6.conf.eth0.stable_secret=2001:db8::1234");
    const { out, code } = heddle("facts");
    const facts = JSON.parse(out) as HostFacts;
    expect({ code, version: facts.version, files: facts.picture.files }).toEqual({ code: 0, version: 1, files: {} });
    expect(facts.picture.sysctls["net/ipv4/conf/ib0/proxy_arp"]).toBe("0");
    expect(out).not.toContain("1234");
  });

  test("of a host that the file would break stop the check", () => {
    heddle("facts", "-o", path("good.json"));
    expect(heddle("check", "--facts", path("good.json"), path("good.json"))).toMatchObject({ code: 0 });
    const without = JSON.parse(readFileSync(path("good.json"), "utf8")) as HostFacts;
    without.host = "cpu017";
    // Everything is sent to a table that has no way out.
    writeFileSync(
      path("heddle.yaml"),
      "version: 1\nstatic:\n  s:\n    rules: [{ to: 0.0.0.0/0, table: 7777 }]\n    routes: [{ to: 0.0.0.0/0, type: unreachable, table: 7777 }]\n",
    );
    writeFileSync(path("bad.json"), JSON.stringify(without));
    const { code, err } = heddle("check", "--facts", path("bad.json"));
    expect(code).toBe(1);
    expect(err).toContain(
      "cpu017: what goes to 203.0.113.1 leaves by eth0 via 192.168.5.1, source 192.168.5.7 now, and goes nowhere",
    );
  });

  test("that are broken are told with their place", () => {
    writeFileSync(path("cut.json"), '{ "version": 1,\n  "host" "x" }');
    writeFileSync(path("odd.json"), '{ "version": 1, "host": "x",\n  "picture": { "links": [{ "name": 3 }] } }');
    writeFileSync(path("late.json"), '{ "version": 9 }');
    const told = (name: string): unknown => {
      const { code, out } = heddle("--json", "explain", "--to", "10.0.0.1", "--facts", path(name));
      const [first] = (JSON.parse(out) as { diagnostics: { summary: string; range?: { start: object } }[] })
        .diagnostics;
      return { code, at: first?.range?.start, summary: first?.summary.replaceAll(path(""), "").replace(/^[/]/, "") };
    };
    expect(told("cut.json")).toEqual({ code: 1, at: { line: 2, column: 10 }, summary: "cut.json is no facts file" });
    expect(told("odd.json")).toMatchObject({ code: 1, at: { line: 2, column: 36 } });
    expect(told("late.json")).toMatchObject({ code: 1, summary: "late.json is from a later heddle" });
    expect(heddle("explain", "--to", "10.0.0.1", "--facts", path("none.json"))).toMatchObject({ code: 1 });
  });
});
