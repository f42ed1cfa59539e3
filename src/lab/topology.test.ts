import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Diagnostic } from "../model/diagnostic.ts";
import { mustRead, smallText } from "./testing/small-lab.ts";
import { readTopology } from "./topology.ts";

/** What is said of a text, as "line:column code summary". */
function complaints(text: string): string[] {
  return readTopology(text, "t.yaml").diagnostics.map(
    ({ code, summary, range }: Diagnostic) => `${range?.start.line}:${range?.start.column} ${code} ${summary}`,
  );
}

/** The small topology with one text in the place of another that has to be there. */
function changed(from: string, to: string, tail = ""): string {
  const text = smallText("small", tail);
  if (!text.includes(from)) throw new Error(`${from} is not there`);
  return text.replace(from, to);
}

const steps = (...lines: string[]): string =>
  `scenarios:\n  s:\n    steps:\n${lines.map((line) => `      - ${line}\n`).join("")}`;

describe("a right file", () => {
  test("is read whole, in its order", () => {
    const topology = mustRead(smallText("small", steps("say: hello")));
    expect(topology).toMatchObject({ name: "small", groups: {}, configs: {}, segments: { ib: { mtu: 2044 } } });
    expect(Object.keys(topology.hosts)).toEqual(["a", "b"]);
    expect(Object.keys(topology.hosts["a"]?.links ?? {})).toEqual(["ib0.8001", "ib1"]);
    expect(topology.scenarios).toMatchObject([{ name: "s", parameters: {}, steps: [{ step: { say: "hello" } }] }]);
  });

  test("holds a host's config as text or names a file beside it", () => {
    const inline = changed("  a:\n", "  a:\n    config: |\n      version: 1\n");
    expect(mustRead(inline).configs).toEqual({ a: { text: "version: 1\n" } });
    const beside = changed("  a:\n", "  a:\n    config: ../a.yaml\n");
    expect(mustRead(beside, "/etc/labs/t.yaml").configs).toEqual({ a: { path: "/etc/a.yaml" } });
  });

  test("has a scenario for each combination of parameters", () => {
    const text = smallText(
      "small",
      'scenarios:\n  s:\n    each: { x: [1, 2], y: [p, q] }\n    steps:\n      - { say: "${x}${y} ${z}" }\n',
    );
    expect(mustRead(text).scenarios.map(({ parameters, steps: [first] }) => [parameters, first?.step])).toEqual([
      [{ x: "1", y: "p" }, { say: "1p ${z}" }],
      [{ x: "1", y: "q" }, { say: "1q ${z}" }],
      [{ x: "2", y: "p" }, { say: "2p ${z}" }],
      [{ x: "2", y: "q" }, { say: "2q ${z}" }],
    ]);
  });
});

