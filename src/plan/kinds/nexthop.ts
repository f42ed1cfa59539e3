// Owns the rules of the kind "nexthop": single nexthops and groups of them.
import type { NexthopMember, NexthopSpec } from "../../model/kinds.ts";
import type { Need } from "../../model/objects.ts";
import { canonicalText } from "./canonical.ts";
import type { KindRules } from "./kind-rules.ts";

export const nexthopRules: KindRules<"nexthop"> = {
  identify: (spec) => `nexthop ${spec.id}`,
  normalize: normalizeNexthop,
  needs: needsOfNexthop,
  merge: (a, b) => (canonicalText(a) === canonicalText(b) ? a : undefined),
  describe: describeNexthop,
  // Members before their groups.
  rank: (spec) => (spec.members === undefined ? 0 : 1),
  compare: (spec) => canonicalText(spec, ["protocol"]),
  narrow: narrowGroup,
};

function normalizeNexthop(spec: NexthopSpec): NexthopSpec {
  const { id, family, link, via, onlink, blackhole, members, resilient, protocol } = spec;
  if (members !== undefined) {
    const sorted = members.map(normalizeMember).sort((a, b) => a.id - b.id);
    return { id, members: sorted, ...(resilient === undefined ? {} : { resilient }), protocol };
  }
  return {
    id,
    ...(family === undefined ? {} : { family }),
    ...(blackhole ? { blackhole } : {}),
    // The kernel lets a blackhole lead to the loopback link, which says nothing.
    ...(link === undefined || blackhole ? {} : { link }),
    ...(via === undefined ? {} : { via }),
    ...(onlink ? { onlink } : {}),
    protocol,
  };
}

function normalizeMember({ id, weight = 1 }: NexthopMember): NexthopMember {
  return weight === 1 ? { id } : { id, weight };
}

/** rtm_to_nh_config refuses a nexthop whose link is down or has no carrier, and drops it when either goes. */
function needsOfNexthop(spec: NexthopSpec): Need[] {
  return spec.link === undefined ? [] : [{ link: spec.link, up: true, carrier: true }];
}

/**
 * A group is made of those members that can be had (docs/adr/0006-groups-of-what-is-there.md); undefined when there is
 * none, or when the object is no group and needs no member.
 */
function narrowGroup(spec: NexthopSpec, isThere: (need: Need) => boolean): { spec?: NexthopSpec; missing: Need[] } {
  const missing = (spec.members ?? []).map(({ id }) => ({ nexthop: id })).filter((need) => !isThere(need));
  if (missing.length === 0) return { spec, missing };
  const members = (spec.members ?? []).filter(({ id }) => isThere({ nexthop: id }));
  return members.length === 0 ? { missing } : { spec: { ...spec, members }, missing };
}

function describeNexthop(spec: NexthopSpec): string {
  const words = [`id ${spec.id}`];
  if (spec.members !== undefined) {
    words.push(`group ${spec.members.map(({ id, weight }) => `${id}${weight ? `,${weight}` : ""}`).join("/")}`);
  }
  if (spec.resilient !== undefined) {
    const { buckets, idle, unbalanced } = spec.resilient;
    words.push(`type resilient buckets ${buckets} idle_timer ${idle} unbalanced_timer ${unbalanced}`);
  }
  if (spec.blackhole) words.push("blackhole");
  if (spec.via !== undefined) words.push(`via ${spec.via}`);
  if (spec.link !== undefined) words.push(`dev ${spec.link}`);
  if (spec.onlink) words.push("onlink");
  if (spec.family === 6 && spec.via === undefined) words.push("(IPv6)");
  return words.join(" ");
}
