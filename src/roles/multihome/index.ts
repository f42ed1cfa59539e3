// Owns the role `multihome`: several links of one host in one subnet, each used for its own addresses.
//
// The trouble: the kernel has a connected route for each link, uses the first for everything, and any link answers ARP
// for every address of the host, so that peers reach an address through the wrong card (TCP is asymmetric, RDMA is
// refused). The cure: a table and source rules for each link, ARP answers for own addresses only, and a stated
// link for what is bound to nothing. Main keeps its connected routes.
import type { Claim } from "../../model/claim.ts";
import type { Diagnostic, Outcome, SourceRange } from "../../model/diagnostic.ts";
import type { LinkFact } from "../../model/facts.ts";
import { addressBits, defaultPrefix, familyOf, parsePrefix, prefixContains } from "../../model/ip.ts";
import { TABLE } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import { isForPeers, ownAddresses } from "../own-addresses.ts";
import type { Role, Section, View } from "../role.ts";
import { wantRoute, wantRule, wantSwitch } from "../wanted.ts";
import { multihomeSchema } from "./schema.ts";
import type { Multihome } from "./schema.ts";
import { chooseLinks } from "./select.ts";
import type { ChosenLink } from "./select.ts";

/** Claim of the table that holds the routes of unbound traffic; no link can be called so. */
const UNBOUND = ":unbound";

/** Claim of three priorities: source rules, what main knows better, the stated link. */
const RULES = "rules";

export const multihome: Role<Multihome> = {
  name: "multihome",
  about: "Several links of this host stand in one subnet, and each shall carry the traffic of its own addresses.",
  schema: multihomeSchema,

  claims(section, links): Claim[] {
    const from = section.at("links");
    const { chosen } = chooseLinks(section, links);
    return [
      ...chosen.map(({ link }): Claim => ({ pool: "tables", name: link.name, from })),
      { pool: "tables", name: UNBOUND, from },
      { pool: "priorities", name: RULES, count: 3, from },
      ...chosen.map(({ link, index }): Claim => ({
        exclusive: `the link ${link.name}`,
        from: section.at("links", index),
      })),
    ];
  },

  desire(section, view): Outcome<Wanted[]> {
    const { chosen, diagnostics } = chooseLinks(section, view.links);
    const wanted = chosen.flatMap((choice) => desireLink(section, choice, view, diagnostics));
    const unbound = unboundLink(section, chosen, diagnostics);
    if (unbound) wanted.push(...desireUnbound(section, unbound, chosen, view));
    return { value: wanted, diagnostics };
  },
};

function desireLink(section: Section<Multihome>, chosen: ChosenLink, view: View, diagnostics: Diagnostic[]): Wanted[] {
  const { link, choice, index } = chosen;
  const from = section.at("links", index);
  const own = ownAddresses(link);
  const tentative = link.addresses.filter((address) => isForPeers(address) && address.tentative);
  for (const { address } of tentative) diagnostics.push(notUsableYet(link, address, from));
  if (own.length === 0 && tentative.length === 0) diagnostics.push(noAddress(link, from));

  const table = view.tables[link.name] as number;
  const priority = view.priorities[RULES] as number;
  const rules = own.map((address) =>
    wantRule({ family: address.family, priority, from: hostPrefix(address.address), table }, from),
  );
  const subnets = unique(own.flatMap((address) => address.subnet ?? []));
  const routes = subnets.map((to) => wantRoute({ family: familyOf(to), table, to, hops: [{ link: link.name }] }, from));
  for (const via of choice.gateway ?? []) {
    const family = familyOf(via);
    if (!own.some((address) => address.family === family)) continue;
    const itself = own.some(({ address }) => address === via);
    const reached = !itself && subnets.some((subnet) => prefixContains(subnet, via));
    if (!reached) diagnostics.push(gatewayOutside(link, via, itself, from));
    else routes.push(wantRoute({ family, table, to: defaultPrefix(family), hops: [{ link: link.name, via }] }, from));
  }
  const sysctls = own.some((address) => address.family === 4) ? desireSysctls(section, link, from) : [];
  return [...sysctls, ...routes, ...rules];
}

