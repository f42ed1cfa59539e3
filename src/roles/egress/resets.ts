// Owns the resets that the kernel sends for chosen connections which no socket knows any more: they get the mark that
// their connection had.
//
// A packet for such a connection is answered with a reset that is nobody's, so that it has neither a mark nor an owner,
// whatever marks sockets (net/ipv4/tcp_ipv4.c, tcp_v4_send_reset). So a table remembers chosen connections by their
// addresses and ports, at the packets that begin and end one; all others pass by one look at their flags.
import type { Family } from "../../model/ip.ts";
import { NFT_RESET_CHAINS, nftTableName } from "../../model/nft.ts";
import type { NftObject, NftTableSpec, NftValue } from "../../model/nft.ts";

/**
 * How many connections of each IP version are remembered, and for how many seconds after the last packet that began or
 * ended one: longer than Linux repeats what is not acknowledged (924.6 s, tcp_retries2 in ip-sysctl.rst).
 */
const REMEMBERED = { connections: 65_536, seconds: 1200 } as const;

const FAMILIES: readonly Family[] = [4, 6];
/** The chain in which connections are remembered. */
const EDGES = "edges";
/** NF_IP_PRI_MANGLE: where packets are marked before they are routed anew. */
const MANGLE = -150;

const FLAGS: NftValue = { payload: { protocol: "tcp", field: "flags" } };
const IS_EDGE = match("!=", { "&": [FLAGS, ["fin", "syn", "rst"]] }, 0);

/** The table of a section whose sockets are marked by BPF. */
export function resetTable(instance: string, bit: number): NftTableSpec {
  return {
    family: "inet",
    name: nftTableName("egress", instance),
    owner: "heddle",
    objects: [
      { chain: { name: NFT_RESET_CHAINS.marking, type: "route", hook: "output", prio: MANGLE, policy: "accept" } },
      ...rememberingAt(NFT_RESET_CHAINS.marking, bit),
      ...restoring(EDGES, bit),
    ],
  };
}

/** The sets of remembered connections, and the rules that fill them from what passes by the base chain. */
export function rememberingAt(chain: string, bit: number): NftObject[] {
  const chosen = match("!=", bitOf(bit), 0);
  const others = match("==", bitOf(bit), 0);
  return [
    ...FAMILIES.map((family): NftObject => {
      const { connections: size, seconds: timeout } = REMEMBERED;
      return {
        set: {
          name: setOf(family),
          type: [`ipv${family}_addr`, "inet_service", `ipv${family}_addr`, "inet_service"],
          size,
          flags: ["timeout"],
          timeout,
        },
      };
    }),
    { chain: { name: EDGES } },
    rule(chain, IS_EDGE, { jump: { target: EDGES } }),
    ...FAMILIES.map((family) => rule(EDGES, chosen, change("update", family))),
    // Somebody else's connection has the addresses and ports now, and its resets are its own.
    ...FAMILIES.map((family) =>
      rule(EDGES, others, match("!=", { "&": [FLAGS, ["fin", "syn"]] }, 0), change("delete", family)),
    ),
  ];
}

/** The rules that give the bit to a reset of a remembered connection. Each goes on being remembered while it is asked for. */
export function restoring(chain: string, bit: number): NftObject[] {
  const mark: NftValue = { meta: { key: "mark" } };
  return FAMILIES.map((family) =>
    rule(
      chain,
      match("in", FLAGS, "rst"),
      match("==", bitOf(bit), 0),
      match("==", connection(family), `@${setOf(family)}`),
      change("update", family),
      { mangle: { key: mark, value: { "|": [mark, bit] } } },
      { accept: null },
    ),
  );
}

function setOf(family: Family): string {
  return `chosen${family}`;
}

/** What tells a connection in a packet that leaves. */
function connection(family: Family): NftValue {
  const [network, ends] = [family === 4 ? "ip" : "ip6", ["s", "d"]];
  return {
    concat: ends.flatMap((end) => [
      { payload: { protocol: network, field: `${end}addr` } },
      { payload: { protocol: "tcp", field: `${end}port` } },
    ]),
  };
}

function change(op: "update" | "delete", family: Family): NftValue {
  return { set: { op, elem: connection(family), set: `@${setOf(family)}` } };
}

function bitOf(bit: number): NftValue {
  return { "&": [{ meta: { key: "mark" } }, bit] };
}

function rule(chain: string, ...expr: NftValue[]): NftObject {
  return { rule: { chain, expr } };
}

function match(op: string, left: NftValue, right: NftValue): NftValue {
  return { match: { op, left, right } };
}
