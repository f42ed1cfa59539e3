// Owns what a packet is to rules and tables: what a person says of it, and the kernel's flow that comes of that.
import type { Family } from "../model/ip.ts";
import { familyOf } from "../model/ip.ts";
import { rangeOf } from "../model/prefix.ts";
import type { Range } from "../model/prefix.ts";

/** A packet as a person describes it. Links are said by their names. */
export interface Packet {
  to: string;
  /** Absent: the socket is bound to no address. */
  from?: string;
  /** The link that it came in by. Absent: this host sends it. */
  iif?: string;
  /** The link that its socket is bound to (SO_BINDTODEVICE). Only of packets that this host sends. */
  oif?: string;
  mark?: number;
  /** Who sends it. Absent: nobody that a rule asks for. Forwarded packets count as those of user 0, whatever this says. */
  uid?: number;
  /** The group that its socket belongs to: no rule of routing asks for it, nftables may. */
  gid?: number;
  /** The type of service, as a whole byte: 0–252, a multiple of 4. */
  tos?: number;
  ipProtocol?: number;
  sourcePort?: number;
  destinationPort?: number;
  /** Id of the tunnel that it came through. */
  tunnelId?: string;
}

/** A packet in the kernel's words (struct flowi4, struct flowi6). */
export interface Flow {
  family: Family;
  to: Range;
  /** Absent: none yet. */
  from?: Range;
  /** "lo" for what the host sends itself. */
  iif: string;
  oif?: string;
  mark: number;
  uid?: number;
  tos: number;
  ipProtocol: number;
  sourcePort: number;
  destinationPort: number;
  tunnelId: string;
  /** This host sends it, as opposed to what came in by a link. */
  local: boolean;
  /**
   * IPv6: `oif` is a wish and no condition, as it is to RTM_GETROUTE with a source address: nobody's bound socket asks
   * (ip6_route_output_flags, net/ipv6/route.c).
   */
  lenient?: true;
  /** The VRF in which it is routed. */
  vrf?: string;
  /** It is that of the link that its socket is bound to. */
  vrfOut?: true;
  /** Links without a carrier count as if they had one (FIB_LOOKUP_IGNORE_LINKSTATE). */
  anyCarrier?: true;
}

/** The flow of a packet that this host sends, or that came in by `iif`. */
export function flowOf(packet: Packet): Flow {
  const { to, from, iif, oif, uid } = packet;
  const sent = iif === undefined;
  return {
    family: familyOf(to),
    to: rangeOf(to),
    ...(from === undefined ? {} : { from: rangeOf(from) }),
    iif: iif ?? "lo",
    ...(oif === undefined || !sent ? {} : { oif }),
    mark: packet.mark ?? 0,
    // ip_route_input_slow takes the owner of the namespace (sock_net_uid), ip6_route_input leaves it 0.
    ...(sent ? (uid === undefined ? {} : { uid }) : { uid: 0 }),
    tos: packet.tos ?? 0,
    ipProtocol: packet.ipProtocol ?? 0,
    sourcePort: packet.sourcePort ?? 0,
    destinationPort: packet.destinationPort ?? 0,
    tunnelId: packet.tunnelId ?? "0",
    local: sent,
  };
}

/** A flow of which only addresses are known: one that no mark, user or port tells from others. */
export function ordinaryFlow(to: Range, from?: string): Flow {
  const base: Flow = {
    family: to.family,
    to,
    iif: "lo",
    mark: 0,
    tos: 0,
    ipProtocol: 0,
    sourcePort: 0,
    destinationPort: 0,
    tunnelId: "0",
    local: true,
  };
  return from === undefined ? base : { ...base, from: rangeOf(from) };
}
