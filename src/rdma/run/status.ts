// Owns what a running bridge tells of itself, as plain data.
import { formatAddress } from "../../model/ip.ts";
import type { Tally } from "../bridge/drops.ts";
import type { ElectionState } from "../bridge/election.ts";
import type { BridgedGroup, Way } from "../bridge/group.ts";
import type { Senders } from "../bridge/senders.ts";
import type { Bridge } from "./bridge.ts";

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
  /** This bridge passes its packets on, when it is active. */
  mine: boolean;
  toInfiniband: TallyStatus;
  toEthernet: TallyStatus;
  senders: { ethernet: SenderStatus[]; infiniband: SenderStatus[] };
}

export interface BridgeStatus {
  name: string;
  state: ElectionState;
  ethernet: {
    link: string;
    up: boolean;
    /** Frames for which the socket had no room, and those that were too long to be RDMA's. */
    overrun: number;
    truncated: number;
  };
  infiniband: {
    gid: string;
    lid: number;
    /** What the adapter dropped, by its reasons. */
    drops: Record<string, number>;
  };
  /** Other bridges of these fabrics that are heard. */
  peers: { id: string; active: boolean; sameGroups: boolean }[];
  toInfiniband: TallyStatus;
  toEthernet: TallyStatus;
  groups: GroupStatus[];
}

/** How a bridge is. */
export function statusOf(bridge: Bridge): BridgeStatus {
  const { name, election, forwarder, infiniband, link, counts } = bridge;
  return {
    name,
    state: election.state,
    ethernet: { link: bridge.linkName, up: link?.up ?? false, overrun: bridge.overrun, ...counts.ethernet },
    infiniband: { gid: formatAddress(infiniband.gid), lid: infiniband.lid, drops: occurring(infiniband.drops) },
    peers: election.peers.map(({ id, ...rest }) => ({ id: id.toString(16).padStart(16, "0"), ...rest })),
    toInfiniband: forwarder.toInfiniband.toJSON(),
    toEthernet: forwarder.toEthernet.toJSON(),
    groups: bridge.groups.map((group) => groupStatus(group, election.has(group.index))),
  };
}

function groupStatus(group: BridgedGroup, mine: boolean): GroupStatus {
  return {
    group: group.name,
    mgid: formatAddress(group.mgid),
    way: group.way,
    mlid: group.infiniband?.mlid ?? 0,
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
