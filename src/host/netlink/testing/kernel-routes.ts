// Owns random routes that a kernel takes, each as our message, as ip's command, and as the kernel lists it.
import fc from "fast-check";
import type { RouteMetrics } from "../../../model/kinds.ts";
import type { HopMessage } from "../hops.ts";
import type { RouteMessage } from "../route.ts";
import { indexOf } from "./test-namespace.ts";

/** A route in its three shapes. */
export interface KernelRoute {
  message: RouteMessage;
  /** A line for `ip -batch` with the family said. */
  command: string;
  listed: RouteMessage;
}

type Way = Pick<RouteMessage, "type" | "scope"> & Partial<RouteMessage>;

const link = fc.integer({ min: 0, max: 2 });
const last = fc.integer({ min: 2, max: 250 });
const LOCKABLE = ["mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit"] as const;

/** An address on the subnet of link vk, in its canonical form. */
function near(family: 4 | 6, k: number, end: number): string {
  if (family === 4) return `10.9.${k}.${end}`;
  return `${k === 0 ? "fd00" : `fd00:${k}`}::${end.toString(16)}`;
}

const far = (family: 4 | 6, end: number) => (family === 4 ? `192.0.2.${end}` : `2001:db8:ffff::${end.toString(16)}`);

const hop = (family: 4 | 6): fc.Arbitrary<HopMessage> =>
  fc
    .record({
      k: link,
      end: last,
      weight: fc.integer({ min: 1, max: 256 }),
      kind: fc.constantFrom("near", "far", "other"),
    })
    .map(({ k, end, weight, kind }) => {
      const base = { oif: indexOf(k), weight, flags: 0 };
      if (kind === "far") return { ...base, gateway: far(family, end), onlink: true };
      return { ...base, gateway: kind === "other" && family === 4 ? near(6, k, end) : near(family, k, end) };
    });

const distinctHops = (family: 4 | 6) =>
  fc.uniqueArray(hop(family), { minLength: 2, maxLength: 4, selector: (one) => `${one.oif} ${one.gateway}` });

function way(family: 4 | 6): fc.Arbitrary<Way> {
  const single = hop(family).map(({ oif, gateway: via, onlink }): Way => {
    const base = { type: "unicast" as const, scope: 0, oif, gateway: via as string };
    return onlink === true ? { ...base, onlink } : base;
  });
  const device = link.map((k): Way => ({ type: "unicast", scope: family === 4 ? 253 : 0, oif: indexOf(k) }));
  const several = distinctHops(family).map((hops): Way => ({ type: "unicast", scope: 0, hops }));
  const object = fc
    .constantFrom(0, 1, 2)
    .map((n): Way => ({ type: "unicast", scope: 0, nexthop: family === 4 ? 10 + n : 20 + n }));
  const reject = fc
    .constantFrom("blackhole" as const, "unreachable" as const, "prohibit" as const, "throw" as const)
    .map((type): Way => ({ type, scope: 0 }));
  const local = link.map((k): Way => ({ type: "local", scope: family === 4 ? 254 : 0, oif: indexOf(k) }));
  // All that a kernel takes beside these; it refuses nat and xresolve.
  const special = fc
    .record({ type: fc.constantFrom("broadcast" as const, "anycast" as const, "multicast" as const), k: link })
    .map(({ type, k }): Way => ({ type, scope: family === 4 ? 253 : 0, oif: indexOf(k) }));
  return fc.oneof(single, single, device, several, object, reject, local, special);
}

const small = fc.integer({ min: 1, max: 200 });
const metrics: fc.Arbitrary<RouteMetrics> = fc
  .record(
    {
      mtu: fc.integer({ min: 1280, max: 9000 }),
      window: small,
      rtt: small,
      rttvar: small,
      ssthresh: small,
      cwnd: small,
      advmss: fc.integer({ min: 500, max: 9000 }),
      reordering: small,
      hoplimit: fc.integer({ min: 1, max: 255 }),
      initcwnd: small,
      features: fc.constant(1),
      rto_min: small,
      initrwnd: small,
      quickack: fc.constant(1),
      congctl: fc.constantFrom("cubic", "reno"),
      fastopen_no_cookie: fc.constant(1),
      lock: fc.subarray([...LOCKABLE], { minLength: 1 }),
    },
    { requiredKeys: [] },
  )
  .map((given) => {
    const { lock: asked = [], ...plain } = given;
    const lock = asked.filter((name) => given[name] !== undefined) as string[];
    // ip locks this one without being asked.
    if (given.rto_min !== undefined) lock.push("rto_min");
    return lock.length === 0 ? plain : { ...plain, lock };
  })
  .filter((given) => Object.keys(given).length > 0);

/** ip takes realms of at most 255. */
const realms = fc
  .tuple(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 1, max: 255 }))
  .map(([a, b]) => a * 65536 + b);

interface Rest {
  table: number;
  protocol: number;
  bits: number;
  priority?: number;
  tos?: number;
  sourced?: boolean;
  metrics?: RouteMetrics;
  realms?: number;
  preference?: number;
  subtree?: boolean;
}

