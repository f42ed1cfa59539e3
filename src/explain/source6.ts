// Owns which IPv6 address a packet without one gets: RFC 6724 as the kernel has it.
//
// Sources: ipv6_dev_get_saddr, ipv6_get_saddr_eval (net/ipv6/addrconf.c), __ipv6_addr_type (net/ipv6/addrconf_core.c),
// ip6addrlbl_init_table (net/ipv6/addrlabel.c). Labels that somebody has changed (ip addrlabel) are not in a picture.
import type { PictureAddress, PictureLink, PictureRoute } from "../model/picture.ts";
import { contains, rangeOf } from "../model/prefix.ts";
import type { Range } from "../model/prefix.ts";
import { indexOf } from "./routing.ts";
import type { Routing } from "./routing.ts";
import { hostOf } from "./source4.ts";
import { numberOf } from "./switches.ts";
import { domainOf } from "./vrf.ts";

/** Scopes of addresses (RFC 4291, 2.7; IPV6_ADDR_SCOPE_*). */
const SCOPE = { none: -1, link: 2, site: 5, global: 14 } as const;

/** Policy of RFC 6724, 2.1 with the kernel's additions; the longest prefix that matches decides. */
const LABELS: readonly { prefix: Range; label: number }[] = (
  [
    ["::1/128", 0],
    ["::/96", 3],
    ["::ffff:0:0/96", 4],
    ["2001::/32", 6],
    ["2001:10::/28", 7],
    ["3ffe::/16", 12],
    ["2002::/16", 2],
    ["fec0::/10", 11],
    ["fc00::/7", 5],
    ["::/0", 1],
  ] as const
).map(([prefix, label]) => ({ prefix: rangeOf(prefix), label }));

const MULTICAST = rangeOf("ff00::/8");
const LINK_LOCAL = rangeOf("fe80::/10");
const SITE_LOCAL = rangeOf("fec0::/10");
const LOOPBACK = rangeOf("::1");
const MAPPED = rangeOf("::ffff:0:0/96");
const COMPATIBLE = rangeOf("::/96");
const ORCHID = rangeOf("2001:10::/28");
const ANY = rangeOf("::");

/** The source of a packet by a route: the route's own, or the best of the host's; undefined where there is none. */
export function sourceOfRoute6(
  routing: Routing,
  route: PictureRoute | undefined,
  link: string | undefined,
  to: Range,
): string | undefined {
  return route?.source ?? selectAddress6(routing, link, to);
}

/** The best address for a destination by a link; without a link, of all. */
export function selectAddress6(routing: Routing, link: string | undefined, to: Range): string | undefined {
  const { links } = indexOf(routing);
  const out = link === undefined ? undefined : links.get(link);
  const destination: Destination = { to, scope: scopeOf(to), label: labelOf(to), link: out?.name };
  const near = contains(MULTICAST, to) || destination.scope <= SCOPE.link;
  const onlyOut = out && (near || numberOf(routing, `net/ipv6/conf/${out.name}/use_oif_addrs_only`) === 1);
  const asked = onlyOut ? [out] : routing.links.filter((link) => domainOf(link) === (out && domainOf(out)));
  let best: Scored | undefined;
  for (const one of asked) best = bestOf(routing, one, destination, best);
  return best && hostOf(best.spec);
}

interface Destination {
  to: Range;
  scope: number;
  label: number;
  link: string | undefined;
}

/** A candidate; `values` are asked for one by one, the first difference decides. */
interface Scored {
  spec: PictureAddress;
  values: number[];
}

function bestOf(routing: Routing, link: PictureLink, destination: Destination, earlier?: Scored): Scored | undefined {
  let best = earlier;
  for (const spec of link.addresses) {
    if (spec.family !== 6 || (spec.tentative && !spec.optimistic) || spec.dadFailed) continue;
    const own = rangeOf(hostOf(spec));
    if (contains(MULTICAST, own) || own.network === ANY.network) continue;
    const scored = { spec, values: score(routing, link, spec, own, destination) };
    const at = best ? scored.values.findIndex((value, i) => value !== best?.values[i]) : 0;
    if (!best || (at >= 0 && (scored.values[at] ?? 0) > (best.values[at] ?? 0))) best = scored;
  }
  return best;
}

function score(
  routing: Routing,
  link: PictureLink,
  spec: PictureAddress,
  own: Range,
  { to, scope, label, link: out }: Destination,
): number[] {
  const wide = scopeOf(own);
  const temporary = numberOf(routing, `net/ipv6/conf/${link.name}/use_tempaddr`) ?? 0;
  const special = contains(MAPPED, own) || contains(COMPATIBLE, own);
  return [
    yes(own.network === to.network),
    // The smallest scope that is enough; else the largest.
    wide >= scope ? -wide : wide - 128,
    yes(special || !(spec.deprecated || spec.optimistic)),
    yes(out === undefined || out === link.name),
    yes(labelOf(own) === label),
    yes((spec.temporary !== true) !== temporary >= 2),
    yes(contains(ORCHID, own) === contains(ORCHID, to)),
    Math.min(commonBits(own, to), Number(spec.address.split("/")[1] ?? 128)),
    yes(!spec.optimistic),
  ];
}

function yes(is: boolean): number {
  return is ? 1 : 0;
}

/** How far an address reaches. */
function scopeOf(range: Range): number {
  if (range.network === ANY.network) return SCOPE.none;
  if (contains(MULTICAST, range)) return Number((range.network >> 112n) & 0xfn);
  if (contains(LINK_LOCAL, range) || contains(LOOPBACK, range)) return SCOPE.link;
  return contains(SITE_LOCAL, range) ? SCOPE.site : SCOPE.global;
}

function labelOf(range: Range): number {
  return LABELS.find(({ prefix }) => contains(prefix, range))?.label ?? 1;
}

/** Bits from the top that two addresses have in common. */
function commonBits(a: Range, b: Range): number {
  const difference = a.network ^ b.network;
  return difference === 0n ? 128 : 128 - difference.toString(2).length;
}
