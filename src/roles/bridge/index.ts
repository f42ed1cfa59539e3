// Owns the role `bridge`: messages to groups and to hosts pass between RDMA on Ethernet and InfiniBand.
//
// A process of its own does that (`heddle bridge run`). What the kernel is asked for is to leave those packets alone: the
// process hears them before any rule, and afterwards nobody on this host forwards or answers them.
import type { Diagnostic, Outcome, SourceRange } from "../../model/diagnostic.ts";
import { formatAddress } from "../../model/ip.ts";
import { nearest } from "../../model/nearest.ts";
import { nftTableName } from "../../model/nft.ts";
import type { NftObject, NftTableSpec } from "../../model/nft.ts";
import type { Wanted } from "../../model/objects.ts";
import type { Role, Section, View } from "../role.ts";
import { listGroups } from "./groups.ts";
import type { LineFault, ListedGroup } from "./groups.ts";
import { ROCE_PORT } from "../../rdma/codec/udp.ts";
import { messageFaults } from "./messages.ts";
import { match } from "./nft-words.ts";
import { bridgeSchema, MOST_GROUPS } from "./schema.ts";
import type { BridgeSection } from "./schema.ts";
import { claimRules, segmentFaults, segmentsOf, wantSegments } from "./segments.ts";

/** Before connections are tracked, and before anything is forwarded (NF_IP_PRI_RAW). */
const RAW = -300;

export const bridge: Role<BridgeSection> = {
  name: "bridge",
  about: "Messages to multicast groups and between hosts pass between RDMA on Ethernet and InfiniBand.",
  schema: bridgeSchema,

  // What hosts there are is found out again and again.
  needsAgent: ({ value }) => value.arp === true || value.nd === true,

  segments: segmentsOf,

  claims(section) {
    return [{ exclusive: `the groups on ${section.value.ethernet.link}`, from: section.at("ethernet", "link") }];
  },

  desire(section, view): Outcome<Wanted[]> {
    const diagnostics: Diagnostic[] = [];
    const { groups, faults } = listGroups(section.value);
    for (const { line, fault } of faults) diagnostics.push(lineFault(section, line, fault));
    diagnostics.push(...doubles(section, groups));
    if (groups.length > MOST_GROUPS) diagnostics.push(tooMany(section, groups.length));
    diagnostics.push(...messageFaults(section), ...segmentFaults(section));
    if (diagnostics.length > 0) return { diagnostics };
    const link = findLink(section, view, diagnostics);
    const heard = groups.filter(({ from }) => from.way !== "to-ethernet").map(({ address }) => address);
    const messages = section.value.messages !== undefined;
    const wanted = wantSegments(section, view, diagnostics);
    const claims = claimRules(section, view);
    if (heard.length === 0 && !messages && claims.length === 0) return { value: wanted, diagnostics };
    return {
      value: [
        ...wanted,
        {
          kind: "nftTable",
          spec: keepOff(section.name, link, heard, messages, claims),
          from: section.at("ethernet", "link"),
        },
      ],
      diagnostics,
    };
  },
};

/**
 * The table that ends packets to the groups on this host, and with messages all of RoCE's, and claims of addresses. Packet
 * sockets have heard them by then.
 */
function keepOff(
  instance: string,
  link: string,
  groups: readonly Uint8Array[],
  messages: boolean,
  claims: readonly NftObject[],
): NftTableSpec {
  const of = (length: 4 | 16): string[] => groups.filter((group) => group.length === length).map(formatAddress);
  const sets = [
    { name: "groups4", protocol: "ip", type: "ipv4_addr", elem: of(4) },
    { name: "groups6", protocol: "ip6", type: "ipv6_addr", elem: of(16) },
  ].filter(({ elem }) => elem.length > 0 && !messages);
  const all: NftObject[] = [
    {
      rule: {
        chain: "keep-off",
        expr: [
          match({ meta: { key: "iifname" } }, link),
          match({ payload: { protocol: "udp", field: "dport" } }, ROCE_PORT),
          { drop: null },
        ],
      },
    },
  ];
  return {
    family: "inet",
    name: nftTableName("bridge", instance),
    owner: "heddle",
    objects: [
      { chain: { name: "keep-off", type: "filter", hook: "prerouting", prio: RAW, policy: "accept" } },
      ...sets.map(({ name, type, elem }): NftObject => ({ set: { name, type, elem } })),
      ...claims.filter((object) => "set" in object),
      ...sets.map(({ name, protocol }): NftObject => ({
        rule: {
          chain: "keep-off",
          expr: [
            match({ meta: { key: "iifname" } }, link),
            match({ payload: { protocol, field: "daddr" } }, `@${name}`),
            match({ payload: { protocol: "udp", field: "dport" } }, ROCE_PORT),
            { drop: null },
          ],
        },
      })),
      ...(messages ? all : []),
      ...claims.filter((object) => !("set" in object)),
    ],
  };
}

