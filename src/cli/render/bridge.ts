// Owns how a running bridge looks to people.
import { DROP_REASONS } from "../../rdma/bridge/drops.ts";
import type { DropReason } from "../../rdma/bridge/drops.ts";
import { countListeners } from "../../rdma/run/status.ts";
import type { BridgeStatus, GroupStatus, SenderStatus, TallyStatus } from "../../rdma/run/status.ts";
import type { RegistrationState, RegistrationStatus } from "../../rdma/run/registrations.ts";
import type { Paint } from "./style.ts";

/** Groups that are shown without being asked for. */
const MOST_GROUPS = 20;

const STATES = {
  active: "active",
  listening: "listens for other bridges",
  waiting: "waits for a fabric",
  crowded: "keeps still: there are too many bridges",
} as const;

/** Whether the subnet administrator tells who is in the groups. */
const MEMBERS = {
  "no-key": "members are not told by the subnet administrator without its key (sm_key_file)",
  asking: "members are not told yet",
  told: "members are told",
  unanswered: "members are not told: the subnet administrator does not answer to the key in sm_key_file",
  refused: "members are not told",
} as const;
const UNREGISTERED: Readonly<Record<RegistrationState, string>> = {
  wanted: "is not registered yet",
  registered: "",
  refused: "is refused",
  "not-found": "is not found",
  elsewhere: "is on InfiniBand itself",
  standby: "is left to another bridge",
};

const WAYS = { both: "<->", "to-infiniband": "-->", "to-ethernet": "<--" } as const;

/** The text for one bridge. With `before`, packets since then are shown beside those of all time. */
export function renderBridge(
  status: BridgeStatus,
  before: BridgeStatus | undefined,
  { group, all }: { group?: string; all?: true },
  paint: Paint,
): string {
  const { name, state, ethernet, infiniband, peers, groups } = status;
  const { overrun, truncated, querierSeconds, mldQuerierSeconds } = ethernet;
  const lines = [
    `${paint("bold", `bridge/${name}`)}  ${paint(state === "active" ? "green" : "yellow", STATES[state])}`,
    `  ethernet    ${ethernet.link}, ${ethernet.up ? "up" : paint("red", "down")}${trouble({ overrun, truncated })}`,
    `  infiniband  ${infiniband.gid}, ${infiniband.lid === 0 ? paint("red", "no LID") : `LID ${infiniband.lid}`}${trouble(infiniband.drops)}`,
    ...peers.map(({ id, active, sameGroups }) => {
      const other = sameGroups ? "" : paint("yellow", ", with other groups than here");
      return `  peer        ${id}, ${active ? "active" : "not active"}${other}`;
    }),
    tallyLine("to infiniband", status.toInfiniband, before?.toInfiniband),
    tallyLine("to ethernet  ", status.toEthernet, before?.toEthernet),
  ];
  if (status.messages !== undefined) {
    const { hosts, sessions, registered } = status.messages;
    const found = hosts.filter((host) => host.state === "found").length;
    const doubled = hosts.filter((host) => host.state === "doubled");
    lines.push(`  hosts       ${found}, sessions ${sessions.length}`);
    lines.push(...registeredLines(registered, paint));
    for (const { address } of doubled) lines.push(paint("red", `    two hosts have the address ${address}`));
  }
  const joined = groups.filter(({ mlid }) => mlid !== 0).length;
  const mine = groups.filter((one) => one.mine).length;
  lines.push(`  groups      ${groups.length}, joined ${joined}, of this bridge ${mine}`);
  if (groups.length > 0) {
    lines.push(`  listeners   on ethernet as they say, ${askedText(querierSeconds, mldQuerierSeconds)}`);
    lines.push(`              on infiniband ${membersText(infiniband)}`);
  }
  const shown = group === undefined ? chosen(groups, all === true) : groups.filter((one) => one.group === group);
  for (const one of shown) lines.push(...groupLines(one, before?.groups, group !== undefined));
  const rest = groups.length - shown.length;
  if (rest > 0 && group === undefined) lines.push(`    and ${rest} more: --all`);
  return `${lines.join("\n")}\n`;
}

/** How many of the stated hosts the subnet administrator tells of, and why not of the others. */
function registeredLines(registered: readonly RegistrationStatus[], paint: Paint): string[] {
  if (registered.length === 0) return [];
  const others = registered.filter(({ state }) => state !== "registered");
  return [
    `  registered  ${registered.length - others.length} of ${registered.length}`,
    ...others.map(({ address, state, why }) => paint("yellow", `    ${address} ${why ?? UNREGISTERED[state]}`)),
  ];
}

