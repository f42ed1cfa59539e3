// Owns the table of a section: its link's subnets, the routes that it states, the gateways, and what stands behind them.
import type { Diagnostic, SourceRange } from "../../model/diagnostic.ts";
import type { LinkFact } from "../../model/facts.ts";
import { defaultPrefix, familyOf, prefixContains } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import type { Hop } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import { linkLocalSubnets, ownAddresses } from "../own-addresses.ts";
import type { OwnAddress } from "../own-addresses.ts";
import type { Section, View } from "../role.ts";
import { wantRoute } from "../wanted.ts";
import { desireWatched } from "./gateways.ts";
import type { Egress } from "./schema.ts";
import { desireProbes, LAST_METRIC } from "./through.ts";

/** Where a section's packets are led. */
export interface Place {
  table: number;
  /** Absent while the host has none of the name. */
  link: LinkFact | undefined;
  /** Priority of the rules of probes, where targets behind the gateways are asked. */
  probes?: number;
}

/** The routes of one IP version in the section's table, and those of its probes. */
export function desireWay(
  section: Section<Egress>,
  family: Family,
  place: Place,
  view: View,
  diagnostics: Diagnostic[],
): Wanted[] {
  const { otherwise = "unreachable" } = section.value;
  // In place before anything else, whatever becomes of the link, its addresses and the gateways.
  const closed =
    otherwise === "main"
      ? []
      : [
          wantRoute(
            {
              family,
              table: place.table,
              to: defaultPrefix(family),
              type: "unreachable",
              metric: LAST_METRIC,
              hops: [],
            },
            section.at("otherwise"),
          ),
        ];
  return [...closed, ...desireStated(section, family, place, view, diagnostics)];
}

/** The source address for what leaves by the section: stated, or the link's own in the gateway's subnet. */
export function sourceOf(section: Section<Egress>, family: Family, link: LinkFact | undefined): string | undefined {
  const stated = section.value.source?.find((one) => familyOf(one) === family);
  if (stated !== undefined) return stated;
  const own = link ? ownAddresses(link).filter((address) => address.family === family) : [];
  const vias = (section.value.gateways ?? []).map(({ via }) => via).filter((via) => familyOf(via) === family);
  return (own.find((address) => vias.some((via) => reaches(address, via))) ?? own[0])?.address;
}

function desireStated(
  section: Section<Egress>,
  family: Family,
  { table, link, probes }: Place,
  view: View,
  diagnostics: Diagnostic[],
): Wanted[] {
  const { routes = [], gateways = [] } = section.value;
  const own = link ? ownAddresses(link).filter((address) => address.family === family) : [];
  const source = sourceOf(section, family, link);
  const isReached = (via: string, range: SourceRange): boolean => {
    // A link that is not there, or has no address yet, is told of once, and not once for every gateway.
    if (!link || own.length === 0) return false;
    if (own.some((address) => address.address !== via && reaches(address, via))) return true;
    diagnostics.push(gatewayOutside(via, link, range));
    return false;
  };
  const wanted: Wanted[] = [];
  for (const [index, { to, via }] of routes.entries()) {
    const from = section.at("routes", index);
    if (familyOf(to) !== family) continue;
    // The look-up goes on with the next rule.
    if (via === "main") wanted.push(wantRoute({ family, table, to, type: "throw", hops: [] }, from));
    else if (via === undefined && own.length > 0) wanted.push(byLink(section, family, table, to, {}, source, from));
    else if (via !== undefined && isReached(via, from)) {
      wanted.push(byLink(section, family, table, to, { via }, source, from));
    }
  }
  const stated = new Set(routes.map(({ to }) => to));
  for (const subnet of new Set(own.flatMap((address) => address.subnet ?? []))) {
    if (!stated.has(subnet)) wanted.push(byLink(section, family, table, subnet, {}, source, section.at("link")));
  }
  // Without these, what is for a peer's link-local address on this very link would go to the gateway. What is for one on
  // another link finds no route here, as only those by that link count (rt6_need_strict, net/ipv6/route.c), and goes on.
  for (const subnet of family === 6 && link ? linkLocalSubnets(link) : []) {
    if (!stated.has(subnet)) wanted.push(byLink(section, family, table, subnet, {}, undefined, section.at("link")));
  }
  const from = section.at("gateways");
  const hops = gateways.flatMap(({ via, weight }, index): Hop[] => {
    if (familyOf(via) !== family || !isReached(via, section.at("gateways", index))) return [];
    return [{ link: section.value.link, via, ...(weight === undefined ? {} : { weight }) }];
  });
  if (probes !== undefined) wanted.push(...desireProbes(section, view, { family, priority: probes, source }, hops));
  if (hops.length > 0 && section.value.check) {
    const way = { family, table, ...(source === undefined ? {} : { source }) };
    wanted.push(...desireWatched(section, view, way, hops, from));
  } else if (hops.length > 0) {
    const to = defaultPrefix(family);
    wanted.push(wantRoute({ family, table, to, hops, ...(source === undefined ? {} : { source }) }, from));
  }
  return wanted;
}

function byLink(
  section: Section<Egress>,
  family: Family,
  table: number,
  to: string,
  hop: Hop,
  source: string | undefined,
  from: SourceRange,
): Wanted {
  const hops = [{ link: section.value.link, ...hop }];
  return wantRoute({ family, table, to, hops, ...(source === undefined ? {} : { source }) }, from);
}

function reaches({ family, subnet }: OwnAddress, via: string): boolean {
  return familyOf(via) === family && subnet !== undefined && prefixContains(subnet, via);
}

function gatewayOutside(via: string, link: LinkFact, range: SourceRange): Diagnostic {
  const addresses = link.addresses.map(({ address }) => address).join(", ");
  return {
    code: "waiting-gateway",
    severity: "warning",
    summary: `${link.name} does not reach the gateway ${via}`,
    detail: `No subnet of the link contains it; its addresses are ${addresses}. It is left out until one does.`,
    remedy: "Name a gateway inside a subnet of the link, or give the link an address in the gateway's.",
    range,
  };
}
