// Owns which links take part and what is spread over them, on this host.
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { LinkFact } from "../../model/facts.ts";
import { familyOf, prefixContains } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import { nearest } from "../../model/nearest.ts";
import { ownAddresses } from "../own-addresses.ts";
import type { Section, View } from "../role.ts";
import type { Spread } from "./schema.ts";

/** A link that takes part and is there. */
export interface Member {
  /** Its place in the file, from 1: it keeps it while others are away. */
  number: number;
  link: LinkFact;
  weight: number;
  /** At most one for each IP version. */
  via: string[];
}

/** The members that this host has, and a warning for each that it has not. */
export function chooseMembers(
  section: Section<Spread>,
  links: readonly LinkFact[],
  diagnostics: Diagnostic[],
): Member[] {
  return section.value.links.flatMap(({ link: name, weight, via }, index): Member[] => {
    const link = links.find((one) => one.name === name || one.altNames?.includes(name));
    if (link) return [{ number: index + 1, link, weight, via }];
    const guess = nearest(
      name,
      links.map((one) => one.name),
    );
    diagnostics.push({
      code: "waiting-link",
      severity: "warning",
      summary: `this host has no link ${name}`,
      detail: `${guess === undefined ? "" : `Did you mean "${guess}"? `}Until it is there, the other links carry its share.`,
      remedy: "Correct the name, or apply again when the link is there.",
      range: section.at("links", index),
    });
    return [];
  });
}

/** The destinations, and the members that reach all of them. */
export interface Ways {
  to: string[];
  members: Member[];
}

/**
 * The destinations: those stated, or the subnets of the links. A member that reaches one of them neither directly nor by
 * a next hop is left out, with a warning: a packet that went by it would be lost.
 */
export function findWays(
  section: Section<Spread>,
  present: readonly Member[],
  view: View,
  mechanism: string,
  diagnostics: Diagnostic[],
): Ways {
  const { to, of } = section.value;
  const families: Family[] = view.features.ipv6 ? [4, 6] : [4];
  const usable = (prefix: string): boolean => families.includes(familyOf(prefix));
  const subnets = [...new Set(present.flatMap(({ link }) => subnetsOf(link)))].filter(usable);
  if (of !== undefined && mechanism === "nexthop") diagnostics.push(ofNeedsPrograms(section));
  if (to === undefined && subnets.length === 0 && present.length > 0) diagnostics.push(nothingToSpread(section));
  const destinations = to?.filter(usable) ?? subnets;
  const members = present.filter(({ link, via, number }) => {
    const unreached =
      of === undefined
        ? destinations.find((prefix) => !reaches(link, via, prefix))
        : via.length === 0 && subnetsOf(link).length === 0
          ? `what ${of} carries`
          : undefined;
    if (unreached !== undefined) diagnostics.push(cannotReach(section, link, number, unreached));
    return unreached === undefined;
  });
  return { to: destinations, members };
}

/** Subnets of a link's usable addresses. */
export function subnetsOf(link: LinkFact): string[] {
  return [...new Set(ownAddresses(link).flatMap(({ subnet }) => subnet ?? []))];
}

/** The next hop of the version, if one is stated. */
export function viaOf(via: readonly string[], family: Family): string | undefined {
  return via.find((address) => familyOf(address) === family);
}

function reaches(link: LinkFact, via: readonly string[], prefix: string): boolean {
  return viaOf(via, familyOf(prefix)) !== undefined || subnetsOf(link).some((subnet) => prefixContains(subnet, prefix));
}

function cannotReach(section: Section<Spread>, link: LinkFact, number: number, prefix: string): Diagnostic {
  const subnets = subnetsOf(link).join(", ");
  return {
    code: "waiting-next-hop",
    severity: "warning",
    summary: `${link.name} does not reach ${prefix}`,
    detail: `${subnets ? `Its subnets are ${subnets}` : "It has no address"}, and no next hop is stated for it. It is left out until it does.`,
    remedy: `State one: \`links: { ${link.name}: { via: ADDRESS } }\`, or give the link an address in the prefix.`,
    range: section.at("links", number - 1),
  };
}

function nothingToSpread(section: Section<Spread>): Diagnostic {
  return {
    code: "waiting-address",
    severity: "warning",
    summary: "the links have no usable addresses, so that there are no destinations",
    detail: "Without `to`, the subnets of the links are meant.",
    remedy: "Give the links addresses, or state `to`.",
    range: section.at("links"),
  };
}

function ofNeedsPrograms(section: Section<Spread>): Diagnostic {
  return {
    code: "of-needs-programs",
    severity: "error",
    summary: "`of` cannot be had with the mechanism `nexthop`",
    detail: "A group of nexthops is asked for by prefixes; only a program can ask which link a packet would take.",
    remedy: "State `to` instead.",
    range: section.at("of"),
  };
}
