// Owns the short form of a host's picture, in which the cases of the diagnosis are written.
import { LINK_SWITCHES } from "../src/explain/switches.ts";
import type { LinkFact } from "../src/model/facts.ts";
import { addressBits, defaultPrefix, familyOf, networkOf, parsePrefix } from "../src/model/ip.ts";
import type { Family } from "../src/model/ip.ts";
import { TABLE } from "../src/model/kinds.ts";
import type { HostPicture, PictureHop, PictureLink, PictureRoute, PictureRule } from "../src/model/picture.ts";
import { linksFrom } from "./cases.ts";

/** RTPROT_KERNEL and RTPROT_STATIC. */
const KERNEL = 2;
const STATIC = 4;

type ShortRoute = Partial<PictureRoute> & { to: string } & PictureHop;

interface ShortPicture extends Partial<Omit<HostPicture, "links" | "routes" | "rules">> {
  links?: Parameters<typeof linksFrom>[0];
  /** `to: default` is IPv4's unless `family` says otherwise; `link` and `via` stand for one hop. */
  routes?: ShortRoute[];
  rules?: (Partial<PictureRule> & { priority: number })[];
  /** By link (or "all"), without net/ipv4/conf. */
  switches?: Record<string, Record<string, number>>;
}

/**
 * A picture from its short form. What every kernel has is added: its own rules, the connected and local routes of the
 * addresses, and switches that are 0.
 */
export function pictureFrom(value: unknown): HostPicture {
  const short = value as ShortPicture;
  const links = linksFrom(short.links ?? {}) as (LinkFact & PictureLink)[];
  const { routes = [], rules = [], sysctls = {}, switches = {} } = short;
  return {
    tableNames: {},
    files: {},
    features: {},
    unseen: [],
    nexthops: [],
    ...short,
    links,
    routes: [...links.flatMap(connected), ...routes.map(longRoute)],
    rules: [...kernelRules(4), ...kernelRules(6), ...rules.map(longRule)].sort(
      (a, b) => a.family - b.family || a.priority - b.priority,
    ),
    sysctls: { ...defaultSwitches(links), ...sysctls, ...dotted(switches) },
  };
}

function connected(link: PictureLink): PictureRoute[] {
  if (!link.up) return [];
  return link.addresses.flatMap((spec): PictureRoute[] => {
    const { family, address, length } = parsePrefix(spec.address) ?? { family: 4 as const, address: "", length: 0 };
    const bits = addressBits(family);
    const hop = { link: link.name, ...(link.carrier ? {} : { linkdown: true as const }) };
    const own = { family, protocol: KERNEL, hops: [hop] };
    const local: PictureRoute = { ...own, table: TABLE.local, to: `${address}/${bits}`, type: "local" };
    if (length === bits || spec.dadFailed) return [local];
    return [local, { ...own, table: TABLE.main, to: networkOf(spec.address), type: "unicast", source: address }];
  });
}

function longRoute({ link, via, dead, linkdown, onlink, ...route }: ShortRoute): PictureRoute {
  const family = route.family ?? (route.to === "default" ? 4 : familyOf(route.to));
  const hop = {
    ...(link === undefined ? {} : { link }),
    ...(via === undefined ? {} : { via }),
    ...(dead ? { dead } : {}),
    ...(linkdown ? { linkdown } : {}),
    ...(onlink ? { onlink } : {}),
  };
  const type = route.type ?? "unicast";
  return {
    table: TABLE.main,
    protocol: STATIC,
    hops: type === "unicast" ? [hop] : [],
    ...route,
    family,
    type,
    to: route.to === "default" ? defaultPrefix(family) : route.to,
  };
}

function longRule(rule: Partial<PictureRule> & { priority: number }): PictureRule {
  const family = familyOf(rule.from ?? rule.to ?? "");
  return { family, action: "table", protocol: STATIC, ...rule };
}

function kernelRules(family: Family): PictureRule[] {
  const own = { family, action: "table", protocol: KERNEL } as const;
  const both: PictureRule[] = [
    { ...own, priority: 0, table: TABLE.local },
    { ...own, priority: 32766, table: TABLE.main },
  ];
  return family === 4 ? [...both, { ...own, priority: 32767, table: TABLE.default }] : both;
}

function defaultSwitches(links: readonly PictureLink[]): Record<string, string> {
  const names = ["all", ...links.map(({ name }) => name)];
  const paths = names.flatMap((name) => [
    ...LINK_SWITCHES.map((key) => `net/ipv4/conf/${name}/${key}`),
    `net/ipv6/conf/${name}/ignore_routes_with_linkdown`,
  ]);
  const all = [...paths, "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"];
  return Object.fromEntries(all.map((path) => [path, "0"]));
}

function dotted(switches: Record<string, Record<string, number>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(switches).flatMap(([link, values]) =>
      Object.entries(values).map(([key, value]) => [`net/ipv4/conf/${link}/${key}`, String(value)]),
    ),
  );
}
