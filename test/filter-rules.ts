// Owns random rules of nftables, as text: chains at all hooks and priorities, sets, maps, marks, translations, verdicts.
import type { Family } from "../src/model/ip.ts";
import type { Random } from "./random.ts";

/** A chain that packets come through by themselves. */
interface Base {
  name: string;
  type: "filter" | "nat" | "route";
  hook: "prerouting" | "input" | "forward" | "output" | "postrouting";
  priority: number;
}

/** By which a table has several; two of them may have one priority. */
const BASES: readonly Base[] = [
  { name: "raw_out", type: "filter", hook: "output", priority: -300 },
  { name: "raw_pre", type: "filter", hook: "prerouting", priority: -300 },
  { name: "early_out", type: "filter", hook: "output", priority: -160 },
  { name: "route_out", type: "route", hook: "output", priority: -150 },
  { name: "mangle_pre", type: "filter", hook: "prerouting", priority: -150 },
  { name: "nat_out", type: "nat", hook: "output", priority: -100 },
  { name: "nat_pre", type: "nat", hook: "prerouting", priority: -100 },
  { name: "late_route", type: "route", hook: "output", priority: -10 },
  { name: "filter_out", type: "filter", hook: "output", priority: 0 },
  { name: "filter_in", type: "filter", hook: "input", priority: 0 },
  { name: "filter_fwd", type: "filter", hook: "forward", priority: 0 },
  { name: "post", type: "filter", hook: "postrouting", priority: 50 },
  { name: "nat_post", type: "nat", hook: "postrouting", priority: 100 },
  { name: "late_post", type: "filter", hook: "postrouting", priority: 150 },
];

const SETS = `
  set inside { type ipv4_addr; flags interval; elements = { 192.0.2.0/28, 10.1.0.0-10.2.0.255, 203.0.113.5 } }
  set inside6 { type ipv6_addr; flags interval; elements = { 2001:db8:1::/48, fd00:2::1 } }
  set ports { type inet_service; elements = { 53, 4000 } }
  set pairs { type ipv4_addr . inet_service; flags interval; elements = { 192.0.2.0/24 . 1-100, 198.51.100.9 . 4000 } }
  map marks { type inet_service : mark; elements = { 9 : 0x1, 53 : 0x2 } }
  map ways { type ifname : verdict; elements = { "a0" : jump c1, "b0" : goto c2, "lo" : accept } }
`;

/** Several tables as nft reads them, and commands that add rules, of which nft may refuse some. */
export function rulesFor(random: Random): { tables: string; rules: string[] } {
  const bases = BASES.filter(() => random.chance(0.55));
  const inet = bases.filter(() => random.chance(0.7));
  const others = bases.filter((base) => !inet.includes(base) || random.chance(0.08));
  const all = [
    { name: "inet m", bases: inet, only: undefined },
    { name: "ip m", bases: others, only: 4 as const },
    { name: "ip6 m", bases: others, only: 6 as const },
  ];
  return {
    tables: all.map(({ name, bases: own }) => `table ${name} {${SETS}\n${chains(random, own)}\n}`).join("\n"),
    rules: all.flatMap(({ name, bases: own, only }) => [
      ...["c1", "c2", "c3"].flatMap((chain, i) =>
        rules(random, `${name} ${chain}`, { only, targets: ["c1", "c2", "c3"].slice(i + 1) }, 1 + random.below(3)),
      ),
      ...own.flatMap((base) => {
        const targets = base.type === "nat" ? [] : ["c1", "c2", "c3"];
        return rules(random, `${name} ${base.name}`, { only, targets, base }, 1 + random.below(4));
      }),
    ]),
  };
}

function chains(random: Random, bases: readonly Base[]): string {
  const heads = bases.map(({ name, type, hook, priority }) => {
    const policy = random.chance(0.05) && type !== "nat" ? " policy drop;" : "";
    return `chain ${name} { type ${type} hook ${hook} priority ${priority};${policy} }`;
  });
  return ["chain c3 { }", "chain c2 { }", "chain c1 { }", ...heads].join("\n");
}

/** Where a rule stands. */
interface Where {
  only: Family | undefined;
  /** Chains that it may lead on to. */
  targets: readonly string[];
  base?: Base;
}

function rules(random: Random, chain: string, where: Where, count: number): string[] {
  return Array.from({ length: count }, () => `add rule ${chain} ${rule(random, where)}`);
}

function rule(random: Random, where: Where): string {
  const family = where.only ?? random.pick([4, 6] as const);
  const count = random.pick([0, 1, 1, 1, 2, 2]);
  const parts = [
    random.chance(0.7) ? network(random, family) : "",
    random.chance(0.4) ? transport(random) : "",
    ...Array.from({ length: count }, () => other(random, where)),
  ].filter((part) => part !== "");
  const matches = parts.slice(0, count);
  const does = statement(random, where, family);
  // In a rule that writes to a header, nft 1.0.6 does not list that it asks for the other protocol.
  const listed = does.includes("dscp set") ? matches.filter((match) => !match.startsWith("meta protocol")) : matches;
  return [...listed, does].join(" ");
}