describe("a wrong file", () => {
  test.each([
    [
      "unknown key",
      "addresses: [10.9.0.2",
      "adresses: [10.9.0.2",
      '10:27 unknown-key unknown key "adresses" in hosts.a.links.ib1',
    ],
    ["unknown segment", "ib1: { segment: ib", "ib1: { segment: bi", "10:23 unknown-segment there is no segment bi"],
    ["no version", "version: 1\n", "\n", '3:1 missing-key the file lacks "version"'],
    ["lab name", "name: small", "name: Small_Lab", "3:7 bad-value "],
    ["host name with a dot", "  b:\n", "  b.c:\n", '12:3 bad-name "b.c" cannot be a name'],
    ["link name too long", "ib0.8001:", "sixteen-letters-:", '9:7 bad-name "sixteen-letters-" cannot be a name'],
    ["link name that is a pattern", "ib0.8001:", "all:", '9:7 bad-name "all" cannot be a name'],
    ["address without length", "10.9.0.2/24", "10.9.0.2", "10:39 bad-value "],
    ["MTU", "mtu: 2044", "mtu: 20", "5:14 bad-value "],
    ["key twice", "  b:\n", "  a:\n", "12:3 yaml "],
    [
      "hardware address of a group",
      "{ segment: ib, addresses: [10.9.0.2/24",
      "{ segment: ib, mac: 03:00:00:00:00:01, addresses: [10.9.0.2/24",
      "10:32 bad-value ",
    ],
    [
      "sysctl outside of the network",
      "net.ipv4.conf.all.arp_ignore: 1 }\n  b",
      "kernel.hostname: 1 }\n  b",
      '11:53 bad-name "kernel.hostname" cannot be a name',
    ],
  ])("%s is told with its place", (_, from, to, wanted) => {
    const found = complaints(changed(from, to));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(wanted);
  });

  test("an unknown key comes with the nearest known one", () => {
    const [diagnostic] = readTopology(changed("addresses: [10.9.0.2", "adresses: [10.9.0.2"), "t.yaml").diagnostics;
    expect(diagnostic?.detail).toBe('Did you mean "addresses"?');
    expect(diagnostic?.remedy).toBe("Known here: segment, addresses, mac, mtu, up.");
  });

  test("all faults are told at once", () => {
    expect(complaints(smallText("small").replaceAll("segment: ib,", "segment: ob,"))).toHaveLength(4);
  });

  test.each(['10.0.0.0/8 dev "ib1"', "10.0.0.0/8 # ib1", "10.0.0.0/8\\\\", "10.0.0.0/8\\nlink delete ib1", " "])(
    "words that iproute2's batch mode would take otherwise are refused: %j",
    (words) => {
      const yaml = `"${words.replaceAll('"', '\\"')}"`;
      expect(complaints(changed('"10.77.0.0/16 via 10.9.0.1 table 77"', yaml))).toHaveLength(1);
    },
  );

  test("any text is answered, never thrown at", () => {
    const mutilated = fc
      .tuple(fc.nat(smallText("small").length), fc.nat(40), fc.string({ maxLength: 6 }))
      .map(([at, cut, put]) => smallText("small").slice(0, at) + put + smallText("small").slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(fc.string(), mutilated), (text) => {
        const { value, diagnostics } = readTopology(text, "t.yaml");
        expect(value !== undefined || diagnostics.some(({ severity }) => severity === "error")).toBe(true);
        for (const { range } of diagnostics) expect(range?.start.line).toBeGreaterThan(0);
      }),
    );
  });
});

describe("a wrong step", () => {
  test.each([
    ["{ sya: hello }", '22:11 unknown-key unknown key "sya" in scenarios.s.steps[0]'],
    ["{ say: hello, run: ls, on: a }", "two-steps-in-one a step is one thing, but this one has say and run"],
    ["{ run: ls, on: c }", "22:24 unknown-host there is no host c"],
    ["{ run: ls, on: a, as: alice }", "unknown-user there is no user alice"],
    ["{ run: ls, on: c, as: alice }", "unknown-host there is no host c"],
    ["{ run: ls }", 'lacks "on"'],
    ["{ run: [], on: a }", "bad-value"],
    ["{ link: { host: a, name: ib7, state: up } }", "22:34 unknown-link there is no link ib7"],
    ["{ link: { host: a, name: ib1, state: gone } }", 'cannot be "gone"'],
    ['{ run: ls, on: a, expect: { stdout: { matches: "(" } } }', "22:56 bad-value"],
    ["{ heddle: plan, on: a }", "no-config host a has no config that heddle could use"],
    ["{ pairs: { between: { a: [ib1], b: [ib1] } } }", "no-address ib1 of b has no IPv6 address"],
    ["{ pairs: { between: { a: [ib1] } } }", "must name two hosts with their links"],
    ["{ wait: { on: a, run: ls, until: {}, withinMs: 60000 } }", "bad-value"],
  ])("%s", (step, wanted) => {
    const found = complaints(smallText("small", steps(step)));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(wanted);
  });
});
