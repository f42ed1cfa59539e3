// Owns the nexthop objects of the role `static`: names, their ids, and what a route by one of them may be.
import type { Claim } from "../../model/claim.ts";
import type { Diagnostic, SourceRange } from "../../model/diagnostic.ts";
import { familyOf } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import { HEDDLE_PROTOCOL } from "../../model/kinds.ts";
import type { NexthopMember, NexthopSpec } from "../../model/kinds.ts";
import { nearest } from "../../model/nearest.ts";
import type { Wanted } from "../../model/objects.ts";
import type { Section, View } from "../role.ts";
import { linkTowards } from "./link-towards.ts";
import type { Static, StaticNexthop } from "./schema.ts";

/** Seconds after which an idle bucket may change its member unless the file says otherwise (the kernel's default). */
const DEFAULT_IDLE = 120;

/**
 * The ids that a section draws. The kernel lets no single nexthop take the place of a group, nor a group that of one of
 * another type or with other buckets, so each of these has a number of its own under the same name: the new object is
 * made, routes go over to it, and the old one goes.
 */
export function claimNexthops(section: Section<Static>): Claim[] {
  return Object.entries(section.value.nexthops ?? {}).map(([name, nexthop]) => ({
    pool: "nexthops",
    name: claimName(name, nexthop),
    from: section.at("nexthops", name),
  }));
}

function claimName(name: string, { group, resilient }: StaticNexthop): string {
  if (group === undefined) return name;
  return resilient === undefined ? `${name} group` : `${name} resilient ${resilient.buckets}`;
}

/** The nexthop objects of a section; those that are wrong are left out, with diagnostics. */
export function desireNexthops(section: Section<Static>, view: View, diagnostics: Diagnostic[]): Wanted[] {
  return Object.entries(section.value.nexthops ?? {}).flatMap(([name, nexthop]): Wanted[] => {
    const from = section.at("nexthops", name);
    const id = view.nexthops[claimName(name, nexthop)];
    const refuse = (summary: string, remedy: string): Wanted[] => {
      diagnostics.push({ code: "nexthop-way", severity: "error", summary, remedy, range: from });
      return [];
    };
    const { via, link, onlink, blackhole, group, resilient } = nexthop;
    const ways = [via !== undefined || link !== undefined || onlink, blackhole, group !== undefined].filter(Boolean);
    if (ways.length !== 1) {
      return refuse(
        ways.length === 0 ? "the nexthop does not say where to go" : "the nexthop says more than one way to go",
        "Give it `via` and `link` (or one of them), or `blackhole: true`, or `group`.",
      );
    }
    if (resilient !== undefined && group === undefined) {
      return refuse("only a group can be resilient", "Take `resilient` away, or write a `group`.");
    }
    if (id === undefined) return [];
    if (group !== undefined) {
      const members = readMembers(section, view, name, diagnostics);
      if (!members) return [];
      const { buckets = 0, idle = DEFAULT_IDLE, unbalanced = 0 } = resilient ?? {};
      const spread = resilient && { buckets, idle, unbalanced };
      const spec = { id, members, ...(spread ? { resilient: spread } : {}), protocol: HEDDLE_PROTOCOL };
      return [{ kind: "nexthop", spec, from }];
    }
    const single = readSingle(nexthop, view, from, diagnostics);
    return single ? [{ kind: "nexthop", spec: { id, ...single, protocol: HEDDLE_PROTOCOL }, from }] : [];
  });
}

