// Owns the rules of the kind "sysctl": how wishes for one switch are merged, and in which order switches are set.
import { canonicalText } from "./canonical.ts";
import type { KindRules } from "./kind-rules.ts";

/**
 * Values from the weakest to the strongest, by the last part of the path. Where two roles want different values of one
 * switch, the stronger one serves both; a switch that is not listed can serve only one value.
 * Sources: Documentation/networking/ip-sysctl.rst.
 */
const STRENGTH: Record<string, readonly string[]> = {
  // 2 (loose) lets through everything that 1 (strict) does, and the kernel takes max(all, link).
  rp_filter: ["0", "1", "2"],
  arp_ignore: ["0", "1", "2", "3", "8"],
  arp_announce: ["0", "1", "2"],
  forwarding: ["0", "1"],
  ip_forward: ["0", "1"],
  accept_ra: ["0", "1", "2"],
  src_valid_mark: ["0", "1"],
  ignore_routes_with_linkdown: ["0", "1"],
};

export const sysctlRules: KindRules<"sysctl"> = {
  identify: (spec) => `sysctl ${spec.path}`,
  normalize: (spec) => ({ path: spec.path, value: spec.value.trim().replace(/\s+/g, " ") }),
  needs: (spec) => {
    const link = linkOfSysctl(spec.path);
    return link === undefined ? [] : [{ link, up: false }];
  },
  merge: (a, b) => {
    const order = STRENGTH[a.path.slice(a.path.lastIndexOf("/") + 1)];
    const [rankA, rankB] = [order?.indexOf(a.value) ?? -1, order?.indexOf(b.value) ?? -1];
    if (rankA < 0 || rankB < 0) return undefined;
    return rankA >= rankB ? a : b;
  },
  describe: (spec) => `${dotted(spec.path)} = ${spec.value}`,
  // Switches of the whole host reset those of its links when they change (ip_forward), so they come first; but when IPv6
  // begins to forward, the kernel forgets the routes of links that are not to listen to routers all the same.
  rank: ({ path }) => (path.endsWith("/accept_ra") ? 0 : linkOfSysctl(path) === undefined ? 1 : 2),
  compare: (spec) => canonicalText(spec),
};

/** The link that a switch belongs to, or undefined for one of the whole host ("all" and "default" are no links). */
export function linkOfSysctl(path: string): string | undefined {
  const match = /^net\/(?:ipv4|ipv6|mpls)\/(?:conf|neigh)\/([^/]+)\//.exec(path);
  const link = match?.[1];
  return link === "all" || link === "default" ? undefined : link;
}

/** As sysctl(8) writes it: dots between the parts, slashes for the dots inside a link's name. */
function dotted(path: string): string {
  return path
    .split("/")
    .map((part) => part.replaceAll(".", "/"))
    .join(".");
}
