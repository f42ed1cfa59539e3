// Owns what is told of a packet that a bridge between RDMA on Ethernet and InfiniBand takes, whatever the kernel's routing
// would make of it.
import { ROCE_PORT } from "../rdma/codec/udp.ts";
import type { Packet } from "./packet.ts";

/** IPPROTO_UDP. */
const UDP = 17;

/** A section of `bridge`, as far as a packet to a group depends on it. */
export interface PassingBridge {
  /** "fabrics". */
  name: string;
  /** The link on Ethernet. */
  link: string;
  /** By the IP address of the group. */
  groups: ReadonlyMap<string, { mgid: string; toInfiniband: boolean }>;
}

/** What a bridge of this host makes of a packet. */
export interface Bridging {
  /** "bridge/fabrics". */
  section: string;
  /** The group that it gets on InfiniBand; absent where it is not passed on. */
  mgid?: string;
  /** As an answer, where it is passed on; otherwise a full sentence. */
  said: string;
}

/** The bridge of this host that takes the packet; undefined where none does, or where it is no message of RoCEv2. */
export function crossBridge(bridges: readonly PassingBridge[], packet: Packet): Bridging | undefined {
  if (packet.iif === undefined || packet.ipProtocol !== UDP || packet.destinationPort !== ROCE_PORT) return undefined;
  for (const { name, link, groups } of bridges) {
    const group = packet.iif === link ? groups.get(packet.to) : undefined;
    if (!group) continue;
    const section = `bridge/${name}`;
    if (!group.toInfiniband) {
      return { section, said: `${section} leaves it: messages of this group pass from InfiniBand to Ethernet only.` };
    }
    return {
      section,
      mgid: group.mgid,
      said: `${section} passes it on to InfiniBand, to the group ${group.mgid}`,
    };
  }
  return undefined;
}
