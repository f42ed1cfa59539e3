// Owns what an IPv6 table answers.
//
// Sources: fib6_node_lookup_1, fib6_backtrack (net/ipv6/ip6_fib.c), fib6_table_lookup, rt6_select, find_rr_leaf, find_match,
// rt6_score_route, fib6_select_path (net/ipv6/route.c).
import type { PictureHop, PictureRoute } from "../model/picture.ts";
import { contains, rangeOf } from "../model/prefix.ts";
import { byBuckets, REFUSING, sharesOf } from "./answer.ts";
import type { Candidate, PassedOver, TableAnswer } from "./answer.ts";
import { goodMembers, stateFault, waysOf } from "./hops.ts";
import type { Ways } from "./hops.ts";
import type { Flow } from "./packet.ts";
import { neighbourOf } from "./routing.ts";
import type { Routing } from "./routing.ts";
import { numberOf } from "./switches.ts";
import type { RouteTable } from "./tables.ts";

const MULTICAST = rangeOf("ff00::/8");
const LINK_LOCAL = rangeOf("fe80::/10");
const LOOPBACK = rangeOf("::1");
const UNSPECIFIED = rangeOf("::");

/** How the routes to one prefix are judged. */
interface Standard {
  /** The link that is asked for, or that the packet came in by. */
  link: string | undefined;
  /** Routes by other links do not count (RT6_LOOKUP_F_IFACE). */
  strict: boolean;
  /** Routes whose gateway does not answer do not count (RT6_LOOKUP_F_REACHABLE): only on hosts that forward nothing. */
  reachable: boolean;
}

/** Looks a packet up in a table. */
export function lookUp6(routing: Routing, table: RouteTable, flow: Flow): TableAnswer {
  const { nodes, hidden } = nodesFor(table, flow);
  const forwards = numberOf(routing, "net/ipv6/conf/all/forwarding") === 1;
  const standard: Standard = {
    link: flow.local ? flow.oif : flow.iif,
    strict: isStrict(flow),
    reachable: !forwards,
  };
  const passed = (upTo: number): PassedOver[] => [
    ...hidden.map((route): PassedOver => ({ route, why: "hidden" })),
    ...nodes.slice(0, upTo).flatMap((node) => node.flatMap((route) => passedOver(routing, route, standard))),
  ];
  // What cannot be reached is taken rather than nothing, but only when the whole table has nothing better.
  for (const reachable of standard.reachable ? [true, false] : [false]) {
    for (const [at, node] of nodes.entries()) {
      const found = select(routing, node, { ...standard, reachable });
      if (!found) continue;
      const others = passed(at + 1).filter(({ route }) => route !== found.route);
      return { ...choose(routing, found, { ...standard, reachable }), passed: others };
    }
  }
  return { candidates: [], choice: "only", passed: passed(nodes.length) };
}

/** A bound socket's packets, and those to addresses that mean something else on each link (rt6_need_strict). */
function isStrict({ local, oif, lenient, from, to }: Flow): boolean {
  if ([MULTICAST, LINK_LOCAL, LOOPBACK].some((range) => contains(range, to))) return true;
  return local && oif !== undefined && !(lenient && from !== undefined);
}

/**
 * The routes to each prefix, in the order in which the kernel tries them: of one destination those for the longest source
 * first, those for every source last. Where a destination has source routes and none fits, the first look passes it over
 * with all its routes, those for every source too, unless it is the default.
 */
function nodesFor(table: RouteTable, flow: Flow): { nodes: PictureRoute[][]; hidden: PictureRoute[] } {
  const nodes: PictureRoute[][] = [];
  const hidden: PictureRoute[] = [];
  for (const group of table.groups(flow.to)) {
    const own = group.filter(({ from }) => from === undefined);
    const bySource = Map.groupBy(
      group.filter(({ from }) => from !== undefined),
      ({ from }) => from as string,
    );
    const fitting = [...bySource.keys()]
      .filter((source) => contains(rangeOf(source), flow.from ?? UNSPECIFIED))
      .sort((a, b) => rangeOf(b).length - rangeOf(a).length);
    const isDefault = rangeOf((group[0] as PictureRoute).to).length === 0;
    if (nodes.length === 0 && bySource.size > 0 && fitting.length === 0 && !isDefault) {
      hidden.push(...own);
      continue;
    }
    nodes.push(...fitting.map((source) => bySource.get(source) ?? []));
    if (own.length > 0) nodes.push(own);
  }
  return { nodes, hidden };
}

