// Owns what may be written under `static`: tables, rules, routes, nexthops and neighbours, in the words of ip-rule(8),
// ip-route(8), ip-nexthop(8) and ip-neighbour(8).
import * as z from "zod/mini";
import {
  address,
  described,
  hardwareAddress,
  linkName,
  name,
  named,
  numberRange,
  optional,
  prefix,
  prefixOrDefault,
  wholeNumber,
} from "../fields.ts";
import { IP_PROTOCOLS } from "../../model/ip-protocols.ts";
import type { LinedRoute } from "./route-lines.ts";

export const MAX_U32 = 0xffffffff;

/** Table id, or a name from `tables` or from rt_tables. */
const table = z.union([wholeNumber(1, MAX_U32), named("a table's name", z.string("expected a table's name, as text"))]);

const family = z.enum(["ipv4", "ipv6", "both"], 'expected "ipv4", "ipv6" or "both"');

/** What one packet can take, of several. */
const hop = z.strictObject({
  via: optional("Gateway.", address),
  link: optional("Link; found by the gateway's subnet unless stated.", linkName),
  weight: optional("Share among the hops, 1 unless stated.", wholeNumber(1, 256)),
  onlink: optional("The gateway is on the link though no subnet says so.", z.boolean()),
});

/** Highest value of each metric that the kernel keeps as it is (fib_metrics.c: ip_metrics_convert); 0 says nothing. And what it is. */
const METRICS = {
  mtu: [65_520, "Largest packet on the way, in bytes."],
  window: [MAX_U32, "Largest TCP window offered, in bytes."],
  rtt: [MAX_U32, "First guess of the round-trip time, in eighths of a millisecond."],
  rttvar: [MAX_U32, "First guess of its variance, in quarters of a millisecond."],
  ssthresh: [MAX_U32, "First guess of TCP's slow start threshold, in packets."],
  cwnd: [MAX_U32, "Upper bound of TCP's congestion window, in packets; counts when locked."],
  advmss: [65_495, "Segment size that TCP advertises, in bytes."],
  reordering: [MAX_U32, "Packets that TCP takes for out of order, not for lost."],
  hoplimit: [255, "Hop limit (TTL) of packets."],
  initcwnd: [MAX_U32, "TCP's congestion window at the start, in packets."],
  features: [0x1f, "Bits: 1 ECN, 2 SACK, 4 timestamps, 8 allfrag, 16 TCP timestamps in microseconds."],
  rto_min: [MAX_U32, "Shortest retransmission time-out of TCP, in milliseconds."],
  initrwnd: [MAX_U32, "TCP's receive window at the start, in packets."],
  quickack: [1, "1: TCP acknowledges at once."],
  fastopen_no_cookie: [1, "1: TCP Fast Open without a cookie."],
} as const;

type MetricName = keyof typeof METRICS;
const METRIC_NAMES = Object.keys(METRICS) as MetricName[];

const metrics = z.strictObject({
  ...(Object.fromEntries(
    METRIC_NAMES.map((key) => [key, optional(METRICS[key][1], wholeNumber(1, METRICS[key][0]))]),
  ) as Record<MetricName, z.ZodMiniOptional<z.ZodMiniType<number, number>>>),
  congctl: optional("Congestion control algorithm.", z.string().check(z.regex(/^[a-z0-9_-]{1,15}$/))),
  lock: optional("Metrics that the kernel must not adapt.", z.array(z.enum([...METRIC_NAMES, "congctl"]))),
});

const scope = z.union([z.enum(["global", "site", "link", "host", "nowhere"]), wholeNumber(0, 255)]);

/** Seconds, as fine as the kernel's clock ticks; its field has 32 bits. */
const seconds = z.number("expected seconds").check(z.gte(0), z.lte(MAX_U32 / 100), z.multipleOf(0.01));

/** Types of routes by their names in ip-route(8). */
export const ROUTE_TYPES = [
  "unicast",
  "local",
  "broadcast",
  "anycast",
  "multicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
] as const;

const route = z.strictObject({
  to: described('Destination prefix, or "default".', prefixOrDefault),
  type: optional("What happens to the packet; unicast unless stated.", z.enum(ROUTE_TYPES)),
  table: optional("Table id or name; main unless stated.", table),
  via: optional("Gateway.", address),
  link: optional("Link; found by the gateway's subnet unless stated.", linkName),
  onlink: optional("The gateway is on the link though no subnet says so.", z.boolean()),
  hops: optional(
    "Several next hops for one route, instead of `via` and `link`.",
    z.array(hop).check(z.minLength(1, "expected at least one hop")),
  ),
  nexthop: optional(
    "Name from `nexthops`, or id of a nexthop object, instead of `via` and `link`.",
    z.union([wholeNumber(1, MAX_U32), named("a nexthop's name", z.string("expected a nexthop's name, as text"))]),
  ),
  source: optional("Source address for packets that have none yet.", address),
  from: optional("IPv6 only: source prefix that the packet must have.", prefix),
  metric: optional("Priority among routes to the same prefix; lower wins.", wholeNumber(0, MAX_U32)),
  tos: optional("IPv4 only: type of service that the packet must have.", wholeNumber(0, 255)),
  scope: optional("IPv4 only: distance of the destination.", scope),
  preference: optional("IPv6 only: router preference.", z.enum(["low", "medium", "high"])),
  metrics: optional("Properties of the path: mtu, advmss and so on.", metrics),
  family: optional("Needed where nothing else tells the IP version.", family),
});

