// Owns one host's place in one group, on either fabric: it sends numbered messages, or hears what others send.
import { formatAddress } from "../../model/ip.ts";
import { GRH_SGID } from "../codec/grh.ts";
import { IPV4_SOURCE } from "../codec/ipv4.ts";
import type { PacketParts } from "../codec/packet-parts.ts";
import { makeMgid } from "../bridge/mgid.ts";
import type { ModelPlace } from "../port/model-port.ts";
import { FabricError } from "../sa/management-port.ts";
import { InfinibandHost, RoceHost } from "./hosts.ts";

/** Full member (IBA vol 1, 15.2.5.17): it makes the group where there is none. */
const FULL_MEMBER = 1;
/** The partition that every port is in, as a full member. */
const P_KEY = 0xffff;

/** A link on Ethernet, or a host of a model of InfiniBand. */
export type MemberPlace = { link: string } | ModelPlace;

/** What a member does with a packet; offsets are those of `parts`. */
export type Hear = (bytes: Uint8Array, parts: PacketParts) => void;

export interface GroupMember extends AsyncDisposable {
  /** Sends a message; false when it was not taken. */
  send(payload: Uint8Array): boolean;
}

/**
 * Makes a host a member of a group, 4 or 16 bytes; on InfiniBand those of IPv4 have the MGID of RDMA-CM, and others are
 * the MGID. Without `hear` it only sends. Rejects with HostError, and FabricError; undefined when there is no such link.
 */
export async function joinGroup(group: Uint8Array, place: MemberPlace, hear?: Hear): Promise<GroupMember | undefined> {
  return "link" in place ? joinOnEthernet(group, place.link, hear) : joinOnInfiniband(group, place, hear);
}

/** Where a packet that was heard comes from. */
export function sourceOf(bytes: Uint8Array, { ipv4, ipv6, grh }: PacketParts): string {
  if (ipv4 >= 0) return formatAddress(bytes.slice(ipv4 + IPV4_SOURCE, ipv4 + IPV4_SOURCE + 4));
  const at = (ipv6 >= 0 ? ipv6 : grh) + GRH_SGID;
  return at < GRH_SGID ? "nowhere" : formatAddress(bytes.slice(at, at + 16));
}

async function joinOnEthernet(group: Uint8Array, link: string, hear?: Hear): Promise<GroupMember | undefined> {
  const host = await RoceHost.on(link);
  if (host === undefined) return undefined;
  host.onHeard = hear ?? (() => {});
  if (hear) host.join(group);
  return {
    send: (payload) => host.sendFrames([host.frame(group, payload)]) === 1,
    [Symbol.asyncDispose]: async () => host[Symbol.dispose](),
  };
}

async function joinOnInfiniband(group: Uint8Array, place: ModelPlace, hear?: Hear): Promise<GroupMember> {
  const mgid = group.length === 4 ? makeMgid({ format: "rdma-cm", group, pKey: P_KEY, scope: 2 }) : group;
  const host = await InfinibandHost.at(place);
  try {
    host.onHeard = hear ?? (() => {});
    await host.join(mgid, FULL_MEMBER);
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
  return {
    send: (payload) => host.sendPackets([host.packet(mgid, payload)]) === 1,
    [Symbol.asyncDispose]: async () => {
      await host.leave(mgid).catch((error: unknown) => {
        if (!(error instanceof FabricError)) throw error;
      });
      await host[Symbol.asyncDispose]();
    },
  };
}
