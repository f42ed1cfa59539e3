// Owns a port on Ethernet: a packet socket on a link, the link's membership in the groups, and who the bridge is there.
import { ALL_GROUPS, FrameSocket, GroupMemberships } from "../../host/frames.ts";
import type { FrameArena, FrameQueue } from "../../host/frames.ts";
import { HostError } from "../../host/error.ts";
import { OWN_NAMESPACE } from "../../host/native.ts";
import type { NamespaceFd } from "../../host/native.ts";
import { openRouteSocket } from "../../host/netlink/client.ts";
import { LINK_FLAG } from "../../host/netlink/link.ts";
import type { LinkMessage } from "../../host/netlink/link.ts";
import { parseAddress } from "../../model/ip.ts";
import { HELLO_MAC } from "../bridge/hello.ts";
import { socketFilter } from "../bridge/socket-filter.ts";
import type { EthernetSelf } from "../bridge/translate.ts";

/** ARPHRD_ETHER (linux/if_arp.h). */
const ETHERNET = 1;
/** Scope of addresses that peers beyond the link can use (RT_SCOPE_UNIVERSE, linux/rtnetlink.h). */
const GLOBAL = 0;
/** Addresses that are no source: being probed, or found to be another's (IFA_F_*, linux/if_addr.h). */
const UNUSABLE = 0x40 | 0x08;

/** A link as the bridge needs it. */
export interface EthernetLink extends EthernetSelf {
  index: number;
  name: string;
  /** Frames can pass. */
  up: boolean;
}

/** Looks for the link of a name; undefined when there is none. Rejects with NetlinkError, HostError. */
export async function findEthernetLink(
  name: string,
  namespace: NamespaceFd = OWN_NAMESPACE,
): Promise<EthernetLink | undefined> {
  const socket = openRouteSocket({ namespace });
  try {
    const links = await socket.listLinks();
    const link = links.find((one) => one.name === name || one.altNames?.includes(name));
    if (link === undefined) return undefined;
    const addresses = (await socket.listAddresses({ index: link.index }))
      .filter(({ flags }) => (flags & UNUSABLE) === 0)
      .sort((a, b) => Number(a.scope !== GLOBAL) - Number(b.scope !== GLOBAL));
    const ipv4 = addresses.find(({ family }) => family === 4);
    const ipv6 = addresses.find(({ family }) => family === 6);
    return {
      index: link.index,
      name,
      mac: macOf(link),
      mtu: link.mtu ?? 1500,
      up: (link.flags & LINK_FLAG.up) !== 0 && link.carrier !== false,
      ...(ipv4 ? { ipv4: parseAddress(ipv4.address) as Uint8Array } : {}),
      ...(ipv6 ? { ipv6: parseAddress(ipv6.address) as Uint8Array } : {}),
    };
  } finally {
    socket.close();
  }
}

function macOf({ type, hardwareAddress, name }: LinkMessage): Uint8Array {
  const bytes = Uint8Array.from(hardwareAddress?.split(":") ?? [], (pair) => Number.parseInt(pair, 16));
  if (type === ETHERNET && bytes.length === 6) return bytes;
  throw new HostError({ errno: 22, object: `link ${name}`, kernelMessage: "it is no Ethernet" });
}

/** An open port. */
export class EthernetPort {
  readonly index: number;
  readonly socket: FrameSocket;
  readonly #memberships: GroupMemberships;
  #dropped = 0;

  /** `hosts`: it hears what is for single hosts as well. Throws HostError: EPERM without CAP_NET_RAW. */
  constructor(index: number, namespace: NamespaceFd = OWN_NAMESPACE, hosts = false) {
    this.index = index;
    // Whom neighbours of IPv6 ask for is told by the group that they ask.
    this.socket = FrameSocket.onLink(index, socketFilter(hosts), hosts ? ALL_GROUPS : HELLO_MAC, namespace);
    this.#memberships = new GroupMemberships(index, namespace);
  }

  set onReadable(readable: () => void) {
    this.socket.onReadable = readable;
  }

  /** The network shall bring the group's packets, 4 or 16 bytes. Throws HostError. */
  join(group: Uint8Array): void {
    this.#memberships.join(group);
  }

  receive(arena: FrameArena): number {
    return this.socket.receive(arena);
  }

  send(bytes: Uint8Array, queue: FrameQueue): number {
    return this.socket.send(bytes, queue);
  }

  /** Frames for which the socket had no room, since it was opened. */
  get overrun(): number {
    this.#dropped += this.socket.dropped();
    return this.#dropped;
  }

  close(): void {
    this.#memberships[Symbol.dispose]();
    this.socket.close();
  }
}
