import { readFileSync } from "node:fs";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { runScenario, stepLines, type ScenarioReport } from "./scenario.ts";
import { assertOwnNamespace, mustRead, NOTHING, smallText, traces } from "./testing/small-lab.ts";
import type { Topology } from "./topology.ts";

beforeAll(assertOwnNamespace);
afterEach(() => expect(traces("scen")).toEqual(NOTHING));

const heddle = ["echo", "heddle"];

async function runOne(
  topology: Topology,
  name: string,
  parameters: Record<string, string> = {},
): Promise<ScenarioReport> {
  const scenario = topology.scenarios.find(
    (each) => each.name === name && JSON.stringify(each.parameters) === JSON.stringify(parameters),
  );
  if (!scenario) throw new Error(`no scenario ${name}`);
  return runScenario(topology, scenario, { heddle, name: "scen" });
}

describe("steps", () => {
  test("of every kind do what they say", async () => {
    const topology = mustRead(
      smallText(
        "scen",
        `
scenarios:
  every-kind:
    steps:
      - say: Hello.
      - { on: a, run: [sh, -c, "cat; exit 4"], input: "in\\n", expect: { exit: 4, stdout: { equals: in } } }
      - { on: all, run: "ip -o link show lo", expect: { stdout: { contains: UP, lacks: DORMANT, matches: "^1: lo" } } }
      - { sysctls: { net/ipv4/conf/ib1/rp_filter: 2 }, on: a }
      - { on: a, run: cat /proc/sys/net/ipv4/conf/ib1/rp_filter, expect: { stdout: { equals: "2" } } }
      - { serve: { on: b, run: "socat TCP4-LISTEN:7,fork,reuseaddr PIPE", listens: 7 } }
      - { on: a, run: "socat -T5 - TCP4:10.9.0.11:7", input: hi, expect: { stdout: { equals: hi } } }
      - { on: a, run: ip -o neighbour show to 10.9.0.11, expect: { stdout: { contains: lladdr } } }
      - { flush: neighbours, on: all }
      - { on: a, run: ip -o neighbour show to 10.9.0.11, expect: { stdout: { equals: "" } } }
      - { link: { host: b, name: ib1, state: carrier-lost } }
      - { wait: { on: b, run: ip -o link show dev ib1, until: { stdout: { contains: NO-CARRIER } }, withinMs: 20000 } }
`,
      ),
    );
    const report = await runOne(topology, "every-kind");
    expect(report.steps.flatMap(({ problems }) => problems)).toEqual([]);
    expect(report).toMatchObject({ passed: true, scenario: "every-kind" });
    expect(report.steps).toHaveLength(12);
  });

  test("heddle runs with the host's own file", async () => {
    const text = smallText(
      "scen",
      `
scenarios:
  plan:
    steps:
      - { heddle: [plan, --json], on: a, expect: { stdout: { equals: "heddle plan --json -f /run/heddle-lab/scen/hosts/a.yaml" } } }
      - { on: a, run: cat /run/heddle-lab/scen/hosts/a.yaml, expect: { stdout: { equals: "version: 1" } } }
`,
    ).replace("  a:\n", "  a:\n    config: |\n      version: 1\n");
    expect((await runOne(mustRead(text), "plan")).steps.flatMap(({ problems }) => problems)).toEqual([]);
  });

  test("that fails ends the run, and says what, where and how", async () => {
    const topology = mustRead(
      smallText(
        "scen",
        `
scenarios:
  failing:
    steps:
      - { on: b, run: "ip route get 192.0.2.1", expect: { stdout: { contains: via } } }
      - say: never reached
`,
      ),
    );
    const report = await runOne(topology, "failing");
    expect(report.passed).toBe(false);
    expect(report.steps).toHaveLength(1);
    const [step] = report.steps;
    expect(step && stepLines(step)).toEqual([
      "✗ b: ip route get 192.0.2.1",
      "    its exit code is 2, not 0",
      '    stdout does not contain "via"',
      "    at small.yaml:23:9",
      "    stderr: RTNETLINK answers: Network is unreachable",
    ]);
  });

  test("that waits in vain says what was missing", async () => {
    const topology = mustRead(
      smallText(
        "scen",
        `
scenarios:
  waiting:
    steps:
      - { wait: { on: a, run: echo no, until: { stdout: { equals: yes } }, withinMs: 200 } }
`,
      ),
    );
    const [step] = (await runOne(topology, "waiting")).steps;
    expect(step?.problems).toEqual(['not within 0.2 s: stdout is not "yes"']);
  });

  test("that cannot be performed fails like any other", async () => {
    const topology = mustRead(
      smallText(
        "scen",
        `
scenarios:
  broken:
    steps:
      - { serve: { on: a, run: "false", listens: 7 } }
`,
      ),
    );
    const report = await runOne(topology, "broken");
    expect(report.passed).toBe(false);
    expect(report.steps[0]?.problems[0]).toContain("ended before it was ready");
  });
});

describe("the dual cards", () => {
  const file = "lab/seed-003.yaml";
  const topology = mustRead(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"), file);

  test("by themselves use the wrong card, and the matrix sees it", async () => {
    const report = await runOne(topology, "before", { rp_filter: "0" });
    const verdicts = report.steps.flatMap(({ pairs }) => pairs ?? []);
    expect(verdicts).toHaveLength(80);
    // With every answer there, only what was seen at the switch tells that something is wrong.
    expect(verdicts.filter(({ answered }) => answered)).toHaveLength(80);
    const foreign = verdicts.find(
      ({ pair }) => pair.family === 4 && pair.binding === "device" && pair.from.link === "ibs5f1",
    );
    expect(foreign?.problems.join()).toMatch(/says that it has/);
    expect(report.passed).toBe(true);
  });

  test.each(["0", "1", "2"])("set up rightly by hand, are right in every pair with rp_filter %s", async (rp_filter) => {
    const report = await runOne(topology, "by-hand", { rp_filter });
    expect(report.steps.flatMap(({ problems }) => problems)).toEqual([]);
    expect(
      report.steps.flatMap(({ pairs }) => pairs ?? []).filter(({ problems }) => problems.length === 0),
    ).toHaveLength(80);
  });
});
