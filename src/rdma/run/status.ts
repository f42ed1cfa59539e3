// Owns what a running bridge tells of itself, as plain data.
import { formatAddress } from "../../model/ip.ts";
import type { Tally } from "../bridge/drops.ts";
import type { ElectionState } from "../bridge/election.ts";
import type { BridgedGroup, GroupTrouble, Way } from "../bridge/group.ts";
import type { Listener } from "../bridge/listeners.ts";
import type { Senders } from "../bridge/senders.ts";
import type { Bridge } from "./bridge.ts";
import type { GroupPort, GroupPorts, MembersTold } from "./member-watch.ts";
import { messageStatus } from "./message-status.ts";
import type { MessageStatus } from "./message-status.ts";

/** Packets of one direction: how many were passed on, with their payload, and how many were dropped for what reason. */
export type TallyStatus = ReturnType<Tally["toJSON"]>;

/** One who sends to a group. */
export interface SenderStatus {
  /** IP address or GID. */
  address: string;
  packets: number;
}

/** One who listens to a group on Ethernet, as it has said. */
export interface ListenerStatus {
  /** IP address; the hardware address where it has none yet. */
  address: string;
  /** "IGMPv3", "MLDv1", … */
  protocol: string;
  /** Seconds since it said so. */
  heardSeconds: number;
  /** The only sources that it listens to; absent where it listens to all. */
  sources?: string[];
  /** Another bridge of these fabrics. */
  bridge?: true;
}

/** The ports in a group on InfiniBand, as the administrator has told. */
export interface GroupPortsStatus {
  /** The first of them; `address` is the IP address, of hosts that messages have been passed to. */
  ports: (GroupPort & { address?: string })[];
  /** How many there are; with `more` at least so many. */
  count: number;
  /** How many of all of them listen, without the bridge. */
  listening: number;
  more: boolean;
  /** Seconds since it told. */
  toldSeconds: number;
}

export interface GroupStatus {
  group: string;
  mgid: string;
  way: Way;
  /** On InfiniBand; 0 while it cannot be had. */
  mlid: number;
  /** Bytes of payload that it carries on InfiniBand; absent while it cannot be had. */
  mtu?: number;
  /** Gigabits per second at which members may send there; absent while it cannot be had. */
  rate?: number;
  /** Why it cannot be had. */
  trouble?: GroupTrouble;
  /** What it has otherwise than the file says, though it can be had; absent where nothing. */
  differs?: GroupTrouble["differs"];
  /** This bridge passes its packets on, when it is active. */
  mine: boolean;
  toInfiniband: TallyStatus;
  toEthernet: TallyStatus;
  senders: { ethernet: SenderStatus[]; infiniband: SenderStatus[] };
  listeners: {
    ethernet: ListenerStatus[];
    /** Absent while the administrator does not tell: see `infiniband.members` of the bridge. */
    infiniband?: GroupPortsStatus;
  };
}

export interface BridgeStatus {
  name: string;
  state: ElectionState;
  /** How long it runs. */
  upSeconds: number;
  ethernet: {
    link: string;
    up: boolean;
    /** Bytes of an IP packet; 0 while there is no link. */
    mtu: number;
    /** Seconds since somebody asked for members of groups (IGMP); absent where nobody has. */
    querierSeconds?: number;
    /** The same by MLD, for IPv6 groups. */
    mldQuerierSeconds?: number;
    /** Hosts that were heard and not taken in, because there were too many; those that come again are counted again. */
    untoldListeners: number;
    /** Frames for which the socket had no room, and those that were too long to be RDMA's. */
    overrun: number;
    truncated: number;
  };
  infiniband: {
    gid: string;
    lid: number;
    /** LID of the subnet manager; 0 while there is none. */
    smLid: number;
    /** Seconds since it answered; absent where it never has. The LID stays that of a manager that has gone. */
    managerSeconds?: number;
    /** Gigabits per second that the port can carry; absent where it does not tell. */
    rate?: number;
    /** Whether the administrator tells who is in the groups, and why not. */
    members: MembersTold;
    membersWhy?: string;
    /** What the adapter dropped, by its reasons. */
    drops: Record<string, number>;
  };
  /** Other bridges of these fabrics that are heard. */
  peers: { id: string; active: boolean; sameGroups: boolean }[];
  toInfiniband: TallyStatus;
  toEthernet: TallyStatus;
  groups: GroupStatus[];
  /** Absent where no messages are passed between hosts. */
  messages?: MessageStatus;
}

