// Owns the nouns of the managed kinds: what each kernel object is, as plain serialisable data.
//
// Links are said by name: a name outlives the interface index, and a person can read it. Addresses and prefixes are
// canonical strings (model/ip.ts). A field that is absent means "the kernel's default", and `normalize` of the kind
// (plan/kinds/) leaves absent whatever says nothing more than the default, so that equal objects are equal as data.
import type { Family } from "./ip.ts";
import type { NftTableSpec } from "./nft.ts";
import type { CgroupProgramSpec } from "./socket-marks.ts";
import type { TcProgramSpec } from "./spread-program.ts";

/**
 * heddle's routing protocol number: the tag by which routes, rules, nexthops, neighbours and addresses are known to be
 * ours (rtm_protocol, FRA_PROTOCOL, nh_protocol, NDA_PROTOCOL, IFA_PROTO). 72 is in none of iproute2's rt_protos lists up to 6.15.
 */
export const HEDDLE_PROTOCOL = 72;

/**
 * The number of addresses that move between hosts (IFA_PROTO): they are put on a link and taken off it by what is going
 * on, never by a plan, and nothing that a plan makes may depend on where they are. In no list either.
 */
export const MOVING_PROTOCOL = 73;

/** Routing tables that the kernel itself fills or names (include/uapi/linux/rtnetlink.h, rt_class_t). */
export const TABLE = { default: 253, main: 254, local: 255 } as const;

/** Route types, as iproute2 names them (rtm_type). */
export type RouteType =
  | "unicast"
  | "local"
  | "broadcast"
  | "anycast"
  | "multicast"
  | "blackhole"
  | "unreachable"
  | "prohibit"
  | "throw"
  | "nat"
  | "xresolve";

/** Distance of a destination (rtm_scope); a number where the kernel knows no name. IPv6 knows only "global". */
export type RouteScope = "global" | "site" | "link" | "host" | "nowhere" | number;

/** One next hop of a route. */
export interface Hop {
  link?: string;
  /** Gateway; of the other family for an IPv4 route over an IPv6 gateway (RFC 5549). */
  via?: string;
  /** Share among the hops of one route, 1–256; absent means 1. */
  weight?: number;
  /** The gateway is reachable on the link though no route says so. */
  onlink?: true;
}

/** Metrics of a route, in the kernel's units (bytes, packets, milliseconds); `lock` names those that must not adapt. */
export interface RouteMetrics {
  mtu?: number;
  window?: number;
  rtt?: number;
  rttvar?: number;
  ssthresh?: number;
  cwnd?: number;
  advmss?: number;
  reordering?: number;
  hoplimit?: number;
  initcwnd?: number;
  features?: number;
  rto_min?: number;
  initrwnd?: number;
  quickack?: number;
  fastopen_no_cookie?: number;
  congctl?: string;
  lock?: string[];
}

export interface RouteSpec {
  family: Family;
  /** 1–4294967295. */
  table: number;
  /** Destination prefix, without host bits. */
  to: string;
  /** IPv6 only: source prefix of a subtree route. */
  from?: string;
  type: RouteType;
  /** Priority among routes to the same prefix, lower wins; absent means 0 for IPv4, 1024 for IPv6. */
  metric?: number;
  /** IPv4 only: type of service that the packet must have. */
  tos?: number;
  /** IPv4 only; absent means what the type and the hops imply. */
  scope?: RouteScope;
  /** Preferred source address for packets that have none yet. */
  source?: string;
  /** Empty for blackhole and its kin, and where `nexthop` says where to go. */
  hops: Hop[];
  /** Id of a nexthop object. */
  nexthop?: number;
  metrics?: RouteMetrics;
  /** IPv6 only: router preference; absent means medium. */
  preference?: "low" | "high";
  /** Names of what a foreign route has that heddle does not manage ("realms"): it equals none of heddle's. */
  unmanaged?: string[];
  protocol: number;
}

/** What a rule does with a packet that it matches. */
export type RuleAction = "table" | "goto" | "nop" | "blackhole" | "unreachable" | "prohibit";

/** An inclusive range of numbers. */
export interface NumberRange {
  first: number;
  last: number;
}

