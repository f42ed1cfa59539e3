// Owns the way by gateways whose health is watched: a resilient group, so that a connection keeps its gateway.
//
// A route with several hops forgets who went where when one of them goes. In a resilient group each flow has a bucket;
// when a member goes, only its own buckets get another, and when it comes back, only those that are idle.
import type { Claim } from "../../model/claim.ts";
import type { SourceRange } from "../../model/diagnostic.ts";
import { defaultPrefix, familyOf } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import { HEDDLE_PROTOCOL } from "../../model/kinds.ts";
import type { Hop, NexthopSpec } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import type { ProbeWish } from "../../model/signals.ts";
import { isWell, targetsBehind, wishFor } from "../check.ts";
import { askerOf } from "../own-addresses.ts";
import type { Section, View } from "../role.ts";
import { wantRoute } from "../wanted.ts";
import { choosesOwners } from "./owners.ts";
import type { Egress } from "./schema.ts";
import { watchThrough } from "./through.ts";

/** Enough that shares are right to a percent, few enough to be cheap. */
const BUCKETS = 128;
/** Seconds without a packet after which a bucket may go to a gateway that came back (the kernel's default). */
const IDLE_S = 120;

/** Ids of the gateways and of their group, for each IP version; none for a section that does not watch. */
export function claimGateways(section: Section<Egress>): Claim[] {
  const { gateways = [], check } = section.value;
  if (!check) return [];
  const singles = gateways.map(({ via }, index): Claim => {
    return { pool: "nexthops", name: singleName(via), from: section.at("gateways", index) };
  });
  const families = new Set(gateways.map(({ via }) => familyOf(via)));
  const groups = [...families].map((family): Claim => {
    return { pool: "nexthops", name: groupName(family), from: section.at("gateways") };
  });
  return [...singles, ...groups];
}

/** The gateways, and targets behind them, to be asked. */
export function watchGateways(section: Section<Egress>, view: View): ProbeWish[] {
  const { gateways = [], check, link } = section.value;
  if (!check) return [];
  const near = gateways.map(({ via }) =>
    wishFor(section, check, { via, link, source: askerOf(view.links, link, via) }),
  );
  return [...near, ...watchThrough(section, view)];
}

/** The group of those that are well, and the route by it; no route when none is. */
export function desireWatched(
  section: Section<Egress>,
  view: View,
  way: { family: Family; table: number; source?: string },
  hops: readonly Hop[],
  from: SourceRange,
): Wanted[] {
  const { family } = way;
  const group = view.nexthops[groupName(family)] as number;
  const singles = hops.map((hop) => ({ hop, id: view.nexthops[singleName(hop.via ?? "")] as number }));
  const objects: NexthopSpec[] = singles.map(({ hop: { link, via }, id }) => ({
    id,
    family,
    ...(link === undefined ? {} : { link }),
    ...(via === undefined ? {} : { via }),
    protocol: HEDDLE_PROTOCOL,
  }));
  const members = singles
    .filter(({ hop }) => isWell(view.signals, section, section.value.check ?? {}, hop.via ?? ""))
    .map(({ hop, id }) => ({ id, ...(hop.weight === undefined ? {} : { weight: hop.weight }) }));
  const wanted = objects.map((spec): Wanted => ({ kind: "nexthop", spec, from }));
  if (members.length === 0) return [...wanted, ...waysOfAnswers(section, way, hops, from)];
  const resilient = { buckets: BUCKETS, idle: IDLE_S, unbalanced: 0 };
  const to = defaultPrefix(family);
  return [
    ...wanted,
    { kind: "nexthop", spec: { id: group, members, resilient, protocol: HEDDLE_PROTOCOL }, from },
    wantRoute({ ...way, to, hops: [], nexthop: group }, from),
  ];
}

/**
 * Ways to the targets themselves while nothing else has one. A rule without a mark is asked as well when the kernel checks
 * the way back of what comes in (__fib_validate_source, net/ipv4/fib_frontend.c): it would drop the very answers by which
 * a gateway shows that it is well again.
 */
function waysOfAnswers(
  section: Section<Egress>,
  way: { family: Family; table: number; source?: string },
  hops: readonly Hop[],
  from: SourceRange,
): Wanted[] {
  const { check, gateways = [], otherwise } = section.value;
  if (way.family === 6 || otherwise === "main" || choosesOwners(section.value)) return [];
  const targets = gateways
    .filter(({ via }) => familyOf(via) === 4)
    .flatMap(({ via }) => targetsBehind(check ?? {}, via).map(({ address }) => `${address}/32`));
  return [...new Set(targets)].map((to) => wantRoute({ ...way, to, hops: [...hops] }, from));
}

function singleName(via: string): string {
  return `gateway ${via}`;
}

function groupName(family: Family): string {
  return `gateways of IPv${family} resilient ${BUCKETS}`;
}
