// Owns what a table answers: the route that fits best, the hops that the packet may take, and what was passed over.
import type { PictureHop, PictureRoute } from "../model/picture.ts";
import type { HopFault } from "./hops.ts";

/** Who decides among several ways, and by what. */
export type Choice =
  /** There is one way. */
  | "only"
  /** By a hash of the packet's addresses and ports, which has a random part: any of them. */
  | "hash"
  /** The hash of a packet leads to a bucket, and the bucket to a hop. */
  | "buckets"
  /** Several default routes of one metric: by what is known of their gateways' neighbours. */
  | "neighbours";

/** A way that the packet may take. */
export interface Candidate {
  route: PictureRoute;
  hop: PictureHop;
  /** Of all such packets, 0–1, by their hash; absent where not the hash decides. */
  share?: number;
}

/**
 * The shares of hops of which some are passed over. What would lead to one of those goes to the next that is good, or to the
 * first where there is none behind it (nexthop_select_path_hthr); without any passed over, to each by its weight.
 */
export function sharesOf(all: readonly PictureHop[], good: readonly PictureHop[]): number[] {
  const total = all.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const shares = good.map(() => 0);
  for (const [i, hop] of all.entries()) {
    const heir = all.slice(i).find((one) => good.includes(one)) ?? good[0];
    const at = heir === undefined ? -1 : good.indexOf(heir);
    if (at >= 0) shares[at] = (shares[at] ?? 0) + (hop.weight ?? 1) / total;
  }
  return shares;
}

/** The ways by a resilient group of which buckets lead to: a hop without any gets no packet. */
export function byBuckets(route: PictureRoute, hops: readonly PictureHop[], shares: readonly number[]): Candidate[] {
  return hops.flatMap((hop, i): Candidate[] => {
    const share = shares[i] ?? 0;
    return share > 0 ? [{ route, hop, share }] : [];
  });
}

/** A route that fits the destination, and why it was not taken. */
export interface PassedOver {
  route: PictureRoute;
  /**
   * "tos": it asks for another type of service. "source": for another source. "gateway": the neighbour of its gateway
   * failed. "hidden": source routes to the same prefix hide it (fib6_node_lookup_1). "behind": it stands behind one by a
   * nexthop object that leads nowhere, with which the kernel gives its prefix up (fib_table_lookup).
   */
  why: HopFault | "tos" | "source" | "gateway" | "hidden" | "behind";
}

/** What a table has to say. */
export interface TableAnswer {
  /** Absent where no route fits. */
  route?: PictureRoute;
  /** In the kernel's order, at least one where the route leads anywhere. */
  candidates: Candidate[];
  choice: Choice;
  passed: PassedOver[];
}

/** Types of routes that refuse packets, with the error of each (fib_props, net/ipv4/fib_semantics.c; ip6_rt_init_dst). */
export const REFUSING: ReadonlySet<string> = new Set(["blackhole", "unreachable", "prohibit", "nat", "xresolve"]);
