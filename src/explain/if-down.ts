// Owns what would be left of a host's routing if a link went down, or lost its carrier.
//
// Sources: fib_sync_down_dev, fib_disable_ip (net/ipv4/fib_semantics.c, fib_frontend.c), fib6_ifdown (net/ipv6/route.c),
// nh_netdev_event (net/ipv4/nexthop.c), neigh_ifdown, neigh_carrier_down (net/core/neighbour.c), addrconf_ifdown
// (net/ipv6/addrconf.c). Measured on 6.18.
import type { NexthopSpec } from "../model/kinds.ts";
import type { PictureHop, PictureLink, PictureRoute } from "../model/picture.ts";
import type { Routing } from "./routing.ts";

/** Somebody switches the link off, or its far end does. */
export type LinkLoss = "down" | "no-carrier";

/** The host without the link, before anybody else does anything about it. Buckets that led there are shared by weights. */
export function withoutLink(routing: Routing, name: string, loss: LinkLoss): Routing {
  const gone = new Set(routing.nexthops.filter(({ link }) => link === name).map(({ id }) => id));
  const nexthops = routing.nexthops
    .filter(({ id }) => !gone.has(id))
    .map((spec) => withoutMembers(spec, gone))
    .filter(({ members }) => members?.length !== 0);
  const left = new Set(nexthops.map(({ id }) => id));
  const known = new Set(routing.nexthops.map(({ id }) => id));
  return {
    ...routing,
    links: routing.links.map((link) => (link.name === name ? withoutCarrier(link, loss) : link)),
    nexthops,
    ...(routing.buckets
      ? { buckets: routing.buckets.filter((one) => !one.nexthops.some(({ id }) => gone.has(id))) }
      : {}),
    routes: routing.routes
      .filter(({ nexthop }) => nexthop === undefined || left.has(nexthop) || !known.has(nexthop))
      .flatMap((route) => routeWithout(routing, route, name, loss) ?? []),
    ...(routing.neighbours
      ? {
          neighbours: routing.neighbours.filter(
            ({ link, state }) => link !== name || (loss === "no-carrier" && state === "permanent"),
          ),
        }
      : {}),
  };
}

function withoutMembers(spec: NexthopSpec, gone: ReadonlySet<number>): NexthopSpec {
  return spec.members ? { ...spec, members: spec.members.filter(({ id }) => !gone.has(id)) } : spec;
}

function withoutCarrier(link: PictureLink, loss: LinkLoss): PictureLink {
  if (loss === "no-carrier") return { ...link, carrier: false };
  // IPv6 addresses go with the link, those of IPv4 stay.
  const addresses = link.addresses.filter(({ family }) => family === 4);
  return { ...link, up: false, carrier: false, addresses };
}

/** The route as it is then; undefined where it is no more. */
function routeWithout(routing: Routing, route: PictureRoute, name: string, loss: LinkLoss): PictureRoute | undefined {
  if (!route.hops.some(({ link }) => link === name)) return route;
  // The host's own IPv4 addresses stay its own.
  const own = route.type === "local" || (route.family === 6 && route.type === "anycast");
  if (own && (route.family === 4 || loss === "no-carrier")) return route;
  if (route.nexthop !== undefined) return { ...route, hops: route.hops.filter(({ link }) => link !== name) };
  const marks: Pick<PictureHop, "dead" | "linkdown"> =
    loss === "down" ? { dead: true, linkdown: true } : { linkdown: true };
  const hops = route.hops.map((hop) => (hop.link === name ? { ...hop, ...marks } : hop));
  return loss === "down" && hops.every((hop) => isDead(routing, hop, name)) ? undefined : { ...route, hops };
}

/** Whether a hop is dead for good: the kernel lists one that is only passed over for want of a carrier as dead, too. */
function isDead(routing: Routing, { dead, linkdown, link }: PictureHop, gone: string): boolean {
  if (!dead || link === undefined || link === gone) return dead === true;
  return !(linkdown && routing.links.some(({ name, up }) => name === link && up));
}