const resilient = z.strictObject({
  buckets: described(
    "Number of buckets that flows are spread over; best some multiple of the members.",
    wholeNumber(1, 65535),
  ),
  idle: optional("Seconds without a packet after which a bucket may change its member; 120 unless stated.", seconds),
  unbalanced: optional("Seconds after which an uneven group is evened by force; 0, never, unless stated.", seconds),
});

const nexthop = z.strictObject({
  via: optional("Gateway.", address),
  link: optional("Link; found by the gateway's subnet unless stated.", linkName),
  onlink: optional("The gateway is on the link though no subnet says so.", z.boolean()),
  blackhole: optional("Packets are dropped, instead of `via` and `link`.", z.boolean()),
  group: optional(
    "Nexthops of this section by name, each with its share, instead of `via` and `link`.",
    z
      .record(name, wholeNumber(1, 256))
      .check(z.refine((members) => Object.keys(members).length > 0, "expected at least one nexthop")),
  ),
  resilient: optional("For a group: flows keep their nexthop as long as it is there.", resilient),
  family: optional(
    "Needed where no gateway tells the IP version.",
    z.enum(["ipv4", "ipv6"], 'expected "ipv4" or "ipv6"'),
  ),
});

const neighbour = z.strictObject({
  address: described("IP address of the neighbour.", address),
  link: described("Link that it is on.", linkName),
  lladdr: optional("Its hardware address: 6 bytes, 20 for InfiniBand.", hardwareAddress),
  state: optional(
    '"permanent" (default), or "noarp", which goes when the link loses its carrier.',
    z.enum(["permanent", "noarp"]),
  ),
  router: optional("IPv6 only: the neighbour is a router.", z.boolean()),
  proxy: optional("This host answers for the address on this link.", z.boolean()),
});

const rule = z.strictObject({
  priority: optional(
    "Place among all rules; lower is asked first; drawn from the range unless stated.",
    wholeNumber(0, MAX_U32),
  ),
  not: optional("Turns the whole match round.", z.boolean()),
  from: optional("Source prefix.", prefix),
  to: optional("Destination prefix.", prefix),
  iif: optional("Link that the packet came in by; lo for what this host sends.", linkName),
  oif: optional("Link that the socket is bound to.", linkName),
  mark: optional("Firewall mark.", wholeNumber(0, MAX_U32)),
  mask: optional("Bits of the mark that count; all unless stated.", wholeNumber(1, MAX_U32)),
  tos: optional("Type of service.", wholeNumber(0, 255)),
  dscp: optional("Differentiated services code point; kernels from 6.13 on.", wholeNumber(0, 63)),
  uids: optional("User id or range of the sending socket's owner.", numberRange(0, MAX_U32 - 1)),
  protocol: optional(
    "IP protocol, by name or number.",
    z.union([wholeNumber(1, 255), z.enum(Object.keys(IP_PROTOCOLS) as [string, ...string[]])]),
  ),
  sport: optional("Source port or range.", numberRange(1, 65535)),
  dport: optional("Destination port or range.", numberRange(1, 65535)),
  table: optional("Table id or name to look the destination up in.", table),
  action: optional("Instead of a table.", z.enum(["nop", "blackhole", "unreachable", "prohibit"])),
  goto: optional("Priority of the rule to go on with, instead of a table.", wholeNumber(1, MAX_U32)),
  suppress_prefixlength: optional("Routes with this prefix length or a shorter one do not count.", wholeNumber(0, 128)),
  suppress_ifgroup: optional("Routes out of links of this group do not count.", wholeNumber(0, 0x7fffffff)),
  family: optional("Needed where no address tells the IP version.", family),
});

/** A path, from the directory of this file unless it begins with a slash. */
const fileName = named(
  "the path of a file",
  z.string("expected the path of a file, as text").check(z.regex(/^[^\0]{1,4096}$/)),
);

export const staticSchema = z.strictObject({
  adopt: optional("Takes equal routes and rules of others over, so that they become heddle's.", z.boolean()),
  tables: optional(
    'Names for tables: an id, or "auto" for one from the range.',
    z.record(name, z.union([wholeNumber(1, MAX_U32), z.literal("auto")])),
  ),
  rules: optional("Rules, asked in the order in which they stand here unless priorities are stated.", z.array(rule)),
  routes: optional("Routes.", z.array(route)),
  routes_from: optional(
    "File of more routes, one a line, beside this file; a list for several.",
    z.union([fileName, z.array(fileName)]),
  ),
  nexthops: optional("Nexthop objects by name; their ids are drawn.", z.record(name, nexthop)),
  neighbours: optional("Neighbour entries, and addresses to answer for.", z.array(neighbour)),
});

/** A section, with the routes that stand in files beside it. */
export interface Static extends z.output<typeof staticSchema> {
  lines?: readonly LinedRoute[];
}
export type StaticRoute = z.output<typeof route>;
export type StaticRule = z.output<typeof rule>;
export type StaticNexthop = z.output<typeof nexthop>;
export type StaticNeighbour = z.output<typeof neighbour>;
export type StaticHop = z.output<typeof hop>;
