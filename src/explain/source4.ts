// Owns which IPv4 address a packet without one gets.
//
// Sources: fib_result_prefsrc, fib_info_update_nhc_saddr (net/ipv4/fib_semantics.c), inet_select_addr, in_dev_select_addr
// (net/ipv4/devinet.c).
import { networkOf, parsePrefix } from "../model/ip.ts";
import type { PictureAddress, PictureHop, PictureLink, PictureRoute } from "../model/picture.ts";
import { contains, rangeOf } from "../model/prefix.ts";
import { scopeNumber } from "../model/scope.ts";
import { impliedScope } from "../plan/kinds/route.ts";
import { indexOf } from "./routing.ts";
import type { Routing } from "./routing.ts";
import { largerOf } from "./switches.ts";
import { domainOf } from "./vrf.ts";

/** Scopes of addresses that are looked for: as wide as the link, or as the host. */
export const SCOPE = { link: scopeNumber("link"), host: scopeNumber("host") } as const;

/** The source that goes with a hop of a route: the route's own, or the one that the link has for the gateway. */
export function sourceOfHop(routing: Routing, route: PictureRoute, hop: PictureHop): string | undefined {
  if (route.source !== undefined) return route.source;
  const via = hop.via?.includes(":") ? undefined : hop.via;
  return selectAddress4(routing, hop.link, via, scopeNumber(route.scope ?? impliedScope(route)));
}

/**
 * The address of a link that is near `towards`, or its first, none of which may have a scope that is narrower than
 * `scope`; when the link has none, that of another link. Undefined where there is none at all.
 */
export function selectAddress4(
  routing: Routing,
  link: string | undefined,
  towards: string | undefined,
  scope: number,
): string | undefined {
  const { links } = indexOf(routing);
  const own = link === undefined ? undefined : links.get(link);
  const localnet = own && (largerOf(routing, own.name, "route_localnet") ?? 0) > 0 ? SCOPE.link : SCOPE.host;
  const fitting = (own ? firstOfSubnets(own) : []).filter(
    (spec) => Math.min(scopeNumber(spec.scope), localnet) <= scope,
  );
  const near = towards === undefined ? undefined : fitting.find((spec) => isNear(spec, towards));
  const chosen = near ?? fitting[0];
  if (chosen) return hostOf(chosen);
  const vrf = own && domainOf(own);
  const master = vrf === undefined ? [] : [links.get(vrf)].filter((one) => one !== undefined);
  for (const other of [...master, ...routing.links.filter((one) => domainOf(one) === vrf)]) {
    const spec = firstOfSubnets(other).find((one) => one.scope !== "link" && scopeNumber(one.scope) <= scope);
    if (spec) return hostOf(spec);
  }
  return undefined;
}

/** The IPv4 addresses of a link that are the first of their subnets, in the kernel's order. */
function firstOfSubnets(link: PictureLink): PictureAddress[] {
  return link.addresses.filter(({ family, secondary }) => family === 4 && !secondary);
}

/** Whether an address is in the subnet of one of a link's own (inet_ifa_match). */
export function isNear({ address, peer }: PictureAddress, other: string): boolean {
  const length = parsePrefix(address)?.length ?? 32;
  const subnet = rangeOf(networkOf(`${peer ?? hostOf({ address })}/${length}`));
  return contains(subnet, rangeOf(other));
}

/** The address itself, without the length of its subnet. */
export function hostOf({ address }: Pick<PictureAddress, "address">): string {
  return parsePrefix(address)?.address ?? address;
}