/** An entry of the kernel's: one hop of a route, or all of them where an object has them. */
interface Entry {
  route: PictureRoute;
  ways: Ways;
  hop: PictureHop;
}

/** The best of the routes to one prefix: the first of the best score among those of the lowest metric, else among the rest. */
function select(routing: Routing, node: readonly PictureRoute[], standard: Standard): Entry | undefined {
  const metric = (node[0] as PictureRoute).metric;
  const first = node.filter((route) => route.metric === metric);
  const rest = node.filter((route) => route.metric !== metric);
  return bestEntry(routing, first, standard) ?? bestEntry(routing, rest, standard);
}

function bestEntry(routing: Routing, routes: readonly PictureRoute[], standard: Standard): Entry | undefined {
  let best: { entry: Entry; score: number } | undefined;
  for (const route of routes) {
    const ways = waysOf(routing, route);
    if (ways.blackhole) return { route: { ...route, type: "blackhole" }, ways, hop: {} };
    for (const hop of hopsOf(route, ways)) {
      const score = scoreOf(routing, route, hop, standard);
      if (score !== undefined && (!best || score > best.score)) best = { entry: { route, ways, hop }, score };
    }
  }
  return best?.entry;
}

/** What leads nowhere leads to the loopback link, says the kernel. */
function hopsOf(route: PictureRoute, ways: Ways): PictureHop[] {
  return ways.hops.length === 0
    ? [REFUSING.has(route.type) || route.type === "throw" ? { link: "lo" } : {}]
    : ways.hops;
}

/** Undefined where the hop does not count. */
function scoreOf(routing: Routing, route: PictureRoute, hop: PictureHop, standard: Standard): number | undefined {
  if (stateFault(routing, 6, hop) !== undefined) return undefined;
  const asked = standard.link === undefined || hop.link === standard.link;
  if (!asked && standard.strict) return undefined;
  if (standard.reachable && gatewayFailed(routing, hop)) return undefined;
  const preference = route.preference === "high" ? 3 : route.preference === "low" ? 1 : 2;
  return (asked ? 2 : 0) | (preference << 2);
}

function gatewayFailed(routing: Routing, { link, via }: PictureHop): boolean {
  return link !== undefined && via !== undefined && neighbourOf(routing, link, via)?.state === "failed";
}

/** The entry that was found, or those that share its packets with it. */
function choose(
  routing: Routing,
  { route, ways, hop }: Entry,
  standard: Standard,
): Pick<TableAnswer, "route" | "candidates" | "choice"> {
  if (route.type === "throw" || REFUSING.has(route.type)) return { route, candidates: [], choice: "only" };
  const candidates = (hops: readonly PictureHop[]): Candidate[] => {
    if (hops.length < 2) return hops.map((one) => ({ route, hop: one }));
    const shares = sharesOf(ways.chooser === "group" ? ways.hops : hops, hops);
    return hops.map((one, i) => ({ route, hop: one, share: shares[i] ?? 0 }));
  };
  if (ways.hops.length < 2) return { route, candidates: candidates([hop]), choice: "only" };
  // A group does not heed the link that was asked for (nexthop_path_fib6_result).
  const known = ways.shares ? byBuckets(route, ways.hops, ways.shares) : [];
  if (known.length > 0) return { route, candidates: known, choice: known.length > 1 ? "buckets" : "only" };
  if (ways.chooser === "resilient") return { route, candidates: candidates(ways.hops), choice: "buckets" };
  const hops =
    ways.chooser === "group"
      ? goodMembers(routing, ways.hops)
      : ways.hops.filter((one) => one === hop || scoreOf(routing, route, one, standard) !== undefined);
  return { route, candidates: candidates(hops), choice: hops.length > 1 ? "hash" : "only" };
}

/** Why a route to the destination is not taken, if there is a reason to each of its hops. */
function passedOver(routing: Routing, route: PictureRoute, standard: Standard): PassedOver[] {
  const why = waysOf(routing, route).hops.map((hop) => faultOf6(routing, hop, standard));
  return why.length > 0 && why.every((one) => one !== undefined) ? [{ route, why: why[0] ?? "dead" }] : [];
}

function faultOf6(routing: Routing, hop: PictureHop, standard: Standard): PassedOver["why"] | undefined {
  const fault = stateFault(routing, 6, hop);
  if (fault !== undefined) return fault;
  if (standard.strict && standard.link !== undefined && hop.link !== standard.link) return "other-link";
  return gatewayFailed(routing, hop) ? "gateway" : undefined;
}
