// Owns what heddle knows of a host before it decides anything: links with their addresses, and the numbers in use.
import type { Pool } from "./claim.ts";
import type { AddressSpec } from "./kinds.ts";
import type { Owners } from "./owners.ts";
import type { Signal } from "./signals.ts";

/** One network interface. */
export interface LinkFact {
  name: string;
  /** Other names that the kernel knows it by. */
  altNames?: string[];
  index: number;
  /** Link layer, as iproute2 names it: "ether", "infiniband", "loopback", "none"; a number where there is no name. */
  type: string;
  /** Administratively up. */
  up: boolean;
  /** Has a carrier: the far end answers. */
  carrier: boolean;
  mtu: number;
  /** Hardware address as lower-case hexadecimal bytes with colons: 6 bytes for Ethernet, 20 for InfiniBand. */
  hardwareAddress?: string;
  /** As ethtool tells it: "mlx5_core", "veth". */
  driver?: string;
  /** The link that this one is a child of, as a P_Key or VLAN child is. */
  parent?: string;
  /** In the kernel's order, which decides source addresses. */
  addresses: AddressSpec[];
}

/** Links that can pass frames on before the kernel makes packets of them (XDP), by name. */
export interface FrameLinks {
  /** Programs get the frames that come in, and may send them by other links. */
  receive: string[];
  /** They send frames that programs at other links give them. */
  send: string[];
}

/** What the kernel can do, as far as a role decides by it. */
export interface Features {
  /** It routes IPv6. */
  ipv6: boolean;
  /** BPF programs can mark sockets by who makes them. */
  socketMarks: boolean;
  /** BPF programs can run at links. */
  tcPrograms: boolean;
  /** Tables of nftables can be made. Absent where nobody asked. */
  nftables?: boolean;
  /** Who looks at packets on their way through: chains of packet filters. Absent where nobody asked, or can tell. */
  packetFilters?: string[];
  /** Where frames can be passed on. Absent where nobody asked, or can tell. */
  frameLinks?: FrameLinks;
}

export interface Facts {
  links: LinkFact[];
  /** Numbers that others use, which heddle therefore does not draw. */
  inUse: Record<Pool, number[]>;
  /** What heddle made before: addresses that it put on links, ids of its nexthop objects. */
  own: { addresses: AddressSpec[]; nexthops: number[] };
  /** Names of tables from rt_tables and rt_tables.d. */
  tableNames: Record<string, number>;
  /** Whom the file names, as far as the host knows them. */
  owners: Owners;
  features: Features;
  /** Links with a default route that a router told of (RFC 4861). */
  routedByRa: string[];
  /** What those that watch have told of late. */
  signals: Signal[];
}