/** Those with the most packets. */
function chosen(groups: readonly GroupStatus[], all: boolean): readonly GroupStatus[] {
  const packets = (one: GroupStatus): number => one.toInfiniband.packets + one.toEthernet.packets;
  return all ? groups : groups.toSorted((a, b) => packets(b) - packets(a)).slice(0, MOST_GROUPS);
}

function groupLines(one: GroupStatus, before: readonly GroupStatus[] | undefined, full: boolean): string[] {
  const then = before?.find(({ group }) => group === one.group);
  const place = one.mlid === 0 ? "cannot be had" : `0x${one.mlid.toString(16)}`;
  const counts = countListeners(one.listeners);
  const listening = `listeners ${counts.ethernet} on ethernet${counts.infiniband === undefined ? "" : `, ${counts.infiniband} on infiniband`}`;
  const lines = [
    `    ${one.group} ${WAYS[one.way]} ${one.mgid} (${place})${one.mine ? "" : ", another bridge's"}, ${listening}`,
  ];
  if (full || one.toInfiniband.packets > 0)
    lines.push(`    ${tallyLine("--> ", one.toInfiniband, then?.toInfiniband)}`);
  if (full || one.toEthernet.packets > 0) lines.push(`    ${tallyLine("<-- ", one.toEthernet, then?.toEthernet)}`);
  if (full) {
    lines.push(
      ...senderLines("on ethernet", one.senders.ethernet),
      ...senderLines("on infiniband", one.senders.infiniband),
      ...listenerLines(one.listeners),
    );
    for (const drops of [one.toInfiniband.drops, one.toEthernet.drops]) {
      for (const reason of Object.keys(drops)) lines.push(`      ${reason}: ${DROP_REASONS[reason as DropReason]}`);
    }
  }
  return lines;
}

/** Hosts on Ethernet, and ports on InfiniBand; those that only send among them, and bridges, which are said to be such. */
function listenerLines({ ethernet, infiniband }: GroupStatus["listeners"]): string[] {
  const hosts = ethernet.map(({ address, protocol, heardSeconds, sources, bridge }) => {
    const only = sources === undefined ? "" : `, only to ${sources.join(" ")}`;
    return `      listener on ethernet ${address}, ${protocol}${only}, ${heardSeconds} s ago${bridge === true ? ", a bridge" : ""}`;
  });
  if (infiniband === undefined) return hosts;
  const ports = infiniband.ports.map(({ gid, states, self, address }) => {
    const known = address === undefined ? "" : ` (${address})`;
    return `      member on infiniband ${gid}${known}, ${states.join(" ")}${self === true ? ", this bridge" : ""}`;
  });
  const rest = infiniband.count - infiniband.ports.length;
  if (rest > 0 || infiniband.more)
    ports.push(`      and ${infiniband.more ? "at least " : ""}${rest} more members on infiniband`);
  return [...hosts, ...ports];
}

/** Hosts say again what they listen to when somebody asks; where nobody does, those that have said it are forgotten. */
function askedText(igmp: number | undefined, mld: number | undefined): string {
  if (igmp === undefined && mld === undefined) return "and nobody has asked them";
  const asked = [igmp === undefined ? "" : `IGMP ${igmp} s ago`, mld === undefined ? "" : `MLD ${mld} s ago`];
  return `asked by ${asked.filter((text) => text !== "").join(", ")}`;
}

function membersText({ members, membersWhy }: BridgeStatus["infiniband"]): string {
  return membersWhy === undefined || members === "unanswered"
    ? MEMBERS[members]
    : `members are not told: ${membersWhy}`;
}

function senderLines(where: string, senders: readonly SenderStatus[]): string[] {
  return senders.map(({ address, packets }) => `      sender ${where} ${address}, packets ${packets}`);
}

function tallyLine(what: string, now: TallyStatus, then: TallyStatus | undefined): string {
  const since = then === undefined ? "" : ` (+${now.packets - then.packets})`;
  return `  ${what} packets ${now.packets}${since}, bytes ${now.bytes}${trouble(now.drops, "dropped")}`;
}

/** Counts that are not 0: `, dropped bridged 5, own 2`. */
function trouble(counts: object, what = ""): string {
  const some = Object.entries(counts).filter(([, count]) => typeof count === "number" && count > 0);
  if (some.length === 0) return "";
  return `, ${what}${what === "" ? "" : " "}${some.map(([reason, count]) => `${reason} ${String(count)}`).join(", ")}`;
}
