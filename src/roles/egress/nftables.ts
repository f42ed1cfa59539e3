// Owns the way without BPF: packets are marked as they leave, by the owner of their socket, and connections remember it.
//
// It does less than marking sockets (docs/adr/0009): a connection gets its source address from the main table before the
// mark is there, so that it has to be translated, and what the kernel sends for a socket whose owner is gone is only
// known by its connection.
import type { Family } from "../../model/ip.ts";
import { NFT_RESET_CHAINS, nftTableName } from "../../model/nft.ts";
import type { NftObject, NftTableSpec, NftValue } from "../../model/nft.ts";
import type { MarkRange, SocketMarks } from "../../model/socket-marks.ts";
import { rememberingAt, restoring } from "./resets.ts";

/** Where packets of this host are marked before they are routed anew (NF_IP_PRI_MANGLE), translated (NF_IP_PRI_NAT_SRC), and have been. */
const PRIORITY = { mangle: -150, srcnat: 100, translated: 110 } as const;

/** Sources that only peers on the link answer to. */
const LINK_LOCAL: NftValue = { prefix: { addr: "fe80::", len: 10 } };

/** The table that gives packets of the owners the bit, and the source address of the link that they leave by. */
export function markingTable(
  instance: string,
  owners: SocketMarks,
  bit: number,
  link: string,
  { sources, follows }: { sources: readonly { family: Family; source: string }[]; follows: boolean },
): NftTableSpec {
  const outgoing = match("==", { ct: { key: "direction" } }, "original");
  const mark = setBit({ meta: { key: "mark" } }, bit);
  const remembered: NftObject = {
    rule: {
      chain: "mark",
      expr: [outgoing, match("!=", { "&": [{ ct: { key: "mark" } }, bit] }, 0), mark, { accept: null }],
    },
  };
  const chosen = [
    { key: "skuid", ids: owners.users },
    { key: "skgid", ids: owners.groups },
  ]
    .filter(({ ids }) => ids.length > 0)
    .map(({ key, ids }): NftObject => {
      const isNew = match("==", { ct: { key: "state" } }, "new");
      const owner = match("==", { meta: { key } }, { set: ids.map(idOrRange) });
      return { rule: { chain: "mark", expr: [outgoing, isNew, owner, setBit({ ct: { key: "mark" } }, bit), mark] } };
    });
  const translated = sources.map(({ family, source }): NftObject => {
    const protocol = family === 4 ? "ip" : "ip6";
    const marked = match("!=", { "&": [{ meta: { key: "mark" } }, bit] }, 0);
    const own = { payload: { protocol, field: "saddr" } };
    const other = [match("!=", own, source), ...(family === 6 ? [match("!=", own, LINK_LOCAL)] : [])];
    return {
      rule: {
        chain: "source",
        expr: [
          match("==", { meta: { key: "oifname" } }, link),
          marked,
          ...other,
          { snat: { family: protocol, addr: source } },
        ],
      },
    };
  });
  return {
    family: "inet",
    name: nftTableName("egress", instance),
    owner: "heddle",
    objects: [
      { chain: { name: "mark", type: "route", hook: "output", prio: PRIORITY.mangle, policy: "accept" } },
      { chain: { name: "source", type: "nat", hook: "postrouting", prio: PRIORITY.srcnat, policy: "accept" } },
      ...(follows ? following(bit) : []),
      remembered,
      ...chosen,
      ...translated,
    ],
  };
}

/** Connections are remembered by the addresses that their far ends know. */
function following(bit: number): NftObject[] {
  return [
    {
      chain: {
        name: NFT_RESET_CHAINS.remembering,
        type: "filter",
        hook: "postrouting",
        prio: PRIORITY.translated,
        policy: "accept",
      },
    },
    ...rememberingAt(NFT_RESET_CHAINS.remembering, bit),
    ...restoring("mark", bit),
  ];
}

function match(op: string, left: NftValue, right: NftValue): NftValue {
  return { match: { op, left, right } };
}

function setBit(key: NftValue, bit: number): NftValue {
  return { mangle: { key, value: { "|": [key, bit] } } };
}

function idOrRange({ first, last }: MarkRange): NftValue {
  return first === last ? first : { range: [first, last] };
}
