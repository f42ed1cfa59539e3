// Owns the proof of `heddle doctor` on real kernels: the field's own troubles are found, and gone once they are cured.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { TestNamespace } from "../../test/namespace.ts";
import type { Finding } from "../doctor/finding.ts";

const root = join(import.meta.dirname, "../..");
let place = "";
let namespace: TestNamespace;

interface Run {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the built program inside the namespace; the host's configuration files are those of an empty tree. */
function heddle(...words: string[]): Run {
  const inside = [`--net=/proc/${process.pid}/fd/${namespace.fd}`, "--"];
  const file = join(place, "heddle.yaml");
  const program = [join(root, "bin/heddle"), "-f", file, "--state", join(place, "state"), ...words];
  const { status, stdout, stderr } = spawnSync("nsenter", [...inside, ...program], { cwd: "/", encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
}

/** Findings that are no notes, as "code: line" for each line, and the exit code. */
function doctor(): { code: number | null; codes: string[]; findings: Finding[] } {
  const { code, out, err } = heddle("--json", "doctor", "--root", join(place, "root"));
  expect(err).toBe("");
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  const grave = findings.filter(({ severity }) => severity !== "note");
  return { code, codes: grave.map((finding) => finding.code), findings };
}

function write(path: string, text: string): void {
  mkdirSync(join(place, path, ".."), { recursive: true });
  writeFileSync(join(place, path), text);
}

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-doctor-"));
  mkdirSync(join(place, "root"));
  write("heddle.yaml", "version: 1\n");
  namespace = new TestNamespace();
  return () => {
    namespace[Symbol.dispose]();
    rmSync(place, { recursive: true, force: true });
  };
});

describe("two cards in one subnet", () => {
  beforeEach(() => {
    namespace.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1");
    namespace.addLink("ib0", ["172.16.34.1/16", "fd00:16::34:1/64"]);
    namespace.addLink("ib1", ["172.16.34.2/16", "fd00:16::34:2/64"]);
    namespace.addLink("eth0", ["10.208.130.34/24"]);
    namespace.ip("route add default via 10.208.130.254 dev eth0 proto static");
  });

  test("are found, and what the findings advise cures all of them", () => {
    const untouched = namespace.everything();
    const before = doctor();
    expect(before).toMatchObject({ code: 2, codes: ["same-subnet", "arp-flux", "strict-rp-filter"] });
    expect(before.findings[0]?.summary).toContain("ib0 and ib1 are in one subnet, 172.16.0.0/16 and fd00:16::/64");
    expect(before.findings[0]?.found).toContain("172.16.34.2 of ib1 leaves by ib0");
    expect(namespace.everything()).toBe(untouched);

    const config = before.findings.map(({ remedy }) => remedy.config);
    expect(new Set(config)).toEqual(new Set(["multihome:\n  ib: { links: [ib0, ib1] }\n"]));
    write("heddle.yaml", `version: 1\n${config[0] ?? ""}`);
    expect(doctor().findings[0]?.remedy.commands).toContain(`heddle -f ${place}/heddle.yaml apply`);
    expect(heddle("apply").code).toBe(0);
    expect(doctor()).toMatchObject({ code: 0, codes: [] });

    // Half of the cure is none.
    namespace.run("sysctl", "-qw", "net.ipv4.conf.ib1.arp_ignore=0");
    expect(doctor()).toMatchObject({ code: 2, codes: ["arp-flux"] });
    heddle("remove");
    expect(doctor().codes).toEqual(before.codes);
  });

  test("as the write-up mends them still answer ARP for each other", () => {
    for (const [link, address, table] of [
      ["ib0", "172.16.34.1", 941],
      ["ib1", "172.16.34.2", 942],
    ]) {
      namespace.ip(`route del 172.16.0.0/16 dev ${link}`);
      namespace.ip(`route add 172.16.0.0/16 dev ${link} proto kernel scope link src ${address} table ${table}`);
      namespace.ip(`rule add from ${address} table ${table}`);
      namespace.ip(`-6 addr flush dev ${link} scope global`);
    }
    expect(doctor()).toMatchObject({ code: 2, codes: ["arp-flux"] });
  });
});

test("chosen users are told of where sockets cannot be marked, unless the file says that it is meant", () => {
  namespace.addLink("ib0", ["10.20.1.17/16"]);
  // In a user namespace nobody loads programs of control groups.
  const section = "match: { users: [5001] }, link: ib0, gateways: [10.20.3.227]";
  write("heddle.yaml", `version: 1\negress:\n  alinat: { ${section} }\n`);
  expect(doctor()).toMatchObject({ code: 2, codes: ["egress-fallback"] });
  write("heddle.yaml", `version: 1\negress:\n  alinat: { ${section}, by: nftables }\n`);
  expect(doctor()).toMatchObject({ code: 0, codes: [] });
});

describe("the router of two fabrics", () => {
  beforeEach(() => {
    for (const [i, link] of ["ib0", "ib1", "ib2"].entries()) namespace.addLink(link, [`10.${i + 1}.0.1/24`]);
    namespace.ip("route add default via 10.2.0.254 dev ib1 table 1");
    namespace.ip("route add default via 10.3.0.254 dev ib2 table 2");
    for (const words of ["32758 iif ib2 lookup 2", "32759 iif ib1 lookup 1", "32760 iif ib0 lookup 2"]) {
      namespace.ip(`rule add priority ${words}`);
    }
    namespace.ip("rule add priority 32761 iif ib0 lookup 1");
  });

  test("has a rule that never matches, which is named with the one before it", () => {
    const { code, codes, findings } = doctor();
    expect({ code, codes }).toEqual({ code: 2, codes: ["shadowed-rule"] });
    expect(findings[0]).toMatchObject({
      summary: "rule 32761: from all iif ib0 lookup 1 can never match",
      found: [expect.stringMatching(/^32760: from all iif ib0 lookup 2 is asked before it/)],
    });
    // The kernel agrees: what comes in by ib0 never asks table 1, which the remedy shows by changing nothing.
    const way = (): string => namespace.ip("route get 10.99.0.1 from 10.1.0.9 iif ib0");
    namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
    const before = way();
    expect(before).toContain("dev ib2 table 2");
    for (const command of findings[0]?.remedy.commands ?? []) namespace.run("sh", "-c", command);
    expect(way()).toBe(before);
    expect(namespace.ip("rule")).not.toContain("32761");
    expect(doctor()).toMatchObject({ code: 0, codes: [] });
  });

  test("that has a throw in the first table is told nothing, and the kernel falls through", () => {
    namespace.ip("route add throw 10.99.0.0/16 table 2");
    namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
    expect(doctor().codes).toEqual([]);
    expect(namespace.ip("route get 10.99.0.1 from 10.1.0.9 iif ib0")).toContain("dev ib1 table 1");
  });
});

describe("a strict reverse path filter behind a mark", () => {
  /** What the kernel makes of a packet of a far host that comes in by ib0: its way, or the error. */
  const arrive = (): string => {
    const words = "10.20.1.5 from 192.0.2.1 iif ib0".split(" ");
    // Being refused is one of the answers that are asked for here, so the exit code is not.
    const inside = [`--net=/proc/${process.pid}/fd/${namespace.fd}`, "--", "ip", "route", "get"];
    const { stdout, stderr } = spawnSync("nsenter", [...inside, ...words], { encoding: "utf8" });
    return stdout + stderr;
  };

  beforeEach(() => {
    namespace.addLink("eth0", ["10.10.1.5/24"]);
    namespace.addLink("ib0", ["10.20.1.5/16"]);
    namespace.ip("route add default via 10.10.1.1 dev eth0");
    namespace.ip("route add default via 10.20.3.227 dev ib0 table 201");
    namespace.run("sysctl", "-qw", "net.ipv4.conf.ib0.rp_filter=1");
  });

  test("drops the answers, and no longer when the remedy is done", () => {
    expect(doctor().codes).toEqual([]);
    namespace.ip("rule add fwmark 0x1/0xff lookup 201");
    // EXDEV, and EINVAL from the kernels on that keep a reason for each drop (6.14).
    expect(arrive()).toMatch(/Invalid (cross-device link|argument)/);
    const { codes, findings } = doctor();
    expect(codes).toEqual(["strict-rp-filter"]);
    for (const command of findings[0]?.remedy.commands ?? []) namespace.run(...(command.split(" ") as [string]));
    expect(arrive()).toContain("local 10.20.1.5 from 192.0.2.1");
    expect(doctor()).toMatchObject({ code: 0, codes: [] });
  });

  test("lets them through where a source rule sends the same way", () => {
    namespace.ip("rule add fwmark 0x1/0xff lookup 201");
    namespace.ip("rule add from 10.20.1.5 lookup 201");
    expect(arrive()).toContain("local 10.20.1.5 from 192.0.2.1");
    expect(doctor().codes).toEqual([]);
  });
});

describe("what the kernel marks", () => {
  test("detached and unresolved rules, empty tables, dead legs, failed and double addresses", () => {
    namespace.addLink("a0", ["10.1.0.1/24"]);
    namespace.addLink("b0", ["10.2.0.1/24", "10.1.0.1/25"]);
    namespace.ip("rule add priority 10 iif gone0 lookup 1");
    namespace.ip("rule add priority 11 to 10.9.0.0/16 goto 999");
    namespace.ip("rule add priority 12 from 10.1.0.1 lookup 300");
    namespace.ip("rule add priority 13 fwmark 1 lookup main");
    namespace.ip("route add 10.9.0.0/16 nexthop via 10.1.0.254 dev a0 nexthop via 10.2.0.254 dev b0");
    namespace.ip("link set far-b0 down");
    namespace.run("timeout", "30", "sh", "-c", "until ip route | grep -q linkdown; do sleep 0.05; done");
    const { findings } = doctor();
    const codes = findings.map(({ code }) => code);
    for (const code of ["detached-rule", "goto-nowhere", "empty-table", "duplicate-address", "no-carrier-leg"]) {
      expect(codes).toContain(code);
    }
    expect(codes).toContain("whole-mark");
    // Told to pass over it, the kernel does, and the finding is gone.
    namespace.run("sysctl", "-qw", "net.ipv4.conf.b0.ignore_routes_with_linkdown=1");
    expect(doctor().codes).not.toContain("no-carrier-leg");
  });

  test("an IPv6 address that somebody else has", () => {
    namespace.ip("link add v0 type veth peer name w0");
    namespace.run("sysctl", "-qw", "net.ipv6.conf.v0.accept_dad=1", "net.ipv6.conf.w0.accept_dad=1");
    namespace.ip("link set v0 up");
    namespace.ip("link set w0 up");
    namespace.ip("addr add fd00::1/64 dev w0 nodad");
    namespace.ip("addr add fd00::1/64 dev v0");
    namespace.run("timeout", "30", "sh", "-c", "until ip -6 addr show dev v0 | grep -q dadfailed; do sleep 0.05; done");
    const { findings } = doctor();
    expect(findings.find(({ code }) => code === "dad-failed")?.found).toEqual(["fd00::1/64 dev v0 dadfailed"]);
  });

  test("a chain that drops what the host forwards", () => {
    namespace.addLink("a0", ["10.1.0.1/24"]);
    namespace.addLink("b0", ["10.2.0.1/24"]);
    namespace.run("nft", "table inet t { chain forward { type filter hook forward priority 0; policy drop; }; }");
    expect(doctor().codes).toEqual([]);
    namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
    expect(doctor().codes).toEqual(["forward-drop"]);
    namespace.run("nft", "add rule inet t forward iifname a0 accept");
    expect(doctor()).toMatchObject({ code: 0, codes: [] });
  });
});

describe("files", () => {
  test("of the root that is given are heeded", () => {
    write("root/run/systemd/netif/state", "");
    namespace.addLink("a0", ["10.1.0.1/24"]);
    namespace.ip("rule add priority 12 from 10.1.0.1 lookup main");
    expect(doctor().codes).toEqual(["networkd-foreign"]);
    const text = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n";
    write("root/etc/systemd/networkd.conf.d/10-foreign.conf", text);
    expect(doctor()).toMatchObject({ code: 0, codes: [] });
  });

  test("a file of heddle's that is broken is a note, and a host without trouble is said so in a line", () => {
    namespace.addLink("a0", ["10.1.0.1/24"]);
    write("heddle.yaml", "version: 1\nmultihome: { ib: { lnks: [] } }\n");
    expect(doctor().findings.map(({ code }) => code)).toEqual(["not-looked-at"]);
    write("heddle.yaml", "version: 1\n");
    const run = heddle("doctor", "--root", join(place, "root"));
    expect(run).toMatchObject({ code: 0, err: "" });
    expect(run.out).toMatch(/^Nothing found: 3 links, \d+ routes, 5 rules\.\n$/);
  });
});
