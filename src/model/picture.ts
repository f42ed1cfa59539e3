// Owns the picture of a host that a diagnosis is made from: what the kernel and the files say, as plain data.
//
// It holds more than the specs of heddle's kinds, which leave out what nobody can ask for: marks that the kernel sets
// on routes and rules (dead, unresolved), selectors that heddle has no word for, addresses that failed.
import type { LinkFact } from "./facts.ts";
import type { Family } from "./ip.ts";
import type { PictureBridge, PicturePort } from "./rdma-picture.ts";
import type { RulesetRow } from "./ruleset.ts";
import type { AddressSpec, Hop, NexthopSpec, RouteSpec, RuleSpec } from "./kinds.ts";

/** An address, with what the kernel found out about it. */
export interface PictureAddress extends AddressSpec {
  /** IPv6: somebody else on the link has it (IFA_F_DADFAILED); the kernel does not use it. */
  dadFailed?: true;
  /** IPv6: its preferred lifetime is over (IFA_F_DEPRECATED): only a source where there is no other. */
  deprecated?: true;
  /** IPv6: one of those that change for privacy's sake (IFA_F_TEMPORARY, RFC 8981). */
  temporary?: true;
  /** IPv6: in use though still being probed for duplicates (IFA_F_OPTIMISTIC, RFC 4429). */
  optimistic?: true;
}

/** A link, with what matters only to a diagnosis. */
export interface PictureLink extends Omit<LinkFact, "addresses"> {
  /** Does not speak ARP (IFF_NOARP). */
  noArp?: true;
  /** The VRF that it is in: routing that is separate from that of the other links. */
  vrf?: string;
  /** Of a VRF itself: its table. */
  vrfTable?: number;
  /** The group that rules with suppress_ifgroup ask for; absent means 0. */
  group?: number;
  /** Of an IPoIB link: how packets are sent. */
  ipoibMode?: "datagram" | "connected";
  addresses: PictureAddress[];
}

/** A next hop, with the state that the kernel marks it with. */
export interface PictureHop extends Hop {
  /** Not used: the link is down (RTNH_F_DEAD). */
  dead?: true;
  /** The link has no carrier (RTNH_F_LINKDOWN). */
  linkdown?: true;
}

/** A route, its hops in the kernel's order; those of a nexthop object are said too. */
export interface PictureRoute extends Omit<RouteSpec, "hops"> {
  hops: PictureHop[];
}

/** A rule, with the kernel's marks. */
export interface PictureRule extends RuleSpec {
  /** A goto whose target is not there (FIB_RULE_UNRESOLVED). */
  unresolved?: true;
  /** `iif` names a link that is not there (FIB_RULE_IIF_DETACHED). */
  iifDetached?: true;
  oifDetached?: true;
  /** It asks for something that this picture has no word for: it matches fewer packets than it seems to. */
  partial?: true;
}

/** How far the kernel has got with a neighbour (NUD_*), as ip-neighbour(8) names it. */
export type ReachState =
  "none" | "incomplete" | "reachable" | "stale" | "delay" | "probe" | "failed" | "noarp" | "permanent";

/** An entry of a neighbour table, learned or stated. */
export interface PictureNeighbour {
  family: Family;
  link: string;
  /** IP address, without a length. */
  address: string;
  state: ReachState;
  /** Absent while it is not known. */
  hardwareAddress?: string;
}

/** A chain of nftables that packets come through by themselves. */
export interface PictureChain {
  /** "ip", "ip6", "inet", … */
  family: string;
  table: string;
  name: string;
  /** "forward", "output", … */
  hook: string;
  policy: "accept" | "drop";
  /** Rules in it that accept, or that go on in another chain, which may accept. */
  accepting: number;
}

/** What a role needs of the kernel. */
export const FEATURES = [
  "policy-routing-ipv4",
  "policy-routing-ipv6",
  "nexthop-objects",
  "nftables",
  "conntrack",
  "bpf",
  "bpf-cgroup",
  "bpf-tc",
  "btf",
] as const;