/** How a bridge is. */
export function statusOf(bridge: Bridge): BridgeStatus {
  bridge.forwarder.flows.fold(performance.now());
  const { name, election, forwarder, infiniband, link, counts, listeners, members, portRate, managerMs } = bridge;
  const { 4: igmpMs, 6: mldMs } = listeners.queriedMs;
  const names = namesOf(bridge);
  const own = { mac: forwarder.ethernet.mac, lid: infiniband.lid, nowMs: performance.now() };
  return {
    name,
    state: election.state,
    upSeconds: secondsSince(bridge.startedMs),
    ethernet: {
      link: bridge.linkName,
      up: link?.up ?? false,
      mtu: link?.mtu ?? 0,
      ...(igmpMs === undefined ? {} : { querierSeconds: secondsSince(igmpMs) }),
      ...(mldMs === undefined ? {} : { mldQuerierSeconds: secondsSince(mldMs) }),
      untoldListeners: listeners.refused,
      overrun: bridge.overrun,
      ...counts.ethernet,
    },
    infiniband: {
      gid: formatAddress(infiniband.gid),
      lid: infiniband.lid,
      smLid: bridge.smLid,
      ...(managerMs === undefined ? {} : { managerSeconds: secondsSince(managerMs) }),
      ...(portRate === undefined ? {} : { rate: portRate }),
      members: members.told,
      ...(members.why === "" || members.told === "told" ? {} : { membersWhy: members.why }),
      drops: occurring(infiniband.drops),
    },
    peers: election.peers.map(({ id, ...rest }) => ({ id: id.toString(16).padStart(16, "0"), ...rest })),
    toInfiniband: forwarder.toInfiniband.toJSON(),
    toEthernet: forwarder.toEthernet.toJSON(),
    groups: bridge.groups.map((group) => groupStatus(bridge, group, names)),
    ...(bridge.messenger === undefined ? {} : { messages: messageStatus(bridge.messenger, own) }),
  };
}

function groupStatus(
  { election, listeners, members }: Bridge,
  group: BridgedGroup,
  names: ReadonlyMap<string, string>,
): GroupStatus {
  const ports = members.of(group);
  const { mtu, rate } = group.infiniband ?? {};
  return {
    group: group.name,
    mgid: formatAddress(group.mgid),
    way: group.way,
    mlid: group.infiniband?.mlid ?? 0,
    ...(mtu === undefined ? {} : { mtu }),
    ...(rate === undefined ? {} : { rate }),
    ...(group.trouble === undefined ? {} : { trouble: group.trouble }),
    ...(group.differs.length === 0 ? {} : { differs: group.differs }),
    mine: election.has(group.index),
    toInfiniband: group.toInfiniband.toJSON(),
    toEthernet: group.toEthernet.toJSON(),
    senders: { ethernet: sendersOf(group.senders.ethernet), infiniband: sendersOf(group.senders.infiniband) },
    listeners: {
      ethernet: listeners.of(group, performance.now()).map(listenerStatus),
      ...(ports === undefined ? {} : { infiniband: portsStatus(ports, names) }),
    },
  };
}

/** How many listen to a group on either side, bridges left out; on InfiniBand as far as it is told. */
export function countListeners({ ethernet, infiniband }: GroupStatus["listeners"]): Listening {
  return {
    ethernet: ethernet.filter(({ bridge }) => bridge === undefined).length,
    ...(infiniband === undefined ? {} : { infiniband: infiniband.listening }),
  };
}

interface Listening {
  ethernet: number;
  infiniband?: number;
}

function listenerStatus({ address, protocol, heardMs, sources, bridge }: Listener): ListenerStatus {
  return {
    address,
    protocol,
    heardSeconds: secondsSince(heardMs),
    ...(sources === undefined ? {} : { sources: [...sources] }),
    ...(bridge ? { bridge: true as const } : {}),
  };
}

function portsStatus({ ports, askedMs, ...counts }: GroupPorts, names: ReadonlyMap<string, string>): GroupPortsStatus {
  const told = ports.map((port) => {
    const address = names.get(port.gid);
    return address === undefined ? port : { ...port, address };
  });
  return { ports: told, ...counts, toldSeconds: secondsSince(askedMs) };
}

/** The IP addresses of hosts on InfiniBand, by their GIDs. */
function namesOf({ messenger }: Bridge): ReadonlyMap<string, string> {
  const found = [...(messenger?.hosts ?? [])].filter(({ side, state }) => side === "infiniband" && state === "found");
  return new Map(found.map(({ gid, name }) => [formatAddress(gid), name]));
}

function sendersOf({ all }: Senders): SenderStatus[] {
  return all.map(({ address, packets }) => ({ address: formatAddress(address), packets }));
}

function occurring(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

function secondsSince(ms: number): number {
  return Math.round((performance.now() - ms) / 1000);
}
