// Owns what a multicast message's headers become on the other fabric: what group and record say.
import { u8 } from "../codec/bytes.ts";
import type { PacketParts } from "../codec/packet-parts.ts";
import type { BridgedGroup, InfinibandGroup } from "./group.ts";
import {
  classOfIp,
  EthernetTarget,
  InfinibandTarget,
  rewriteToEthernet,
  rewriteToInfiniband,
  trafficClassOf,
} from "./rewrite.ts";

/** Every queue pair of a group: the destination of multicast packets (IBA vol 1, 10.5.1). */
export const MULTICAST_QP = 0xffffff;

/** Who the bridge is on Ethernet. Without an address of a family no packet of that family is sent. */
export interface EthernetSelf {
  mac: Uint8Array;
  /** 4 bytes. */
  ipv4?: Uint8Array;
  /** 16 bytes. */
  ipv6?: Uint8Array;
  /** Bytes of an IP packet, the link's MTU. */
  mtu: number;
}

/** Who the bridge is on InfiniBand. */
export interface InfinibandSelf {
  /** 0 while no subnet manager has given one. */
  lid: number;
  gid: Uint8Array;
  /** The queue pair that messages seem to come from. */
  qpn: number;
}

/** Counts up for each packet that the bridge sends: the sequence numbers of its queue pair on each side. */
export class Sequence {
  /** The next one; whoever passes packets on without this room counts here as well. */
  readonly next = new Uint32Array(1);

  take(): number {
    const psn = this.next[0] as number;
    this.next[0] = (psn + 1) & 0xffffff;
    return psn;
  }
}

const onInfiniband = new InfinibandTarget();
const onEthernet = new EthernetTarget();
onInfiniband.destQp = onEthernet.destQp = MULTICAST_QP;

/** See rewriteToInfiniband. */
export function toInfiniband(
  bytes: Uint8Array,
  parts: PacketParts,
  group: BridgedGroup,
  far: InfinibandGroup,
  self: InfinibandSelf,
  sequence: Sequence,
): number {
  const target = onInfiniband;
  target.dlid = far.mlid;
  target.slid = self.lid;
  target.sl = serviceLevelOf(group, classOfIp(parts, bytes)) ?? far.sl;
  target.hopLimit = far.hopLimit;
  target.sgid = self.gid;
  target.dgid = group.mgid;
  target.pKey = far.pKey;
  target.qKey = far.qKey;
  target.srcQp = self.qpn;
  target.psn = sequence.take();
  return rewriteToInfiniband(bytes, parts, target);
}

/** See rewriteToEthernet; the packet has a GRH, and `self` an address of the group's family. */
export function toEthernet(
  bytes: Uint8Array,
  parts: PacketParts,
  group: BridgedGroup,
  self: EthernetSelf,
  qpn: number,
  sequence: Sequence,
): number {
  const { address, mac, hopLimit, pKey, qKey } = group.ethernet;
  const target = onEthernet;
  target.sourceMac = self.mac;
  target.mac = mac;
  target.source = (address.length === 4 ? self.ipv4 : self.ipv6) as Uint8Array;
  target.destination = address;
  target.hopLimit = hopLimit;
  target.tos = trafficClassOf(bytes, parts.grh) || tosOf(group, u8(bytes, parts.lrh + 1) >> 4);
  target.pKey = pKey;
  target.qKey = qKey;
  target.srcQp = qpn;
  target.psn = sequence.take();
  return rewriteToEthernet(bytes, parts, target);
}

function serviceLevelOf({ classes }: BridgedGroup, trafficClass: number): number | undefined {
  for (const { dscp, sl } of classes) if (dscp === trafficClass >> 2) return sl;
  return undefined;
}

function tosOf({ classes }: BridgedGroup, sl: number): number {
  for (const one of classes) if (one.sl === sl) return one.dscp << 2;
  return 0;
}