export interface RuleSpec {
  family: Family;
  /** 0–4294967295; lower is asked first. */
  priority: number;
  /** Turns the whole match round. */
  not?: true;
  from?: string;
  to?: string;
  iif?: string;
  oif?: string;
  mark?: number;
  /** Bits of the mark that count; absent means all. */
  mask?: number;
  tos?: number;
  dscp?: number;
  uids?: NumberRange;
  /** IP protocol number. */
  ipProtocol?: number;
  sourcePorts?: NumberRange;
  destinationPorts?: NumberRange;
  tunnelId?: string;
  l3mdev?: true;
  action: RuleAction;
  table?: number;
  /** Priority of the rule to go on with, for "goto". */
  goto?: number;
  /** A route whose prefix is this long or shorter does not count. */
  suppressPrefixLength?: number;
  /** A route out of a link of this group does not count. */
  suppressGroup?: number;
  /** Names of what a foreign rule has that heddle does not manage ("realms"): it equals none of heddle's. */
  unmanaged?: string[];
  protocol: number;
}

export interface AddressSpec {
  family: Family;
  link: string;
  /** With the length of its subnet: "172.16.34.1/16". */
  address: string;
  /** The far end of a point-to-point link, where it is not the address itself. */
  peer?: string;
  scope: RouteScope;
  /** Not the first address of its subnet on the link: never chosen as a source by itself. */
  secondary?: true;
  /** Duplicate address detection is running or has failed: not usable (yet). */
  tentative?: true;
  /** Who put it there (IFA_PROTO); absent where nobody says, and on kernels before 5.18, which forget it. */
  protocol?: number;
  /** Place among the addresses that the file lists for the link: lower is put there first. Not the kernel's. */
  order?: number;
}

/** What a neighbour entry that stays until somebody takes it away is: checked by nobody, or not even asked for. */
export type NeighbourState = "permanent" | "noarp";

/** An entry of a neighbour table that somebody stated. What the kernel learns by itself is none. */
export interface NeighbourSpec {
  family: Family;
  /** Absent for a foreign proxy entry of every link. */
  link?: string;
  /** IP address, without a length. */
  address: string;
  /** The host answers for the address, which belongs to somebody behind it. */
  proxy?: true;
  /** Lower-case hexadecimal bytes with colons: 6 for Ethernet, 20 for InfiniBand. Absent for a proxy entry. */
  hardwareAddress?: string;
  /** Absent for a proxy entry. */
  state?: NeighbourState;
  /** IPv6 only: the neighbour is a router. */
  router?: true;
  protocol: number;
}

/** A nexthop object that takes part in a group. */
export interface NexthopMember {
  id: number;
  /** Share among the members, 1–65535 (kernels before 6.12: 1–256); absent means 1. */
  weight?: number;
}

/** What makes a group resilient: flows keep to their bucket, and a bucket changes its member only when it is idle. */
export interface Resilience {
  /** Number of buckets, 1–65535; it cannot be changed. */
  buckets: number;
  /** Seconds without a packet after which a bucket may change its member, in steps of 0.01. */
  idle: number;
  /** Seconds after which an uneven group is evened though its buckets are busy; 0 means never. */
  unbalanced: number;
}

/** A nexthop object: one way to go, or a group of such. */
export interface NexthopSpec {
  /** 1–4294967295. */
  id: number;
  /** Absent for a group. */
  family?: Family;
  link?: string;
  via?: string;
  /** The gateway is reachable on the link though no route says so. */
  onlink?: true;
  /** Packets are dropped. */
  blackhole?: true;
  /** For a group, at least one; by rising id. */
  members?: NexthopMember[];
  /** For a group whose flows shall keep their member; absent means that shares are exact instead. */
  resilient?: Resilience;
  protocol: number;
}

export interface SysctlSpec {
  /** Below /proc/sys, with slashes, because link names may have dots: "net/ipv4/conf/ib0.8001/rp_filter". */
  path: string;
  /** As the kernel prints it, fields separated by one space. */
  value: string;
}

/** One line for each managed kind. */
export interface Specs {
  address: AddressSpec;
  neighbour: NeighbourSpec;
  nexthop: NexthopSpec;
  route: RouteSpec;
  rule: RuleSpec;
  sysctl: SysctlSpec;
  nftTable: NftTableSpec;
  cgroupProgram: CgroupProgramSpec;
  tcProgram: TcProgramSpec;
}

export type Kind = keyof Specs;

/**
 * Every kind, in the order in which new objects are made: what others need comes first. A mark that an nftables table
 * or a BPF program sets finds the rule that looks for it, and the fail-closed route behind that, in place; they go after
 * it, too.
 */
export const KINDS = [
  "sysctl",
  "address",
  "neighbour",
  "nexthop",
  "route",
  "rule",
  "nftTable",
  "cgroupProgram",
  "tcProgram",
] as const satisfies readonly Kind[];

/** Text that names one object among all of its kind on a host. */
export type Key = string;