function readSingle(
  { via, link, onlink, blackhole, family }: StaticNexthop,
  view: View,
  range: SourceRange,
  diagnostics: Diagnostic[],
): Omit<NexthopSpec, "id" | "protocol"> | undefined {
  const own: Family | undefined = via === undefined ? family && (family === "ipv4" ? 4 : 6) : familyOf(via);
  if (own === undefined || (via !== undefined && family !== undefined && family !== `ipv${own}`)) {
    diagnostics.push({
      code: own === undefined ? "family-unknown" : "mixed-families",
      severity: "error",
      summary: own === undefined ? "nothing tells whether this is for IPv4 or IPv6" : "IPv4 and IPv6 are mixed",
      remedy: own === undefined ? "Add family: ipv4 or family: ipv6." : `Take \`family\` away: ${via} says it.`,
      range,
    });
    return undefined;
  }
  if (blackhole) return { family: own, blackhole: true };
  const found = link ?? (via === undefined ? undefined : linkTowards(via, view));
  if (found === undefined) {
    diagnostics.push(
      via === undefined
        ? {
            code: "nexthop-way",
            severity: "error",
            summary: "the nexthop says neither `via` nor `link`",
            remedy: "Give it one of them.",
            range,
          }
        : {
            code: "waiting-link",
            severity: "warning",
            summary: `no link reaches the gateway ${via}`,
            detail: "No subnet of this host's links contains it.",
            remedy: "Say `link`, with `onlink: true` where no subnet will contain it.",
            range,
          },
    );
    return undefined;
  }
  return { family: own, link: found, ...(via === undefined ? {} : { via }), ...(onlink ? { onlink } : {}) };
}

function readMembers(
  section: Section<Static>,
  view: View,
  name: string,
  diagnostics: Diagnostic[],
): NexthopMember[] | undefined {
  const { nexthops = {} } = section.value;
  const members: NexthopMember[] = [];
  const entries = Object.entries(nexthops[name]?.group ?? {});
  for (const [member, weight] of entries) {
    const range = section.at("nexthops", name, "group", member);
    const one = Object.hasOwn(nexthops, member) ? nexthops[member] : undefined;
    if (!one) {
      diagnostics.push(unknownNexthop(section, member, range));
    } else if (one.group !== undefined || one.blackhole) {
      const summary = `"${member}" is a ${one.blackhole ? "blackhole" : "group"}, which cannot be in a group`;
      const remedy = "Name single nexthops with `via` or `link`.";
      diagnostics.push({ code: "nexthop-member", severity: "error", summary, remedy, range });
    } else {
      const id = view.nexthops[claimName(member, one)];
      if (id !== undefined) members.push({ id, weight });
    }
  }
  return members.length === entries.length ? members : undefined;
}

/** The id that a route names, by name or number; undefined, with a diagnostic, where the section has no such name. */
export function resolveNexthop(
  section: Section<Static>,
  view: View,
  nexthop: number | string,
  range: SourceRange,
  diagnostics: Diagnostic[],
): number | undefined {
  if (typeof nexthop === "number") return nexthop;
  const { nexthops = {} } = section.value;
  const named = Object.hasOwn(nexthops, nexthop) ? nexthops[nexthop] : undefined;
  if (named) return view.nexthops[claimName(nexthop, named)];
  diagnostics.push(unknownNexthop(section, nexthop, range));
  return undefined;
}

/** The IP versions that a nexthop of the section leads by; none for a number, which may be anybody's. */
export function nexthopFamilies(section: Section<Static>, nexthop: number | string | undefined): Family[] {
  const { nexthops = {} } = section.value;
  const named = typeof nexthop === "string" && Object.hasOwn(nexthops, nexthop) ? nexthops[nexthop] : undefined;
  if (!named) return [];
  const names = named.group === undefined ? [named] : Object.keys(named.group).map((name) => nexthops[name]);
  const families = names.flatMap((one): Family[] => {
    if (one?.via !== undefined) return [familyOf(one.via)];
    return one?.family === undefined ? [] : [one.family === "ipv4" ? 4 : 6];
  });
  return [...new Set(families)];
}

function unknownNexthop(section: Section<Static>, name: string, range: SourceRange): Diagnostic {
  const guess = nearest(name, Object.keys(section.value.nexthops ?? {}));
  return {
    code: "unknown-nexthop",
    severity: "error",
    summary: `no nexthop is called "${name}"`,
    ...(guess === undefined ? {} : { detail: `Did you mean "${guess}"?` }),
    remedy: `Name it in this section: nexthops: { ${name}: { via: …, link: … } }.`,
    range,
  };
}
