// Owns the tests of what is said where rules of nftables cannot be followed, and of what no listing may do to heddle.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pictureFrom } from "../../../test/pictures.ts";
import type { NftValue } from "../../model/nft.ts";
import type { RulesetRow } from "../../model/ruleset.ts";
import type { Packet } from "../packet.ts";
import { passOf } from "./passage.ts";
import type { Passage } from "./passage.ts";
import { sayFiltered, sayPassage } from "./say.ts";

const PACKET: Packet = { to: "192.0.2.1", uid: 0 };

function chain(name: string, more: object = {}): RulesetRow {
  const fields = { family: "inet", table: "t", name, handle: 1, ...more };
  return { chain: fields };
}
const base = (name: string, type: string, hook: string, prio: number, policy = "accept"): RulesetRow =>
  chain(name, { type, hook, prio, policy });

function rule(name: string, handle: number, ...expr: NftValue[]): RulesetRow {
  return { rule: { family: "inet", table: "t", chain: name, handle, expr } };
}

const match = (left: NftValue, right: NftValue, op = "=="): NftValue => ({ match: { op, left, right } });
const meta = (key: string): NftValue => ({ meta: { key } });
const mark = (value: NftValue): NftValue => ({ mangle: { key: meta("mark"), value } });
const ACCEPT: NftValue = { accept: null };
const DROP: NftValue = { drop: null };

function pass(ruleset: readonly RulesetRow[], packet: Packet = PACKET): Passage {
  const picture = pictureFrom({
    links: { eth0: { addresses: ["10.0.0.1/24"] }, eth1: { addresses: ["10.1.0.1/24"] } },
    routes: [
      { to: "default", link: "eth0", via: "10.0.0.254" },
      { to: "default", link: "eth1", via: "10.1.0.254", table: 100 },
    ],
    rules: [{ priority: 10, mark: 1, table: 100, family: 4 }],
  });
  return passOf({ ...picture, ruleset }, packet);
}

function said(ruleset: readonly RulesetRow[], packet: Packet = PACKET): string[] {
  const passage = pass(ruleset, packet);
  return [sayPassage(passage), ...(passage.filtered ? sayFiltered(passage.filtered) : [])];
}

const OUTPUT = base("out", "filter", "output", 0);
const ROUTE = base("out", "route", "output", -150);

test("a mark changes the way where a chain of the type route sets it, and nowhere else", () => {
  expect(said([ROUTE, rule("out", 7, mark(1))])).toEqual([
    "leaves by eth1 via 10.1.0.254",
    "sets its mark to 0x1: rule 7 of chain out, table inet t",
    "without it, it leaves by eth0 via 10.0.0.254, source 10.0.0.1",
  ]);
  expect(said([OUTPUT, rule("out", 7, mark(1))])[0]).toBe("leaves by eth0 via 10.0.0.254, source 10.0.0.1");
});

test("a drop is an answer, with the rule or the policy", () => {
  expect(said([OUTPUT, rule("out", 7, DROP)])[0]).toBe(
    "goes nowhere: nftables drops it, rule 7 of chain out, table inet t",
  );
  expect(said([base("out", "filter", "output", 0, "drop")])[0]).toBe(
    "goes nowhere: nftables drops it, chain out, table inet t",
  );
  expect(pass([OUTPUT, rule("out", 7, { reject: null })]).filtered?.fate).toMatchObject({ rejected: true });
});

test("where a changed packet has no way, that is the answer; where nftables drops it before it is routed, that", () => {
  const unroutable = pictureFrom({
    links: { eth0: { addresses: ["10.0.0.1/24"] } },
    routes: [{ to: "192.0.2.0/24", link: "eth0", via: "10.0.0.254" }],
    rules: [{ priority: 10, mark: 1, action: "unreachable", family: 4 }],
  });
  const marked = passOf({ ...unroutable, ruleset: [ROUTE, rule("out", 7, mark(1))] }, PACKET);
  expect(sayPassage(marked)).toBe("goes nowhere: rule 10 says unreachable");
  const early = [base("pre", "filter", "prerouting", 0), rule("pre", 7, DROP)];
  const dropped = passOf({ ...unroutable, ruleset: early }, { to: "198.51.100.1", from: "10.0.0.9", iif: "eth0" });
  expect(sayPassage(dropped)).toBe("goes nowhere: nftables drops it, rule 7 of chain pre, table inet t");
});

