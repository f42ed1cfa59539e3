// Owns what is told of a packet that a bridge between RDMA on Ethernet and InfiniBand takes, whatever the kernel's routing
// would make of it.
import type { PassingBridge } from "../model/passing.ts";
import { ROCE_PORT } from "../rdma/codec/udp.ts";
import type { Packet } from "./packet.ts";

/** IPPROTO_UDP. */
const UDP = 17;

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
    const found = packet.iif === link ? groups.find(({ group }) => group === packet.to) : undefined;
    if (!found) continue;
    const section = `bridge/${name}`;
    if (!found.toInfiniband) {
      return { section, said: `${section} leaves it: messages of this group pass from InfiniBand to Ethernet only.` };
    }
    return {
      section,
      mgid: found.mgid,
      said: `${section} passes it on to InfiniBand, to the group ${found.mgid}`,
    };
  }
  return undefined;
}
