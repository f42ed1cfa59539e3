// Owns a list of what roles may want of nftables, as the content of one table each: what egress marking, gateways,
// clamping, counting and filtering look like in the JSON of nft.
import type { NftObject, NftValue } from "../src/model/nft.ts";

const match = (left: NftValue, right: NftValue, op = "=="): NftValue => ({ match: { op, left, right } });
const meta = (key: string): NftValue => ({ meta: { key } });
const payload = (protocol: string, field: string): NftValue => ({ payload: { protocol, field } });
const mark = (value: NftValue): NftValue => ({ mangle: { key: meta("mark"), value } });
const prefix = (addr: string, len: number): NftValue => ({ prefix: { addr, len } });
const accept: NftValue = { accept: null };
const drop: NftValue = { drop: null };
const counter: NftValue = { counter: null };

const output: NftObject = { chain: { name: "output", type: "route", hook: "output", prio: -150 } };
const forward: NftObject = { chain: { name: "forward", type: "filter", hook: "forward", prio: 0, policy: "accept" } };
const postrouting: NftObject = { chain: { name: "postrouting", type: "nat", hook: "postrouting", prio: 100 } };
const prerouting: NftObject = { chain: { name: "prerouting", type: "nat", hook: "prerouting", prio: -100 } };
const raw: NftObject = { chain: { name: "raw", type: "filter", hook: "prerouting", prio: -300 } };

/** Rules of one chain, with the chain. */
function inChain(chain: NftObject, ...rules: NftValue[][]): NftObject[] {
  const { name } = (chain as { chain: { name: string } }).chain;
  return [chain, ...rules.map((expr): NftObject => ({ rule: { chain: name, expr } }))];
}

