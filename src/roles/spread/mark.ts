// Owns the mechanism `mark`: a table for each link, and a rule for each that leads those who have its mark there.
//
// A table that has no answer (its link is down, or does not reach the destination) leaves the packet to the next rule:
// spreading loses nobody's packets.
import { defaultPrefix, familyOf, prefixContains } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import type { Wanted } from "../../model/objects.ts";
import { ownAddresses } from "../own-addresses.ts";
import type { Section } from "../role.ts";
import { wantRoute, wantRule, wantSwitch } from "../wanted.ts";
import { subnetsOf, viaOf } from "./members.ts";
import type { Member } from "./members.ts";
import type { Spread } from "./schema.ts";

/** What the section drew. */
interface Drawn {
  priority: number;
  mask: number;
  shift: number;
  tables: Readonly<Record<string, number>>;
}

/** The tables of the members and the rules that lead to them. */
export function desireTables(
  section: Section<Spread>,
  members: readonly Member[],
  to: readonly string[],
  { priority, mask, shift, tables }: Drawn,
): Wanted[] {
  return members.flatMap((member): Wanted[] => {
    const stated = section.value.links[member.number - 1]?.link ?? member.link.name;
    const table = tables[stated] as number;
    const routes = routesOf(section, member, to, table);
    const families = [...new Set(routes.map(({ spec }) => spec.family))];
    const mark = (member.number << shift) >>> 0;
    const rules = families.map((family) =>
      wantRule({ family, priority, mark, mask, table }, section.at("links", member.number - 1)),
    );
    return [...routes, ...rules];
  });
}

function routesOf(
  section: Section<Spread>,
  { link, via, number }: Member,
  to: readonly string[],
  table: number,
): Wanted<"route">[] {
  const from = section.at("links", number - 1);
  const own = ownAddresses(link);
  const sourceOf = (family: Family, within: string): { source?: string } => {
    const near = own.find(({ subnet }) => subnet !== undefined && prefixContains(subnet, within));
    const source = (near ?? own.find((one) => one.family === family))?.address;
    return source === undefined ? {} : { source };
  };
  const direct = (prefix: string): boolean => own.some(({ subnet }) => subnet && prefixContains(subnet, prefix));
  // A next hop has to be reached by the table itself, whatever main says.
  const subnets = subnetsOf(link).filter(
    (subnet) => via.some((hop) => prefixContains(subnet, hop)) || section.value.of !== undefined || to.includes(subnet),
  );
  const onLink = [...new Set([...subnets, ...to.filter(direct)])];
  const byHop =
    section.value.of === undefined
      ? to.filter((prefix) => !direct(prefix))
      : via.map((hop) => defaultPrefix(familyOf(hop)));
  return [
    ...onLink.map((prefix) => {
      const family = familyOf(prefix);
      return wantRoute({ family, table, to: prefix, hops: [{ link: link.name }], ...sourceOf(family, prefix) }, from);
    }),
    ...byHop.flatMap((prefix) => {
      const family = familyOf(prefix);
      const hop = viaOf(via, family);
      if (hop === undefined) return [];
      const hops = [{ link: link.name, via: hop }];
      return [wantRoute({ family, table, to: prefix, hops, ...sourceOf(family, hop) }, from)];
    }),
  ];
}

/**
 * What the members need to be used at once: answers come in by any of them, whichever one routing prefers; a link
 * without a carrier is passed over by the kernel itself; and each tells neighbours its own address only.
 */
export function desireLinkSwitches(
  section: Section<Spread>,
  members: readonly Member[],
  to: readonly string[],
): Wanted[] {
  const families = new Set(to.map(familyOf));
  return members.flatMap(({ link, number }): Wanted[] => {
    const from = section.at("links", number - 1);
    const ipv6: Wanted = {
      kind: "sysctl",
      spec: { path: `net/ipv6/conf/${link.name}/ignore_routes_with_linkdown`, value: "1" },
      from,
    };
    return [
      ...(families.has(4)
        ? [
            wantSwitch(link.name, "rp_filter", "2", from),
            wantSwitch(link.name, "arp_announce", "2", from),
            wantSwitch(link.name, "ignore_routes_with_linkdown", "1", from),
          ]
        : []),
      ...(families.has(6) ? [ipv6] : []),
    ];
  });
}
