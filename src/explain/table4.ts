// Owns what an IPv4 table answers.
//
// Sources: fib_table_lookup (net/ipv4/fib_trie.c), fib_select_path, fib_select_multipath, fib_select_default
// (net/ipv4/fib_semantics.c), nexthop_path_fib_result (include/net/nexthop.h).
import type { PictureHop, PictureRoute } from "../model/picture.ts";
import { rangeOf } from "../model/prefix.ts";
import { scopeNumber } from "../model/scope.ts";
import { impliedScope } from "../plan/kinds/route.ts";
import { byBuckets, REFUSING, sharesOf } from "./answer.ts";
import type { Candidate, PassedOver, TableAnswer } from "./answer.ts";
import { faultOf, goodMembers, stateFault, waysOf } from "./hops.ts";
import type { Ways } from "./hops.ts";
import { LEGACY_TOS } from "./match.ts";
import type { Flow } from "./packet.ts";
import { kernelIsAtLeast } from "./routing.ts";
import type { Routing } from "./routing.ts";
import { sourceOfHop } from "./source4.ts";
import { numberOf } from "./switches.ts";
import type { RouteTable } from "./tables.ts";

/** Looks a packet up in a table: the longest prefix whose route has a good hop. */
export function lookUp4(routing: Routing, table: RouteTable, flow: Flow): TableAnswer {
  const passed: PassedOver[] = [];
  // The kernel keeps routes to 10.0.0.0/8 and to 10.0.0.0/24 in one leaf, and gives up a leaf as a whole.
  const givenUp = new Set<bigint>();
  for (const group of table.groups(flow.to)) {
    const { network } = rangeOf((group[0] as PictureRoute).to);
    for (const route of group) {
      if (givenUp.has(network)) {
        passed.push({ route, why: "behind" });
        continue;
      }
      if (route.tos !== undefined && route.tos !== (flow.tos & LEGACY_TOS)) {
        passed.push({ route, why: "tos" });
        continue;
      }
      if (route.type === "throw" || REFUSING.has(route.type)) return { route, candidates: [], choice: "only", passed };
      const ways = waysOf(routing, route);
      if (ways.blackhole) return { route: { ...route, type: "blackhole" }, candidates: [], choice: "only", passed };
      const first = ways.hops.find((hop) => faultOf(routing, flow, hop) === undefined);
      if (first || ways.hops.length === 0) {
        return { route, ...choose(routing, flow, { route, group, ways, first: first ?? {} }), passed };
      }
      passed.push({ route, why: faultOf(routing, flow, ways.hops[0] ?? {}) ?? "dead" });
      if (ways.chooser !== "route") givenUp.add(network);
    }
  }
  return { candidates: [], choice: "only", passed };
}

/** What was found, before the kernel chooses among several ways. */
interface Found {
  route: PictureRoute;
  /** The routes to its prefix. */
  group: readonly PictureRoute[];
  ways: Ways;
  /** The first good hop. */
  first: PictureHop;
}

function choose(routing: Routing, flow: Flow, found: Found): Pick<TableAnswer, "candidates" | "choice"> {
  const { route, ways, first } = found;
  const only = (hop: PictureHop): Pick<TableAnswer, "candidates" | "choice"> => ({
    candidates: [{ route, hop }],
    choice: "only",
  });
  // A bound socket has its hop already, and what is delivered here needs none.
  if (flow.oif !== undefined || route.type !== "unicast") return only(first);
  if (ways.hops.length > 1) {
    const known = ways.shares ? byBuckets(route, ways.hops, ways.shares) : [];
    if (known.length > 0) return { candidates: known, choice: known.length > 1 ? "buckets" : "only" };
    const hops = spread(routing, flow, route, ways);
    const choice = ways.chooser === "resilient" ? "buckets" : hops.length > 1 ? "hash" : "only";
    const all = ways.chooser === "group" ? ways.hops : hops;
    const shares = hops.length > 1 ? sharesOf(all, hops) : [];
    return { candidates: hops.map((hop, i) => withShare({ route, hop }, shares[i])), choice };
  }
  const defaults = flow.local ? equalDefaults(routing, flow, found) : [];
  return defaults.length > 1 ? { candidates: defaults, choice: "neighbours" } : only(first);
}

function withShare(candidate: Candidate, share: number | undefined): Candidate {
  return share === undefined ? candidate : { ...candidate, share };
}

/** The hops among which the hash decides. */
function spread(routing: Routing, flow: Flow, route: PictureRoute, ways: Ways): PictureHop[] {
  if (ways.chooser === "resilient") return ways.hops;
  if (ways.chooser === "group") return goodMembers(routing, ways.hops);
  // A hop that is not used has no share of the hash (fib_rebalance).
  const alive = aliveHops(routing, ways);
  const from = flow.local ? flow.from : undefined;
  if (from === undefined || kernelIsAtLeast(routing, 6, 16) === false) return alive;
  // Since 6.16 a hop whose own source is that of the packet goes before the others.
  const own = alive.filter((hop) => {
    const source = sourceOfHop(routing, route, hop);
    return source !== undefined && rangeOf(source).network === from.network;
  });
  return own.length > 0 ? own : alive;
}

/** Hops with a share of the hash; where neighbours count (fib_multipath_use_neigh), without those that failed (fib_good_nh). */
function aliveHops(routing: Routing, ways: Ways): PictureHop[] {
  const alive = ways.hops.filter((hop) => stateFault(routing, 4, hop) === undefined);
  if (numberOf(routing, "net/ipv4/fib_multipath_use_neigh") !== 1) return alive;
  const good = goodMembers(routing, alive);
  return good;
}

/**
 * Default routes, each by a gateway, among which the kernel changes over when a gateway seems dead: those of the metric of
 * the one that was found, of each type of service that fits the packet (fib_select_default).
 */
function equalDefaults(routing: Routing, flow: Flow, { route, group, first }: Found): Candidate[] {
  if (rangeOf(route.to).length > 0 || first.via === undefined) return [];
  const found: Candidate[] = [];
  let [tos, metric] = [0, route.metric ?? 0];
  for (const other of group) {
    const [otherTos, otherMetric] = [other.tos ?? 0, other.metric ?? 0];
    if (otherTos !== 0 && otherTos !== (flow.tos & LEGACY_TOS)) continue;
    if (otherMetric > metric && otherTos === tos) {
      if (tos === 0) break;
      continue;
    }
    // Of several hops the first counts, though it may be the only dead one (fib_result_assign).
    const { hops } = waysOf(routing, other);
    const [hop] = hops;
    if (other.type !== "unicast" || !hop || hops.every(({ dead }) => dead)) continue;
    [tos, metric] = [otherTos, otherMetric];
    if (hop.via === undefined || scopeOf(other) !== scopeOf(route)) continue;
    // Where another one stands before it, the one that was found is kept.
    if (found.length === 0 && other !== route) return [];
    found.push({ route: other, hop });
  }
  return found;
}

function scopeOf(route: PictureRoute): number {
  return scopeNumber(route.scope ?? impliedScope(route));
}