function desireSysctls(section: Section<Multihome>, link: LinkFact, from: SourceRange): Wanted[] {
  const { arp = "own", rp_filter = "loose" } = section.value;
  const values: Record<string, string> = {};
  if (arp === "own") Object.assign(values, { arp_ignore: "1", arp_announce: "2" });
  if (rp_filter !== "keep") values["rp_filter"] = rp_filter === "loose" ? "2" : "1";
  return Object.entries(values).map(([name, value]) => wantSwitch(link.name, name, value, from));
}

/**
 * Which link unbound traffic takes where several have the subnet. Which of main's equal routes comes first depends on
 * the order in which the links came up, so the choice is made before main is asked; routes in main that are longer
 * than the subnet are still obeyed.
 */
function desireUnbound(
  section: Section<Multihome>,
  unbound: ChosenLink,
  chosen: readonly ChosenLink[],
  view: View,
): Wanted[] {
  const from = section.value.unbound === undefined ? section.at("links", unbound.index) : section.at("unbound");
  const others = chosen.filter(({ link }) => link !== unbound.link).flatMap(({ link }) => ownAddresses(link));
  const shared = ownAddresses(unbound.link).filter(
    (own, position, all) =>
      own.subnet !== undefined &&
      all.findIndex((earlier) => earlier.subnet === own.subnet) === position &&
      others.some((other) => other.subnet === own.subnet),
  );
  const table = view.tables[UNBOUND] as number;
  const priority = view.priorities[RULES] as number;
  return shared.flatMap(({ family, address, subnet: to = "" }) => [
    wantRoute({ family, table, to, hops: [{ link: unbound.link.name }], source: address }, from),
    wantRule(
      {
        family,
        priority: priority + 1,
        to,
        table: TABLE.main,
        suppressPrefixLength: parsePrefix(to)?.length ?? 0,
      },
      from,
    ),
    wantRule({ family, priority: priority + 2, to, table }, from),
  ]);
}

function unboundLink(
  section: Section<Multihome>,
  chosen: readonly ChosenLink[],
  diagnostics: Diagnostic[],
): ChosenLink | undefined {
  const stated = section.value.unbound;
  if (stated === undefined) return chosen[0];
  if (stated === "any") return undefined;
  const found = chosen.find(({ link }) => link.name === stated || link.altNames?.includes(stated));
  if (!found) {
    diagnostics.push({
      code: "waiting-link",
      severity: "warning",
      summary: `unbound traffic is to take ${stated}, which is not among the links`,
      detail: `The links are ${chosen.map(({ link }) => link.name).join(", ") || "none"}. Until it is there, the kernel chooses.`,
      remedy: "Name one of the links, or leave `unbound` out for the first one.",
      range: section.at("unbound"),
    });
  }
  return found;
}

function hostPrefix(address: string): string {
  return `${address}/${addressBits(familyOf(address))}`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function noAddress(link: LinkFact, range: SourceRange): Diagnostic {
  return {
    code: "waiting-address",
    severity: "warning",
    summary: `${link.name} has no usable address`,
    detail: "Nothing can be bound to it, so it gets no table and no rules.",
    remedy: "Give it an address, then apply again.",
    range,
  };
}

function notUsableYet(link: LinkFact, address: string, range: SourceRange): Diagnostic {
  return {
    code: "waiting-address",
    severity: "warning",
    summary: `${address} of ${link.name} is not usable yet`,
    detail: "It is still being probed for duplicates, or a duplicate was found.",
    remedy: "Apply again when the probe is over, usually after two seconds.",
    range,
  };
}

function gatewayOutside(link: LinkFact, via: string, itself: boolean, range: SourceRange): Diagnostic {
  const addresses = link.addresses.map((own) => own.address).join(", ");
  return {
    code: "gateway-outside",
    severity: "error",
    summary: itself
      ? `${via} is ${link.name}'s own address, not a gateway`
      : `${link.name} does not reach its gateway ${via}`,
    detail: itself
      ? "Traffic cannot leave by oneself."
      : `No subnet of the link contains it; its addresses are ${addresses}.`,
    remedy: "Name a gateway inside a subnet of the link.",
    range,
  };
}