/** One of them. */
export type Feature = (typeof FEATURES)[number];

/** An advert of a virtual router that was heard on a link (VRRP). */
export interface Advert {
  link: string;
  family: Family;
  /** Who sent it. */
  source: string;
  version: number;
  /** Number of the virtual router, 1 to 255. */
  id: number;
  /** 0 says goodbye. */
  priority: number;
  intervalMs: number;
  addresses: string[];
}

/** A virtual router that this host is to take part in. */
export interface OwnRouter {
  /** Who says so: "gateway/alinat", "vrrp_instance a". */
  whose: string;
  link: string;
  id: number;
  intervalMs: number;
  /** The others' addresses, by which adverts come; absent where they come to a group and from anybody. */
  peers?: string[];
  /** What its adverts hold; absent where that does not matter. */
  addresses?: string[];
}

/** What heddle.yaml already says, as far as a finding depends on it. */
export interface ConfiguredSection {
  /** "multihome/ib". */
  section: string;
  /** Links of this host in one subnet that it is about; none where it is not. */
  links: string[];
  /** Where it chooses users, groups or control groups: how their traffic is marked; "either" is whichever the host can. */
  marking?: "bpf" | "nftables" | "either";
  /** Of a gateway: the link towards the world. */
  outside?: string;
  /** Of a gateway that stands in for others: its virtual routers, and whether it asks for a way to the world. */
  failover?: { routers: OwnRouter[]; uplink: boolean };
}

/** Where the buckets of a resilient nexthop group lead at the moment, whatever the weights of its members are. */
export interface GroupBuckets {
  /** Id of the group. */
  group: number;
  /** Ids of the nexthops that have any, and how many each. */
  nexthops: { id: number; buckets: number }[];
}

/** One host at one moment. */
export interface HostPicture {
  links: PictureLink[];
  routes: PictureRoute[];
  /** In the kernel's order. */
  rules: PictureRule[];
  /** Nexthop objects and groups, by rising id. */
  nexthops: NexthopSpec[];
  /** Of resilient groups; absent where there are none, or where they were not looked at. */
  buckets?: GroupBuckets[];
  /** Entries of the neighbour tables; absent where they were not looked at. */
  neighbours?: PictureNeighbour[];
  /** The kernel's release, "6.1.0-13-amd64"; absent where it is not known. */
  kernel?: string;
  /** By path below /proc/sys, with slashes; absent where there is none or it could not be read. */
  sysctls: Record<string, string>;
  tableNames: Record<string, number>;
  /** By absolute path: the text of a file that was read, "" of one that only matters by being there. */
  files: Record<string, string>;
  /** Absent where nftables could not be asked. */
  chains?: PictureChain[];
  /** All rules of nftables; absent where it could not be asked, or has too many. */
  ruleset?: readonly RulesetRow[];
  /** Whether the kernel has it; absent where it does not tell. */
  features: Partial<Record<Feature, boolean>>;
  /** What was heard of virtual routers; absent where nobody listened. */
  adverts?: Advert[];
  /** Ports of RDMA devices; absent where they were not looked at. */
  ports?: PicturePort[];
  /** The running bridges; absent where none answers. */
  bridges?: PictureBridge[];
  /** What heddle.yaml says; absent where there is none, or none that can be read. */
  configured?: { file: string; sections: ConfiguredSection[] };
  /** What could not be looked at, and why. */
  unseen: { what: string; why: string }[];
}

/** What a picture shall hold besides links, routes and rules. */
export interface PictureWishes {
  /** Sysctls; "*" in the place of a link stands for every link and for "all". */
  sysctls: readonly string[];
  /** Files whose text is wanted. */
  texts: readonly string[];
  /** Directories whose files "*.conf" are wanted as text. */
  directories: readonly string[];
  /** Files that only matter by being there. */
  markers: readonly string[];
  /** Units of systemd whose enabling matters, and the directories in which it makes its links. */
  services: readonly string[];
  unitDirectories: readonly string[];
}
