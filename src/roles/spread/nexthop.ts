// Owns the mechanism `nexthop`: a resilient group of the kernel's for each IP version, in a table that the destinations
// lead to. It needs no BPF, and knows weights but no loads.
import type { Claim } from "../../model/claim.ts";
import { familyOf } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import { HEDDLE_PROTOCOL } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import { SPREAD_BOUNDS } from "../../model/spread-program.ts";
import { OWN_TABLE } from "../role.ts";
import type { Section, View } from "../role.ts";
import { wantRoute, wantRule } from "../wanted.ts";
import { viaOf } from "./members.ts";
import type { Member } from "./members.ts";
import type { Spread } from "./schema.ts";

const FAMILIES: readonly Family[] = [4, 6];
/** The kernel's idle time of a bucket, unless the file says otherwise: it counts in steps of 10 ms. */
const IDLE_SECONDS = 0.02;

/** An id for each member and each group, of both IP versions. */
export function claimGroup(section: Section<Spread>): Claim[] {
  const from = section.at("links");
  return FAMILIES.flatMap((family): Claim[] => [
    ...section.value.links.map(({ link }): Claim => ({ pool: "nexthops", name: `${link} ipv${family}`, from })),
    { pool: "nexthops", name: groupName(family), from },
  ]);
}

function groupName(family: Family): string {
  return `group ipv${family} resilient ${SPREAD_BOUNDS.buckets}`;
}

/** The groups, the routes by them, and the rules that lead there. */
export function desireGroup(
  section: Section<Spread>,
  members: readonly Member[],
  to: readonly string[],
  view: View,
  priority: number,
): Wanted[] {
  const from = section.at("links");
  const table = view.tables[OWN_TABLE] as number;
  const { gap } = section.value;
  return FAMILIES.flatMap((family): Wanted[] => {
    const prefixes = to.filter((prefix) => familyOf(prefix) === family);
    if (prefixes.length === 0) return [];
    const id = view.nexthops[groupName(family)] as number;
    const singles = members.map(({ link, via, weight, number }) => {
      const stated = section.value.links[number - 1]?.link ?? link.name;
      const hop = viaOf(via, family);
      const own = view.nexthops[`${stated} ipv${family}`] as number;
      const spec = { id: own, family, link: link.name, ...(hop === undefined ? {} : { via: hop }) };
      return { spec: { ...spec, protocol: HEDDLE_PROTOCOL }, weight, from: section.at("links", number - 1) };
    });
    const share = singles.map(({ spec, weight }) => ({ id: spec.id, weight }));
    const idle = gap === undefined ? IDLE_SECONDS : Math.max(0.01, Math.round(gap / 10) / 100);
    const resilient = { buckets: SPREAD_BOUNDS.buckets, idle, unbalanced: 0 };
    // By default the kernel hashes addresses alone, and all flows of two hosts would go by one link (Documentation/networking/ip-sysctl.rst).
    const policy = { path: `net/ipv${family}/fib_multipath_hash_policy`, value: "1" };
    return [
      { kind: "sysctl", spec: policy, from },
      ...singles.map((one): Wanted => ({ kind: "nexthop", spec: one.spec, from: one.from })),
      { kind: "nexthop", spec: { id, members: share, resilient, protocol: HEDDLE_PROTOCOL }, from },
      ...prefixes.flatMap((prefix) => [
        wantRoute({ family, table, to: prefix, hops: [], nexthop: id }, from),
        wantRule({ family, priority, to: prefix, table }, from),
      ]),
    ];
  });
}