const rest = (family: 4 | 6): fc.Arbitrary<Rest> =>
  fc.record(
    {
      table: fc.constantFrom(100, 254, 255, 256, 70_000, 4294967295),
      protocol: fc.constantFrom(3, 4, 72, 186, 250),
      bits: fc.integer({ min: family === 4 ? 24 : 48, max: family === 4 ? 32 : 128 }),
      priority: fc.integer({ min: 1, max: 4294967295 }),
      tos: fc.constantFrom(4, 0x10, 0x18),
      sourced: fc.boolean(),
      metrics,
      realms,
      preference: fc.constantFrom(0, 1, 3),
      subtree: fc.boolean(),
    },
    { requiredKeys: ["table", "protocol", "bits"] },
  );

/** Routes whose destinations differ. */
export function kernelRoutes(family: 4 | 6, count: number): fc.Arbitrary<KernelRoute[]> {
  return fc
    .array(fc.tuple(way(family), rest(family)), { minLength: count, maxLength: count })
    .map((pairs) => pairs.map(([one, other], i) => kernelRoute(family, i, one, other)));
}

function kernelRoute(family: 4 | 6, i: number, how: Way, other: Rest): KernelRoute {
  const to =
    family === 4 ? `20.${i >> 8}.${i & 255}.0/${other.bits}` : `2001:db8:${(i + 1).toString(16)}::/${other.bits}`;
  const { table, protocol, priority } = other;
  const message: RouteMessage = { family, table, to, tos: 0, protocol, flags: 0, ...how };
  if (priority !== undefined) message.priority = priority;
  const plain = how.type === "unicast";
  if (plain && other.metrics !== undefined) message.metrics = other.metrics;
  if (plain && other.sourced === true) message.source = family === 4 ? "10.9.0.1" : "fd00::1";
  if (family === 4) {
    if (other.tos !== undefined) message.tos = other.tos;
    // With a nexthop object the kernel has no place for realms.
    if (how.gateway !== undefined && other.realms !== undefined) message.realms = other.realms;
  } else {
    // The kernel forgets the preference of a route that leads nowhere.
    if (!REJECTS.has(how.type) && other.preference !== undefined) message.preference = other.preference;
    // A nexthop object does not go with a source prefix.
    if (other.subtree === true && how.nexthop === undefined) message.from = "2001:db8:aaaa::/48";
  }
  return { message, command: toCommand(message), listed: asListed(message) };
}

const LINK_OF = new Map([0, 1, 2].map((k) => [indexOf(k), `v${k}`]));
const PREFERENCES = ["medium", "high", "", "low"];

function via(family: 4 | 6, text: string): string {
  return family === 4 && text.includes(":") ? `via inet6 ${text}` : `via ${text}`;
}

/** The same route in iproute2's words. */
export function toCommand(route: RouteMessage): string {
  const words = [`route add ${route.type} ${route.to}`];
  if (route.from !== undefined) words.push(`from ${route.from}`);
  if (route.tos !== 0) words.push(`tos 0x${route.tos.toString(16)}`);
  words.push(`table ${route.table} proto ${route.protocol}`);
  if (route.family === 4) words.push(`scope ${route.scope}`);
  if (route.priority !== undefined) words.push(`metric ${route.priority}`);
  if (route.source !== undefined) words.push(`src ${route.source}`);
  if (route.realms !== undefined) words.push(`realms ${route.realms >>> 16}/${route.realms & 0xffff}`);
  if (route.metrics !== undefined) words.push(metricWords(route.metrics));
  if (route.preference !== undefined) words.push(`pref ${PREFERENCES[route.preference]}`);
  if (route.gateway !== undefined) words.push(via(route.family, route.gateway));
  if (route.oif !== undefined) words.push(`dev ${LINK_OF.get(route.oif)}`);
  if (route.onlink === true) words.push("onlink");
  if (route.nexthop !== undefined) words.push(`nhid ${route.nexthop}`);
  for (const one of route.hops ?? []) {
    words.push(`nexthop ${via(route.family, one.gateway ?? "")} dev ${LINK_OF.get(one.oif)} weight ${one.weight}`);
    if (one.onlink === true) words.push("onlink");
  }
  return words.join(" ");
}

function metricWords(given: RouteMetrics): string {
  return Object.entries(given)
    .filter(([name]) => name !== "lock")
    .map(([name, value]) => {
      if (name === "features") return "features ecn";
      return `${name} ${name !== "rto_min" && given.lock?.includes(name) === true ? "lock " : ""}${value}`;
    })
    .join(" ");
}

const REJECTS: ReadonlySet<unknown> = new Set(["blackhole", "unreachable", "prohibit", "throw"]);

/** What the kernel adds to a route that it lists; without the counters of cacheInfo. */
function asListed(route: RouteMessage): RouteMessage {
  const listed = { ...route };
  if (route.nexthop !== undefined) Object.assign(listed, waysOfObject(route.family, route.nexthop));
  if (route.family === 4) return listed;
  listed.priority ??= 1024;
  listed.preference ??= 0;
  // What leads nowhere leads to the loopback, says the kernel.
  if (REJECTS.has(route.type)) listed.oif = 1;
  return listed;
}

function waysOfObject(family: 4 | 6, id: number): Partial<RouteMessage> {
  const one = { oif: indexOf(0), gateway: near(family, 0, 9), weight: 1, flags: 0 };
  const two = { oif: indexOf(1), gateway: near(family, 1, 9), weight: 3, flags: 0 };
  if (id % 10 === 2) return { hops: [one, two] };
  const { oif, gateway: through } = id % 10 === 0 ? one : two;
  return { oif, gateway: through };
}