describe("nobody can tell", () => {
  const stuck = (...expr: NftValue[]): string | undefined => {
    const [answer, last] = said([OUTPUT, rule("out", 7, ...expr), rule("out", 8, DROP)]);
    expect(answer).toBe("leaves by eth0 via 10.0.0.254, source 10.0.0.1, unless nftables has it otherwise");
    return last?.replace("cannot tell from rule 7 of chain out, table inet t on: ", "");
  };

  test.each<[string, string, NftValue[]]>([
    [
      "what was not said",
      "it asks for the destination port, which was not said",
      [match({ payload: { protocol: "th", field: "dport" } }, 9), ACCEPT],
    ],
    [
      "a match of iptables",
      "it has the match conntrack of iptables, of which nft tells no more",
      [{ xt: { type: "match", name: "conntrack" } }, ACCEPT],
    ],
    ["a target of iptables", "it has something of iptables, of which nft tells no more", [{ xt: null }]],
    ["a look-up of routes", "it asks for fib", [match({ fib: { result: "type", flags: "daddr" } }, "local"), ACCEPT]],
    ["a limit", "it has the statement limit", [{ limit: { rate: 1, per: "second" } }, ACCEPT]],
    ["a queue", "it has the statement queue", [{ queue: null }]],
    [
      "a set that is not there",
      "it asks for the set @gone, which is not listed",
      [match(meta("mark"), "@gone"), ACCEPT],
    ],
    ["a chain that is not there", "it leads to the chain gone, which is not listed", [{ jump: { target: "gone" } }]],
    ["chance", "it asks for numgen, to set meta mark", [mark({ numgen: { mode: "random", mod: 2 } })]],
    [
      "a rewritten header",
      "it sets ip ttl",
      [{ mangle: { key: { payload: { protocol: "ip", field: "ttl" } }, value: 1 } }],
    ],
    ["nothing that is known", "it has a statement that heddle has no word for", [7]],
  ])("behind %s", (_what, why, expr) => {
    const packet = why.includes("port") ? { ...PACKET, ipProtocol: 17 } : PACKET;
    const rows = [OUTPUT, rule("out", 7, ...expr), rule("out", 8, DROP)];
    expect(said(rows, packet)[1]).toBe(`cannot tell from rule 7 of chain out, table inet t on: ${why}`);
    if (packet === PACKET) expect(stuck(...expr)).toBe(why);
  });

  test("but where the rule only counts, or cannot match, it does not matter", () => {
    const fib = match({ fib: { result: "type", flags: "daddr" } }, "local");
    const none = match({ payload: { protocol: "ip6", field: "daddr" } }, "fd00::1");
    const comment = { xt: { type: "match", name: "comment" } };
    const rows = [OUTPUT, rule("out", 7, fib, comment, { counter: null }), rule("out", 8, none, fib, DROP)];
    expect(said(rows)).toEqual(["leaves by eth0 via 10.0.0.254, source 10.0.0.1", "lets it pass as it is"]);
  });

  test("chains of one priority, where their order matters", () => {
    const two = (value: number): RulesetRow[] => [
      base("a", "filter", "output", 0),
      base("b", "filter", "output", 0),
      rule("a", 1, match(meta("mark"), value), DROP),
      rule("b", 2, mark(1)),
    ];
    expect(said(two(1))[1]).toMatch(/chain a, table inet t on: 2 chains have the same priority/);
    expect(said(two(2))[1]).toBe("sets its mark to 0x1: rule 2 of chain b, table inet t");
  });

  test("a set into which the packet was put before", () => {
    const put: NftValue = { set: { op: "add", elem: { payload: { protocol: "ip", field: "daddr" } }, set: "@met" } };
    const met = match({ payload: { protocol: "ip", field: "daddr" } }, "@met");
    const rows: RulesetRow[] = [OUTPUT, { set: { family: "inet", table: "t", name: "met" } }];
    expect(said([...rows, rule("out", 7, met, DROP), rule("out", 8, put)])[1]).toBe("lets it pass as it is");
    expect(said([...rows, rule("out", 7, put), rule("out", 8, met, DROP)])[1]).toMatch(
      /rule 8 .* into which this packet/,
    );
  });
});

test("chains that lead to each other come to an end", () => {
  const rows = [
    OUTPUT,
    chain("a"),
    rule("a", 2, { jump: { target: "a" } }, DROP),
    rule("out", 1, { jump: { target: "a" } }),
  ];
  expect(said(rows)[1]).toMatch(/16 chains lead on to each other/);
});

test("nothing that a listing may hold throws, or goes on for ever", () => {
  const word = fc.constantFrom(
    ..."match meta mark op == in left right key set elem val map vmap data ct state payload protocol ip saddr & | << prefix addr len range concat jump target a out dnat snat family port mangle value @s * eth*".split(
      " ",
    ),
  );
  const { value } = fc.letrec<{ value: NftValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 6 },
      word,
      fc.integer(),
      fc.constant(null),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(word, tie("value"), { maxKeys: 2 }),
    ),
  }));
  const rows = fc.array(
    fc.record({
      kind: fc.constantFrom("chain", "rule", "set", "map"),
      fields: fc.dictionary(fc.constantFrom("name", "hook", "prio", "type", "chain", "expr", "elem", "dev"), value),
    }),
  );
  const made = rows.map((all) => [
    ROUTE,
    chain("a"),
    ...all.map(({ kind, fields }): RulesetRow => ({
      [kind]: { family: "inet", table: "t", name: "s", chain: "out", ...fields },
    })),
  ]);
  fc.assert(
    fc.property(made, (ruleset) => {
      expect(typeof said(ruleset)[0]).toBe("string");
      expect(typeof said(ruleset, { ...PACKET, from: "10.1.0.9", iif: "eth1" })[0]).toBe("string");
    }),
    { numRuns: 300 },
  );
});
