// Owns what VRFs do to a packet before rules are asked: which table is theirs, and which link it is said to come in by.
//
// Sources: l3mdev_update_flow (net/l3mdev/l3mdev.c), since 5.19; vrf_ip_rcv, vrf_ip6_rcv (drivers/net/vrf.c).
import type { PictureLink } from "../model/picture.ts";
import { contains, rangeOf } from "../model/prefix.ts";
import type { Flow } from "./packet.ts";
import { indexOf } from "./routing.ts";
import type { Routing } from "./routing.ts";

const LINK_LOCAL = rangeOf("fe80::/10");
const MULTICAST = rangeOf("ff00::/8");

/** The VRF that a link is in, or is; undefined where it is in none. */
export function vrfOfLink(routing: Routing, name: string | undefined): PictureLink | undefined {
  const { links } = indexOf(routing);
  const link = name === undefined ? undefined : links.get(name);
  if (link?.vrfTable !== undefined) return link;
  const vrf = link?.vrf === undefined ? undefined : links.get(link.vrf);
  return vrf?.vrfTable === undefined ? undefined : vrf;
}

/** The name of the VRF that a link is in, or is (l3mdev_master_ifindex_rcu). */
export function domainOf({ name, vrf, vrfTable }: PictureLink): string | undefined {
  return vrf ?? (vrfTable === undefined ? undefined : name);
}

/**
 * The link whose addresses a packet gets its source from: the one that it leaves by, or its VRF where a route leads out of
 * that (fib_select_path in net/ipv4/fib_semantics.c, ip6_route_get_saddr in include/net/ip6_route.h; since 6.11, and in
 * later versions of older kernels).
 */
export function sourceLink(routing: Routing, flow: Flow, link: string | undefined): string | undefined {
  const vrf = vrfOf(routing, flow);
  return vrf && vrfOfLink(routing, link)?.name !== vrf.name ? vrf.name : link;
}

/** The VRF in which a packet is routed: that of the link it is bound to, or came in by. */
export function vrfOf(routing: Routing, { vrf, oif, iif }: Flow): PictureLink | undefined {
  return vrfOfLink(routing, vrf ?? oif ?? iif);
}

/** What came in by a link of a VRF is taken to come in by the VRF, but for IPv6's addresses that mean another thing on each link. */
export function comeIn(routing: Routing, flow: Flow): Flow {
  const vrf = flow.local ? undefined : vrfOfLink(routing, flow.iif);
  if (!vrf || (flow.family === 6 && [LINK_LOCAL, MULTICAST].some((range) => contains(range, flow.to)))) return flow;
  return { ...flow, iif: vrf.name };
}

/** The flow as rules and tables see it. A VRF is no link to leave by: who is bound to it leaves by any link in it. */
export function inVrf(routing: Routing, flow: Flow): Flow {
  const vrf = vrfOf(routing, flow);
  if (!vrf) return flow;
  const { oif, ...unbound } = flow;
  const isVrf = oif !== undefined && indexOf(routing).links.get(oif)?.vrfTable !== undefined;
  return { ...(isVrf ? unbound : flow), vrf: vrf.name, ...(oif === undefined ? {} : { vrfOut: true }) };
}
