// Owns the passage between the two ways to hold a host: the snapshot that plans are made from, and the picture that ways
// are found in.
import type { Kind, NeighbourSpec, RouteSpec, RuleSpec, Specs } from "../model/kinds.ts";
import type { LinkFact } from "../model/facts.ts";
import type { NftTableSpec } from "../model/nft.ts";
import type { CgroupProgramSpec } from "../model/socket-marks.ts";
import type { TcProgramSpec } from "../model/spread-program.ts";
import type { Observed, Snapshot } from "../model/objects.ts";
import type { PictureLink, PictureNeighbour, PictureRoute, PictureRule } from "../model/picture.ts";
import { rulesOf } from "../plan/kinds/index.ts";
import { linkMarks } from "./hops.ts";
import type { Routing } from "./routing.ts";

/**
 * The routing of a snapshot. What only a picture has is worked out where it can be: hops by links that are down are dead,
 * hops by links without a carrier are marked so. Neighbours that were learned are in no snapshot. Switches that are not
 * among the snapshot's sysctls count as 0.
 */
export function routingOf({ links, observed }: Snapshot, tableNames: Record<string, number> = {}): Routing {
  const of = <K extends Kind>(kind: K): Specs[K][] =>
    observed.flatMap((object) => (object.kind === kind ? [object.spec as Specs[K]] : []));
  const withLinks = { links };
  return {
    links,
    routes: of("route").map((spec): PictureRoute => ({
      ...spec,
      // The host's own addresses stay its own whatever the link does.
      hops: spec.hops.map((hop) => (spec.type === "local" ? hop : { ...hop, ...linkMarks(withLinks, hop.link) })),
    })),
    rules: of("rule"),
    nexthops: of("nexthop"),
    neighbours: of("neighbour").flatMap(
      ({ family, link, address, state, proxy, hardwareAddress }): PictureNeighbour[] =>
        link === undefined || proxy || state === undefined
          ? []
          : [{ family, link, address, state, ...(hardwareAddress === undefined ? {} : { hardwareAddress }) }],
    ),
    sysctls: Object.fromEntries(of("sysctl").map(({ path, value }) => [path, value])),
    tableNames,
  };
}

/** What a picture does not hold of the kinds that heddle manages. */
export interface Besides {
  /** Neighbours that somebody stated, with whose they are. */
  neighbours: readonly NeighbourSpec[];
  /** Tables of heddle's. */
  nftTables: readonly NftTableSpec[];
  /** Programs that mark sockets. */
  programs: readonly CgroupProgramSpec[];
  /** Programs that spread packets. */
  spreads: readonly TcProgramSpec[];
}

/** The snapshot in a picture. */
export function snapshotOf(routing: Routing, { neighbours, nftTables, programs, spreads }: Besides): Snapshot {
  const links = routing.links.map(plainLink);
  return {
    links,
    observed: [
      ...links.flatMap(({ addresses }) => addresses.map((spec) => observe("address", spec))),
      ...neighbours.map((spec) => observe("neighbour", spec)),
      ...routing.nexthops.map((spec) => observe("nexthop", spec)),
      ...routing.routes.map((route) => observe("route", plainRoute(route))),
      ...routing.rules.map((rule) => observe("rule", plainRule(rule))),
      ...Object.entries(routing.sysctls).map(([path, value]) => observe("sysctl", { path, value })),
      ...nftTables.map((spec) => observe("nftTable", spec)),
      ...programs.map((spec) => observe("cgroupProgram", spec)),
      ...spreads.map((spec) => observe("tcProgram", spec)),
    ],
  };
}

function observe<K extends Kind>(kind: K, spec: Specs[K]): Observed {
  // The kind and its spec belong together, which TypeScript cannot follow through the union.
  return { kind, spec, key: rulesOf(kind).identify(spec) } as Observed;
}

function plainLink(link: PictureLink): LinkFact {
  const { noArp: _a, vrf: _v, vrfTable: _t, group: _g, ipoibMode: _i, ...fact } = link;
  return {
    ...fact,
    addresses: link.addresses.map(({ dadFailed: _f, deprecated: _d, temporary: _t, optimistic: _o, ...spec }) => spec),
  };
}

function plainRoute(route: PictureRoute): RouteSpec {
  // A route by a nexthop object has no hops of its own.
  const hops = route.nexthop === undefined ? route.hops : [];
  return rulesOf("route").normalize({
    ...route,
    hops: hops.map(({ dead: _dead, linkdown: _linkdown, ...hop }) => hop),
  });
}

function plainRule({ unresolved: _u, iifDetached: _i, oifDetached: _o, partial: _p, ...spec }: PictureRule): RuleSpec {
  return spec;
}
