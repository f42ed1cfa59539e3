import { describe, expect, test } from "vitest";
import { placeLinks } from "./batches.ts";
import type { CapturedFrame } from "./capture.ts";
import { isRight, judgePair, listOwners, type Verdict } from "./judge.ts";
import { missedPairs, pairTable } from "./pair-table.ts";
import { isAnswered, listenerCommand, listPairs, pairCommand, type Pair } from "./pairs.ts";
import { mustRead } from "./testing/small-lab.ts";

const topology = mustRead(`
version: 1
name: judge
segments: { ib: {} }
hosts:
  a:
    links:
      ib0: { segment: ib, addresses: [10.0.0.1/24, "fd00::1/64"] }
      ib1: { segment: ib, addresses: [10.0.0.2/24, "fd00::2/64"] }
  b:
    links:
      ib0: { segment: ib, addresses: [10.0.0.11/24, "fd00::11/64"] }
      ib1: { segment: ib, addresses: [10.0.0.12/24, "fd00::12/64"] }
`);
const links = placeLinks(topology);
const owners = listOwners(links);

function listAll(methods: Pair["method"][], families: (4 | 6)[]): Pair[] {
  let number = 0;
  return listPairs({ between: [links.slice(0, 2), links.slice(2)], methods, families }, () => ++number);
}

/** a's ib1, bound to its address, asks b's ib1. */
const asked: Pair = {
  method: "ping",
  family: 4,
  binding: "address",
  from: { host: "a", link: "ib1", address: "10.0.0.2" },
  to: { host: "b", link: "ib1", address: "10.0.0.12" },
  number: 7,
};

function mac(host: string, link: string): string {
  return links.find((each) => each.host === host && each.name === link)?.mac ?? "";
}

type At = [host: string, link: string];

function echo(kind: "echo-request" | "echo-reply", from: At, to: At, id = 7): CapturedFrame {
  const [source, destination] = kind === "echo-request" ? ["10.0.0.2", "10.0.0.12"] : ["10.0.0.12", "10.0.0.2"];
  const [host, link] = from;
  const ends = { sourceMac: mac(...from), destinationMac: mac(...to) };
  return { kind, ...ends, host, link, sentByHost: true, source, destination, id, sequence: 1 };
}

function arp(from: At, sender: string): CapturedFrame {
  const [host, link] = from;
  const ends = { sourceMac: mac(...from), destinationMac: mac("a", "ib1") };
  return { kind: "arp-reply", ...ends, host, link, sentByHost: true, sender, target: "10.0.0.2" };
}

const good = [
  arp(["b", "ib1"], "10.0.0.12"),
  echo("echo-request", ["a", "ib1"], ["b", "ib1"]),
  echo("echo-reply", ["b", "ib1"], ["a", "ib1"]),
];
const problems = (frames: readonly CapturedFrame[], pair = asked, answered = true): string[] =>
  judgePair(pair, answered, frames, owners).problems;

describe("judgement", () => {
  test("a pair whose packets all go by the right link is right", () => {
    expect(problems(good)).toEqual([]);
  });

  test.each<[string, CapturedFrame[], string]>([
    [
      "an echo request by the wrong link",
      [echo("echo-request", ["a", "ib0"], ["b", "ib1"]), ...good.slice(2)],
      "left by ib0, not ib1",
    ],
    [
      "an echo request to the wrong link",
      [echo("echo-request", ["a", "ib1"], ["b", "ib0"]), ...good.slice(2)],
      "went to ib0, not ib1",
    ],
    [
      "a reply by the wrong link",
      [...good.slice(0, 2), echo("echo-reply", ["b", "ib0"], ["a", "ib1"])],
      "answered by ib0, not ib1",
    ],
    [
      "a reply to the wrong link",
      [...good.slice(0, 2), echo("echo-reply", ["b", "ib1"], ["a", "ib0"])],
      "answer went to ib0, not ib1",
    ],
    ["ARP told by another link too", [...good, arp(["b", "ib0"], "10.0.0.12")], "ib0 of b says that it has 10.0.0.12"],
    [
      "ARP for the asker told by another",
      [...good, arp(["a", "ib0"], "10.0.0.2")],
      "ib0 of a says that it has 10.0.0.2",
    ],
  ])("%s is seen", (_, frames, wanted) => {
    expect(problems(frames)).toEqual([wanted]);
  });

  test("what other pairs do does not count", () => {
    const others = [
      echo("echo-request", ["a", "ib0"], ["b", "ib0"], 8),
      echo("echo-reply", ["b", "ib0"], ["a", "ib0"], 8),
      arp(["b", "ib0"], "10.0.0.11"),
      { ...arp(["b", "ib0"], "10.0.0.12"), sentByHost: false },
    ];
    expect(problems([...good, ...others])).toEqual([]);
  });

  test("bound to a device, a packet has to leave by it and with its address", () => {
    const bound: Pair = { ...asked, binding: "device", from: { host: "a", link: "ib0", address: "10.0.0.1" } };
    expect(problems([echo("echo-request", ["a", "ib0"], ["b", "ib1"]), ...good.slice(2)], bound)).toEqual([
      "left with the address of ib1",
    ]);
    expect(problems([echo("echo-request", ["a", "ib1"], ["b", "ib1"])], bound)).toContain("left by ib1, not ib0");
  });

  test("unbound, a packet may leave by any link whose address it has", () => {
    const unbound: Pair = { ...asked, binding: "unbound", from: { host: "a" } };
    expect(problems(good, unbound)).toEqual([]);
    expect(problems([echo("echo-request", ["a", "ib0"], ["b", "ib1"])], unbound)).toEqual(["left by ib0, not ib1"]);
  });

  test("silence is told apart: nothing left, or nobody told the address", () => {
    expect(problems([], asked, false)).toEqual(["no answer", "nothing left the host"]);
    const request: CapturedFrame = {
      ...arp(["a", "ib1"], "10.0.0.2"),
      kind: "arp-request",
      sender: "10.0.0.2",
      target: "10.0.0.12",
    };
    expect(problems([request], asked, false)).toEqual(["no answer", "ib1 asked for 10.0.0.12 in vain"]);
  });
});