function network(random: Random, family: Family): string {
  return family === 4
    ? random.pick([
        "ip daddr 192.0.2.1",
        "ip daddr 192.0.2.0/24",
        "ip daddr != 192.0.2.0/24",
        "ip saddr 10.0.0.0/16",
        "ip saddr { 10.1.0.1, 10.2.0.1, 203.0.113.0/24 }",
        "ip daddr 192.0.2.50-198.51.100.255",
        "ip daddr @inside",
        "ip saddr != @inside",
        "ip daddr . udp dport @pairs",
        "ip dscp 4",
        "ip dscp != ef",
        "ip protocol udp",
      ])
    : random.pick([
        "ip6 daddr 2001:db8:1::1",
        "ip6 daddr 2001:db8::/32",
        "ip6 daddr != 2001:db8::/32",
        "ip6 saddr fd00::/32",
        "ip6 saddr { fd00:1::1, 2a00::/16 }",
        "ip6 daddr @inside6",
        "ip6 dscp != 46",
        "ip6 nexthdr udp",
      ]);
}

function transport(random: Random): string {
  return random.pick([
    "udp dport 9",
    "udp dport { 53, 4000 }",
    "udp dport 1-100",
    "udp dport != @ports",
    "udp sport > 20020",
    "th dport 53",
    "tcp dport 9",
    "meta l4proto { tcp, udp }",
    "meta l4proto udp",
    "meta l4proto tcp",
  ]);
}

function other(random: Random, { only }: Where): string {
  // What nobody can tell ends the walk, so it is rare.
  if (random.chance(0.02)) return random.pick(["limit rate 1/second", "fib daddr type local"]);
  return random.pick([
    "meta mark 1",
    "meta mark & 0xf == 2",
    "meta mark != 0",
    "meta mark { 0, 0x12 }",
    "meta mark < 0x12",
    "ct mark 0",
    "ct mark & 0xf0 != 0",
    "ct state new",
    "ct state established,related",
    "ct state { new, untracked }",
    "ct state invalid",
    "ct direction original",
    "oifname a0",
    'oifname { "a0", "b0" }',
    'oifname != "lo"',
    'iifname "b*"',
    'iifname != "a0"',
    "oif c0",
    "iif lo",
    "meta skuid 0",
    "meta skuid != 0",
    "meta skgid 0-5",
    ...(only === undefined ? ["meta nfproto ipv4"] : []),
    "meta protocol ip6",
    "counter",
  ]);
}

function statement(random: Random, where: Where, family: Family): string {
  const { base, targets } = where;
  if (base?.type === "nat") return translation(random, where, family);
  const { pick } = { pick: <T>(items: readonly T[]): T => random.pick(items) };
  const mark = (): string =>
    pick([
      "meta mark set 1",
      "meta mark set 2",
      "meta mark set 3",
      "meta mark set 0",
      "meta mark set meta mark | 0x10",
      "meta mark set meta mark & 0xfffffff0",
      "meta mark set (meta mark & 0xffff0000) | 0x12",
      "meta mark set ct mark",
      "ct mark set meta mark",
      "ct mark set 2",
      "ct mark set ct mark | 0x20",
      "meta mark set udp dport map @marks",
      "meta mark set udp dport map { 9 : 1, 53 : 2, 4000 : 0 }",
    ]);
  const dscp = family === 4 ? "ip dscp set 4" : "ip6 dscp set 4";
  const kind = random.below(20);
  if (kind < 9) return mark();
  if (kind < 11) return dscp;
  if (kind < 13 && targets.length > 0) return `${pick(["jump", "goto"])} ${pick(targets)}`;
  if (kind < 14 && targets.length === 3) return "meta iifname vmap @ways";
  if (kind < 15) return "udp dport vmap { 9 : accept, 53 : continue, 4000 : return }";
  if (kind < 16) return pick(["accept", "return"]);
  if (kind < 17) return "counter";
  if (kind < 18 && base?.priority === -300) return "notrack";
  if (kind < 19) return `${mark()} accept`;
  return base && base.hook !== "postrouting" && base.priority === 0 ? pick(["drop", "reject"]) : "drop";
}

function translation(random: Random, { base, only }: Where, family: Family): string {
  const version = only === undefined ? (family === 4 ? " ip" : " ip6") : "";
  if (base?.hook === "postrouting") {
    const source = family === 4 ? "10.7.7.7" : "fd07::7";
    return random.pick([`snat${version} to ${source}`, "masquerade", "accept", "return"]);
  }
  const to = random.pick(family === 4 ? ["10.1.0.9", "10.2.0.9", "10.0.0.1"] : ["fd00:1::9", "fd00:2::9", "fd00:0::1"]);
  const port = family === 4 ? `${to}:4000` : `[${to}]:4000`;
  return random.pick([
    `dnat${version} to ${to}`,
    `meta l4proto udp dnat${version} to ${port}`,
    "meta l4proto udp redirect to :53",
    "accept",
    "return",
  ]);
}
