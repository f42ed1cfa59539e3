// Owns what a running bridge tells of itself, as plain data.
import { formatAddress } from "../../model/ip.ts";
import type { Tally } from "../bridge/drops.ts";
import type { ElectionState } from "../bridge/election.ts";
import type { BridgedGroup, GroupTrouble, Way } from "../bridge/group.ts";
import type { Senders } from "../bridge/senders.ts";
import type { Bridge } from "./bridge.ts";
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

export interface GroupStatus {
  group: string;
  mgid: string;
  way: Way;
  /** On InfiniBand; 0 while it cannot be had. */
  mlid: number;
  /** Bytes of payload that it carries on InfiniBand; absent while it cannot be had. */
  mtu?: number;
  /** Why it cannot be had. */
  trouble?: GroupTrouble;
  /** This bridge passes its packets on, when it is active. */
  mine: boolean;
  toInfiniband: TallyStatus;
  toEthernet: TallyStatus;
  senders: { ethernet: SenderStatus[]; infiniband: SenderStatus[] };
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
    /** Frames for which the socket had no room, and those that were too long to be RDMA's. */
    overrun: number;
    truncated: number;
  };
  infiniband: {
    gid: string;
    lid: number;
    /** LID of the subnet manager; 0 while there is none. */
    smLid: number;
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
  const { name, election, forwarder, infiniband, link, counts } = bridge;
  const own = { mac: forwarder.ethernet.mac, lid: infiniband.lid, nowMs: performance.now() };
  return {
    name,
    state: election.state,
    upSeconds: secondsSince(bridge.startedMs),
    ethernet: {
      link: bridge.linkName,
      up: link?.up ?? false,
      mtu: link?.mtu ?? 0,
      ...(bridge.querierMs === undefined ? {} : { querierSeconds: secondsSince(bridge.querierMs) }),
      overrun: bridge.overrun,
      ...counts.ethernet,
    },
    infiniband: {
      gid: formatAddress(infiniband.gid),
      lid: infiniband.lid,
      smLid: bridge.smLid,
      drops: occurring(infiniband.drops),
    },
    peers: election.peers.map(({ id, ...rest }) => ({ id: id.toString(16).padStart(16, "0"), ...rest })),
    toInfiniband: forwarder.toInfiniband.toJSON(),
    toEthernet: forwarder.toEthernet.toJSON(),
    groups: bridge.groups.map((group) => groupStatus(group, election.has(group.index))),
    ...(bridge.messenger === undefined ? {} : { messages: messageStatus(bridge.messenger, own) }),
  };
}

function groupStatus(group: BridgedGroup, mine: boolean): GroupStatus {
  return {
    group: group.name,
    mgid: formatAddress(group.mgid),
    way: group.way,
    mlid: group.infiniband?.mlid ?? 0,
    ...(group.infiniband === undefined ? {} : { mtu: group.infiniband.mtu }),
    ...(group.trouble === undefined ? {} : { trouble: group.trouble }),
    mine,
    toInfiniband: group.toInfiniband.toJSON(),
    toEthernet: group.toEthernet.toJSON(),
    senders: { ethernet: sendersOf(group.senders.ethernet), infiniband: sendersOf(group.senders.infiniband) },
  };
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