/** The name of the link as the kernel has it. */
function findLink(section: Section<BridgeSection>, view: View, diagnostics: Diagnostic[]): string {
  const { link: name } = section.value.ethernet;
  const found = view.links.find((link) => link.name === name || link.altNames?.includes(name));
  const range = section.at("ethernet", "link");
  if (!found) {
    const guess = nearest(
      name,
      view.links.map((link) => link.name),
    );
    diagnostics.push({
      code: "waiting-link",
      severity: "warning",
      summary: `this host has no link ${name}`,
      ...(guess === undefined ? {} : { detail: `Did you mean "${guess}"?` }),
      remedy: "Correct the name; the bridge takes the link as soon as it is there.",
      range,
    });
    return name;
  }
  if (found.type !== "ether") diagnostics.push(noEthernet(found.name, found.type, range));
  const { groups } = listGroups(section.value);
  for (const family of [4, 6] as const) {
    const needed =
      (family === 4 && section.value.messages !== undefined) ||
      groups.some(({ address, from }) => from.way !== "to-infiniband" && address.length === (family === 4 ? 4 : 16));
    if (!needed || found.addresses.some((address) => address.family === family)) continue;
    diagnostics.push({
      code: "waiting-address",
      severity: "warning",
      summary: `${found.name} has no IPv${family} address`,
      detail: `Until it has one, no message is passed on to ${messagesOnly(section) ? "hosts" : `the IPv${family} groups`} on it.`,
      remedy: "Give it an address.",
      range,
    });
  }
  return found.name;
}

function noEthernet(name: string, type: string, range: SourceRange): Diagnostic {
  return {
    code: "bridge-link",
    severity: "error",
    summary: `${name} is no Ethernet`,
    detail: `It is of type ${type}. RoCE is spoken on Ethernet; the port on InfiniBand is under \`infiniband\`.`,
    remedy: "Name a link on Ethernet.",
    range,
  };
}

function messagesOnly({ value }: Section<BridgeSection>): boolean {
  return value.multicast === undefined;
}

const FAULTS: Readonly<Record<LineFault, { key: string; summary: string; remedy: string }>> = {
  "no-multicast": {
    key: "group",
    summary: "it is no address of a multicast group, or does not begin so many",
    remedy: "Groups are 224.0.0.0 to 239.255.255.255, and ff00::/8.",
  },
  "port-missing": { key: "mgid", summary: "an MGID with a port needs one", remedy: "State `port`." },
  "port-ipv6": {
    key: "mgid",
    summary: "MGIDs with a port have room for IPv4 only",
    remedy: "Write the MGID itself, or take another sort.",
  },
  "port-unused": { key: "port", summary: "only MGIDs of the sort `port` have one", remedy: "Take `port` away." },
  "mgid-count": {
    key: "mgid",
    summary: "one MGID cannot stand for several groups",
    remedy: "Write a line for each group, or a sort of MGIDs.",
  },
  "mgid-prefix": {
    key: "mgid",
    summary: "an MGID begins with ff",
    remedy: "Write it as an IPv6 group, such as ff12:4001:ffff::1.",
  },
};

function lineFault(section: Section<BridgeSection>, line: number, fault: LineFault): Diagnostic {
  const { key, summary, remedy } = FAULTS[fault];
  return { code: "bridge-group", severity: "error", summary, remedy, range: section.at("multicast", line, key) };
}

/** Two groups with one address, or with one MGID: a packet could not tell which it is for. Each line is told of once. */
function* doubles(section: Section<BridgeSection>, groups: readonly ListedGroup[]): Generator<Diagnostic> {
  const seen = { address: new Map<string, ListedGroup>(), mgid: new Map<string, ListedGroup>() };
  const said = new Set<number>();
  for (const group of groups) {
    for (const what of ["address", "mgid"] as const) {
      const text = formatAddress(group[what]);
      const before = seen[what].get(text);
      seen[what].set(text, group);
      if (before === undefined || said.has(group.line)) continue;
      said.add(group.line);
      yield doubled(section, what, text, before, group);
    }
  }
}

function doubled(
  section: Section<BridgeSection>,
  what: "address" | "mgid",
  text: string,
  before: ListedGroup,
  { name, line }: ListedGroup,
): Diagnostic {
  const said =
    what === "address"
      ? { summary: `${name} stands here twice`, remedy: "Take one of them away." }
      : {
          summary: `${before.name} and ${name} have one MGID, ${text}`,
          remedy: "MGIDs of `rdma-cm` and `ipoib` keep 80 bits of an IPv6 address; write another for one of them.",
        };
  const other = section.at("multicast", before.line);
  return {
    code: "bridge-group",
    severity: "error",
    ...said,
    detail: `The other is in line ${other.start.line}.`,
    range: section.at("multicast", line, "group"),
  };
}

function tooMany(section: Section<BridgeSection>, count: number): Diagnostic {
  return {
    code: "bridge-group",
    severity: "error",
    summary: `${count} groups are more than one bridge takes`,
    remedy: `Bridge at most ${MOST_GROUPS} in one section.`,
    range: section.at("multicast"),
  };
}
