// Owns the step from the file to this host: which links there are, which numbers each section gets.
import type { Config } from "../config/config.ts";
import { POOLS } from "../model/claim.ts";
import type { ExclusiveClaim, Pool } from "../model/claim.ts";
import type { Diagnostic, Outcome } from "../model/diagnostic.ts";
import { hasErrors, inOrderOfLines } from "../model/diagnostic.ts";
import type { Facts } from "../model/facts.ts";
import type { NumberRange } from "../model/kinds.ts";
import type { Role, Section, View } from "../roles/role.ts";
import { expectLinks } from "./expected-links.ts";
import { claimId, DEFAULT_RANGES, drawNumbers } from "./numbers.ts";
import type { Numbers, OwnedClaim } from "./numbers.ts";
import { composeDesired } from "./compose.ts";
import type { Wish } from "./compose.ts";
import type { DesiredState } from "../model/objects.ts";

/** A section with what its role sees of the host. */
export interface BoundSection {
  role: Role;
  section: Section;
  /** "multihome/ib". */
  owner: string;
  view: View;
}

/** The file, bound to one host. */
export interface Intent {
  sections: BoundSection[];
  /** All numbers drawn, to be remembered once they are applied. */
  numbers: Numbers;
}

/** Binds a file to a host. `earlier` are the numbers drawn before, which are kept where they can be. */
export function bindIntent(config: Config, facts: Facts, earlier: Numbers, roles: readonly Role[]): Outcome<Intent> {
  const claims: OwnedClaim[] = [];
  const exclusives: (ExclusiveClaim & { owner: string })[] = [];
  const roleOf = config.sections.map((section) => {
    const role = roles.find((candidate) => candidate.name === section.role);
    if (!role) throw new Error(`no role is called ${section.role}`);
    const owner = `${section.role}/${section.name}`;
    return { role, section, owner };
  });
  const wanted = roleOf.flatMap(({ role, section }) => role.addresses?.(section) ?? []);
  const links = expectLinks(facts.links, wanted, facts.own.addresses);
  const bound = roleOf.map(({ role, section, owner }) => {
    const own = role.claims(section, links);
    for (const claim of own) {
      if ("pool" in claim) claims.push({ ...claim, owner });
      else exclusives.push({ ...claim, owner });
    }
    return { role, section, owner, own };
  });
  const { numbers, diagnostics: exhausted } = drawNumbers(
    claims,
    { ...DEFAULT_RANGES, ...present(config.ranges) },
    { ...facts.inUse, nexthops: takenNexthops(claims, facts, earlier) },
    earlier,
    bound.map(({ owner }) => owner),
  );
  const diagnostics = [...exhausted, ...claimedTwice(exclusives)];
  if (hasErrors(diagnostics)) return { diagnostics };
  const { tableNames, owners, features, routedByRa, signals } = facts;
  const told = { tableNames, owners, features, routedByRa, signals };
  const sections = bound.map(({ role, section, owner, own }): BoundSection => {
    // Names come from links and from the file, so they are looked up where nothing is inherited.
    const drawn: Record<Pool, Record<string, number>> = {
      tables: Object.create(null) as Record<string, number>,
      priorities: Object.create(null) as Record<string, number>,
      nexthops: Object.create(null) as Record<string, number>,
      marks: Object.create(null) as Record<string, number>,
    };
    for (const claim of own) {
      if (!("pool" in claim)) continue;
      const number = claim.fixed ?? numbers[claim.pool][claimId({ owner, name: claim.name })];
      if (number !== undefined) drawn[claim.pool][claim.name] = number;
    }
    return { role, section, owner, view: { links, ...drawn, ...told } };
  });
  return { value: { sections, numbers }, diagnostics };
}

/** The ranges that the file states. */
function present(ranges: Config["ranges"]): Partial<Record<Pool, NumberRange>> {
  return Object.fromEntries(POOLS.filter((pool) => ranges[pool]).map((pool) => [pool, ranges[pool]]));
}

/**
 * Nexthop ids that cannot be drawn: those of others, and those of heddle's own objects that no claim of the file keeps.
 * What is left over from another file may be a group where a single nexthop is wanted now, and the kernel lets neither
 * take the other's place; under a number of its own the new one is made before the old one goes.
 */
function takenNexthops(claims: readonly OwnedClaim[], facts: Facts, earlier: Numbers): number[] {
  const kept = new Set(claims.map((claim) => earlier.nexthops[claimId(claim)]));
  return [...facts.inUse.nexthops, ...facts.own.nexthops.filter((id) => !kept.has(id))];
}

/** What more than one section wants for itself. */
function claimedTwice(claims: readonly (ExclusiveClaim & { owner: string })[]): Diagnostic[] {
  const first = new Map<string, ExclusiveClaim & { owner: string }>();
  return claims.flatMap((claim): Diagnostic[] => {
    const earlier = first.get(claim.exclusive);
    if (!earlier) first.set(claim.exclusive, claim);
    if (!earlier || earlier.owner === claim.owner) return [];
    return [
      {
        code: "claimed-twice",
        severity: "error",
        summary: `${claim.owner} and ${earlier.owner} both want ${claim.exclusive}`,
        detail: `${earlier.owner} asks for it at ${earlier.from.file}:${earlier.from.start.line}.`,
        remedy: "Leave it to one of them.",
        range: claim.from,
      },
    ];
  });
}

/** Asks every role what its section means on this host, and puts the answers together. */
export function composeIntent(intent: Intent): Outcome<DesiredState> {
  const found: Diagnostic[] = [];
  const wishes: Wish[] = [];
  for (const { role, section, owner, view } of intent.sections) {
    const outcome = role.desire(section, view);
    found.push(...outcome.diagnostics);
    wishes.push({ owner, wanted: outcome.value ?? [] });
  }
  const composed = composeDesired(wishes);
  const diagnostics = inOrderOfLines([...found, ...composed.diagnostics]);
  return hasErrors(diagnostics) || !composed.value ? { diagnostics } : { value: composed.value, diagnostics };
}