describe("pairs", () => {
  test("two links on each side make twenty, both ways", () => {
    const pairs = listAll(["ping"], [4]);
    const count = (binding: Pair["binding"]): number => pairs.filter((pair) => pair.binding === binding).length;
    expect([pairs.length, count("unbound"), count("address"), count("device")]).toEqual([20, 4, 8, 8]);
    expect(pairs.filter(({ from }) => from.host === "b")).toHaveLength(10);
    expect(new Set(listAll(["ping", "tcp"], [4, 6]).map(({ number }) => number)).size).toBe(80);
  });

  test("are tried by programs that bind as the pair says", () => {
    expect(pairCommand(asked).argv.join(" ")).toBe("ping -4 -n -c1 -W1 -e 7 -I 10.0.0.2 10.0.0.12");
    const six: Pair = {
      method: "tcp",
      family: 6,
      binding: "device",
      from: { host: "a", link: "ib0", address: "fd00::1" },
      to: { host: "b", link: "ib1", address: "fd00::12" },
      number: 9,
    };
    const device = "TCP6:[fd00::12]:9401,connect-timeout=1,sourceport=9,so-bindtodevice=ib0";
    expect(pairCommand(six)).toEqual({ argv: ["socat", "-T2", "-", device], input: "9\n" });
    expect(pairCommand({ ...six, binding: "address" }).argv[3]).toMatch(/,bind=\[fd00::1\]$/);
    expect(pairCommand({ ...six, binding: "unbound" }).argv[3]).toMatch(/,sourceport=9$/);
    expect(listenerCommand(six.to)[1]).toMatch(/^TCP6-LISTEN:9401,bind=\[fd00::12\],/);
    expect(isAnswered(six, { code: 0, stdout: "9\n" })).toBe(true);
    expect(isAnswered(six, { code: 0, stdout: "" })).toBe(false);
    expect(isAnswered(asked, { code: 1, stdout: "" })).toBe(false);
  });
});

describe("the table", () => {
  const verdicts: Verdict[] = listAll(["ping"], [4]).map((pair, index) => ({
    pair,
    answered: index !== 0,
    problems: index === 0 ? ["no answer"] : index === 4 ? ["left by ib0, not ib1", "went to x"] : [],
  }));

  test("counts by binding and names what is wrong", () => {
    expect(pairTable(verdicts)).toEqual([
      "              answered  unbound  by address  by device  right  unbound  by address  by device",
      "✗  ping IPv4     19/20      3/4         8/8        8/8  18/20      3/4         7/8        8/8",
      "✗ ping IPv4 a → 10.0.0.11 (ib0): no answer",
      "✗ ping IPv4 a bound to 10.0.0.1 → 10.0.0.11 (ib0): left by ib0, not ib1; went to x",
    ]);
    expect(pairTable(verdicts.filter(isRight))[1]).toMatch(/^✓ {2}ping IPv4/);
  });

  test("is compared with what was expected", () => {
    const right = verdicts.filter(isRight);
    expect(missedPairs(verdicts, undefined)).toEqual(["18 of 20 pairs are right"]);
    expect(missedPairs(verdicts, { all: true })).toEqual(["18 of 20 pairs are right"]);
    expect(missedPairs(right, undefined)).toEqual([]);
    expect(missedPairs(verdicts, { fails: true })).toEqual([]);
    expect(missedPairs(right, { fails: true })).toHaveLength(1);
    expect(missedPairs(verdicts, { shown: true })).toEqual([]);
    expect(missedPairs(verdicts, { right: { ping: 18 }, answered: { ping: 19 } })).toEqual([]);
    expect(missedPairs(verdicts, { right: { ping: 19 }, answered: { ping: 20 } })).toHaveLength(2);
    expect(missedPairs(verdicts, { right: { tcp: 1 } })).toEqual(["0 of 0 tcp pairs are right, not 1"]);
  });
});
