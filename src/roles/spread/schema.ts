// Owns what may be written under `spread`.
import * as z from "zod/mini";
import { familyOf } from "../../model/ip.ts";
import { SPREAD_BOUNDS } from "../../model/spread-program.ts";
import { nearCheckSchema } from "../check.ts";
import { address, described, linkName, optional, prefix, wholeNumber } from "../fields.ts";

const weight = wholeNumber(1, 256);

const via = z.pipe(
  z.union([
    address,
    z
      .array(address)
      .check(
        z.refine((all) => new Set(all.map(familyOf)).size === all.length, "expected one next hop for each IP version"),
      ),
  ]),
  z.transform((value: string | string[]) => (typeof value === "string" ? [value] : value)),
);

const share = z.union([
  z.pipe(
    weight,
    z.transform((weight: number): { weight?: number | undefined; via?: string[] | undefined } => ({ weight })),
  ),
  z.strictObject({
    weight: optional("Its share, 1 unless stated; links of 200 and 100 Gbit/s have 2 and 1.", weight),
    via: optional("The next hop behind it, one for each IP version; none where the destinations are on the link.", via),
  }),
]);

/** A link that takes part, as it is written. */
export interface StatedMember {
  link: string;
  weight: number;
  via: string[];
}

const most = `expected at most ${SPREAD_BOUNDS.members} links`;

const members = z.pipe(
  z.union([
    z.array(linkName).check(z.minLength(1, "expected at least one link"), z.maxLength(SPREAD_BOUNDS.members, most)),
    z.record(linkName, share).check(
      z.refine((all) => Object.keys(all).length > 0, "expected at least one link"),
      z.refine((all) => Object.keys(all).length <= SPREAD_BOUNDS.members, most),
    ),
  ]),
  z.transform((value): StatedMember[] =>
    Array.isArray(value)
      ? [...new Set(value)].map((link) => ({ link, weight: 1, via: [] }))
      : Object.entries(value).map(([link, { weight = 1, via = [] }]) => ({ link, weight, via })),
  ),
);

const prefixes = z.pipe(
  z.union([prefix, z.array(prefix).check(z.minLength(1, "expected at least one prefix"))]),
  z.transform((value: string | string[]) => (typeof value === "string" ? [value] : value)),
);

export const spreadSchema = z.strictObject({
  links: described("The links that share the traffic: a list, or a mapping from each to its weight.", members),
  to: optional("Destinations; the subnets of the links unless stated.", prefixes),
  of: optional("Instead of `to`: everything that this one link would carry, were there no spreading.", linkName),
  from: optional(
    "Links by which forwarded packets come in; all but the members unless stated.",
    z.array(linkName).check(z.minLength(1, "expected at least one link")),
  ),
  by: optional(
    '"load" (default): measured loads decide, and flows move only when nothing of theirs is under way. "hash": the weights alone.',
    z.enum(["load", "hash"]),
  ),
  mechanism: optional(
    'How packets come to their link; what the links are decides unless stated. "mark": a mark chooses a routing table, for every link layer. "redirect": behind the route, for links like Ethernet. "fast": before the route and past the IP stack, for routers without packet filters. "nexthop": a resilient group of the kernel\'s, without BPF.',
    z.enum(["mark", "redirect", "fast", "nexthop"]),
  ),
  local: optional("false: what this host itself sends is left alone. It is spread too unless stated.", z.boolean()),
  gap: optional(
    "Milliseconds without a packet after which a flow may move to another link: 20 unless stated.",
    wholeNumber(1, 60_000),
  ),
  check: optional(
    "Next hops are asked all the time, by the agent: a link of which none answers carries nothing, though it has a carrier.",
    nearCheckSchema,
  ),
  busy: optional(
    "Seconds after which a flow that should move and never pauses moves all the same, which may reorder it once. Never unless stated.",
    wholeNumber(1, 86_400),
  ),
});

export type Spread = z.output<typeof spreadSchema>;