/** By what they do. All of them are taken by nftables 1.0.6 with Linux 6.18, in the family inet. */
export const NFT_IDIOMS: Readonly<Record<string, readonly NftObject[]>> = {
  "nothing at all": [],
  "mark by user": inChain(output, [match(meta("skuid"), 0), mark(0x70)]),
  "mark by users and a range of groups": inChain(output, [
    match(meta("skuid"), { set: [0, 1, 2] }),
    match(meta("skgid"), { range: [3, 9] }),
    mark(0x70),
  ]),
  "mark by name of user": inChain(output, [match(meta("skuid"), "root"), mark(0x70)]),
  "mark under a mask": inChain(output, [
    match(meta("skuid"), 0),
    mark({ "|": [{ "&": [meta("mark"), 0xffff00ff] }, 0x7000] }),
  ]),
  "match a mark under a mask": inChain(output, [match({ "&": [meta("mark"), 0xff00] }, 0x7000), counter, accept]),
  "mark of the connection, saved and restored": inChain(
    output,
    [match(meta("skuid"), 0), { mangle: { key: { ct: { key: "mark" } }, value: meta("mark") } }],
    [match({ ct: { key: "mark" } }, 0, "!="), mark({ ct: { key: "mark" } })],
  ),
  "protocols by name": inChain(output, [match(meta("l4proto"), { set: ["tcp", "udp"] }), counter]),
  "a port and what it implies": inChain(output, [match(payload("tcp", "dport"), 22), accept]),
  "a redundant match": inChain(output, [match(meta("l4proto"), "tcp"), match(payload("tcp", "dport"), 22), accept]),
  "ports by name and range": inChain(output, [
    match(payload("udp", "dport"), { set: ["domain", { range: [8000, 8100] }] }),
    drop,
  ]),
  "prefixes out of order": inChain(output, [
    match(payload("ip", "daddr"), { set: [prefix("10.20.0.0", 16), prefix("10.10.24.0", 24), "192.0.2.1"] }),
    accept,
  ]),
  "a whole address as a prefix": inChain(output, [match(payload("ip", "daddr"), prefix("192.0.2.1", 32)), accept]),
  "IPv6 prefix, long form": inChain(output, [match(payload("ip6", "daddr"), prefix("fd00:16:0:0::", 64)), accept]),
  "masquerade by name of link": inChain(postrouting, [match(meta("oifname"), "eth9"), { masquerade: null }]),
  "masquerade, fully random": inChain(postrouting, [
    match(meta("oifname"), "eth*"),
    { masquerade: { flags: ["fully-random"] } },
  ]),
  "by index of link": inChain(postrouting, [match(meta("oif"), "ib0"), { masquerade: null }]),
  "snat to an address": inChain(postrouting, [
    match(payload("ip", "saddr"), prefix("10.20.0.0", 16)),
    { snat: { family: "ip", addr: "140.181.2.40" } },
  ]),
  "snat to a range": inChain(postrouting, [
    match(meta("l4proto"), "tcp"),
    {
      snat: {
        family: "ip",
        addr: { range: ["10.0.0.1", "10.0.0.9"] },
        port: { range: [1024, 65535] },
        flags: "persistent",
      },
    },
  ]),
  "dnat to a port": inChain(prerouting, [
    match(payload("tcp", "dport"), 80),
    { dnat: { family: "ip", addr: "10.0.0.5", port: 8080 } },
  ]),
  "snat by a map": [
    {
      map: {
        name: "by",
        type: "ipv4_addr",
        map: "ipv4_addr",
        elem: [
          ["10.1.0.1", "192.0.2.1"],
          ["10.0.0.1", "192.0.2.2"],
        ],
      },
    },
    ...inChain(postrouting, [{ snat: { family: "ip", addr: { map: { key: payload("ip", "saddr"), data: "@by" } } } }]),
  ],
  "MSS clamp": inChain(forward, [
    match({ "&": [payload("tcp", "flags"), { "|": ["syn", "rst"] }] }, "syn"),
    { mangle: { key: { "tcp option": { name: "maxseg", field: "size" } }, value: { rt: { key: "mtu" } } } },
  ]),
  "MSS to a number": inChain(forward, [
    match(payload("tcp", "flags"), "syn", "in"),
    { mangle: { key: { "tcp option": { name: "maxseg", field: "size" } }, value: 1400 } },
  ]),
  notrack: inChain(raw, [match(payload("udp", "dport"), 4791), { notrack: null }]),
  "connection states": inChain(
    forward,
    [match({ ct: { key: "state" } }, ["established", "related"], "in"), accept],
    [match({ ct: { key: "state" } }, "invalid", "in"), drop],
  ),
  "a verdict map of states": inChain(forward, [
    {
      vmap: {
        key: { ct: { key: "state" } },
        data: {
          set: [
            ["invalid", drop],
            ["established", accept],
            ["related", accept],
          ],
        },
      },
    },
  ]),
  "named counters": [
    { counter: { name: "sent" } },
    { counter: { name: "lost" } },
    ...inChain(output, [match(meta("skuid"), 0), { counter: "sent" }], [{ counter: "lost" }, drop]),
  ],
  "a counter by a map": [
    { counter: { name: "web" } },
    { counter: { name: "ssh" } },
    {
      map: {
        name: "what",
        type: "inet_service",
        map: "counter",
        elem: [
          [443, "web"],
          [22, "ssh"],
        ],
      },
    },
    ...inChain(output, [{ counter: { map: { key: payload("tcp", "dport"), data: "@what" } } }]),
  ],
  "a named set of prefixes": [
    {
      set: {
        name: "inside",
        type: "ipv4_addr",
        flags: ["interval"],
        elem: [prefix("172.16.0.0", 12), prefix("10.0.0.0", 8)],
      },
    },
    ...inChain(output, [match(payload("ip", "daddr"), "@inside"), accept]),
  ],
  "a named set that merges": [
    {
      set: {
        name: "inside",
        type: "ipv4_addr",
        flags: ["interval"],
        "auto-merge": true,
        elem: [prefix("10.0.0.0", 9), prefix("10.128.0.0", 9)],
      },
    },
    ...inChain(output, [match(payload("ip", "daddr"), "@inside", "!="), drop]),
  ],
  "a set of users": [
    { set: { name: "users", type: "uid", elem: [2, 1, 0] } },
    ...inChain(output, [match(meta("skuid"), "@users"), mark(0x70)]),
  ],
  "a set with timeouts": [
    {
      set: {
        name: "seen",
        type: "ipv4_addr",
        flags: ["timeout"],
        timeout: 3600,
        elem: [{ elem: { val: "10.0.0.1", timeout: 7200 } }],
      },
    },
    ...inChain(output, [match(payload("ip", "daddr"), "@seen"), accept]),
  ],
  "a dynamic set that packets fill": [
    { set: { name: "meter", type: "ipv4_addr", flags: ["timeout"], size: 1024, timeout: 60 } },
    ...inChain(output, [{ set: { op: "update", elem: payload("ip", "daddr"), set: "@meter" } }]),
  ],
  "concatenations with ranges": [
    {
      set: {
        name: "pairs",
        type: ["ipv4_addr", "inet_service"],
        flags: ["interval"],
        elem: [{ concat: [prefix("10.0.0.0", 8), { range: [80, 90] }] }, { concat: ["192.0.2.1", 22] }],
      },
    },
    ...inChain(output, [match({ concat: [payload("ip", "daddr"), payload("tcp", "dport")] }, "@pairs"), accept]),
  ],
  "a named verdict map to chains": [
    {
      map: {
        name: "ways",
        type: "ifname",
        map: "verdict",
        elem: [
          ["ib0", { jump: { target: "one" } }],
          ["ib1", { goto: { target: "two" } }],
        ],
      },
    },
    { chain: { name: "one" } },
    { chain: { name: "two" } },
    ...inChain(forward, [{ vmap: { key: meta("iifname"), data: "@ways" } }]),
    { rule: { chain: "one", expr: [counter, { return: null }] } },
    { rule: { chain: "two", expr: [drop] } },
  ],
  "jump to a chain of a later name": [
    ...inChain(output, [{ jump: { target: "zulu" } }]),
    { rule: { chain: "zulu", expr: [counter] } },
    { chain: { name: "zulu" } },
  ],
  "limit and log": inChain(output, [
    { limit: { rate: 10, per: "minute", burst: 5 } },
    { log: { prefix: "heddle: ", level: "info" } },
  ]),
  "limit of bytes, exceeded": inChain(output, [
    { limit: { rate: 10, rate_unit: "mbytes", per: "second", inv: true } },
    drop,
  ]),
  "a named limit and a named quota": [
    { limit: { name: "slow", rate: 400, per: "hour", unit: "packets" } },
    { quota: { name: "much", bytes: 1_000_000, inv: true } },
    ...inChain(output, [{ limit: "slow" }, { log: { prefix: "x" } }], [{ quota: "much" }, drop]),
  ],
  "quota in a rule": inChain(output, [{ quota: { val: 100, val_unit: "mbytes" } }, accept]),
  "fib, as rp_filter does": inChain(raw, [match({ fib: { result: "oif", flags: ["saddr", "iif"] } }, false), drop]),
  "type of address": inChain(prerouting, [match({ fib: { result: "type", flags: ["daddr"] } }, "local"), counter]),
  "spread by hash": inChain(output, [
    mark({
      jhash: { mod: 2, expr: { concat: [payload("ip", "saddr"), payload("ip", "daddr")] }, seed: 7, offset: 100 },
    }),
  ]),
  "spread by turns": inChain(output, [mark({ numgen: { mode: "inc", mod: 4, offset: 100 } })]),
  "mark by a map of a hash": inChain(output, [
    mark({
      map: {
        key: { numgen: { mode: "random", mod: 2 } },
        data: {
          set: [
            [1, 0x71],
            [0, 0x70],
          ],
        },
      },
    }),
  ]),
  "a socket that is there": inChain(raw, [match({ socket: { key: "transparent" } }, 1), mark(1), accept]),
  "a connection helper": [
    { "ct helper": { name: "ftp-standard", type: "ftp", protocol: "tcp", l3proto: "ip" } },
    ...inChain({ chain: { name: "pre", type: "filter", hook: "prerouting", prio: 0 } }, [
      match(payload("tcp", "dport"), 21),
      { "ct helper": "ftp-standard" },
    ]),
  ],
  "a limit of connections": inChain(output, [
    match(payload("tcp", "dport"), 22),
    { "ct count": { val: 20, inv: true } },
    drop,
  ]),
  "reject with a reset": inChain(output, [match(meta("l4proto"), "tcp"), { reject: { type: "tcp reset" } }]),
  "reject with a reason": inChain(output, [{ reject: { type: "icmpx", expr: "admin-prohibited" } }]),
  "icmp types": inChain(forward, [
    match(payload("icmpv6", "type"), { set: ["nd-router-advert", "nd-neighbor-solicit"] }),
    accept,
  ]),
  "dscp, ttl and length": inChain(
    output,
    [{ mangle: { key: payload("ip", "dscp"), value: "ef" } }],
    [match(payload("ip", "ttl"), 5, "<"), match(meta("length"), { range: [100, 200] }), drop],
  ),
  "raw bytes": inChain(output, [match({ payload: { base: "th", offset: 16, len: 16 } }, 4791), counter]),
  "time of day and a comment": [
    output,
    { rule: { chain: "output", comment: "why it is here", expr: [match(meta("protocol"), "ip"), counter] } },
  ],
  "priority and packet type": inChain(forward, [
    match(meta("pkttype"), "broadcast"),
    { mangle: { key: meta("priority"), value: "1:2" } },
  ]),
  "log to a group": inChain(forward, [
    match(meta("iifname"), { set: ["ib1", "ib0"] }),
    { log: { prefix: "x", group: 3, "queue-threshold": 10 } },
  ]),
  "a policy of drop": inChain(
    { chain: { name: "forward", type: "filter", hook: "forward", prio: 5, policy: "drop" } },
    [accept],
  ),
};
