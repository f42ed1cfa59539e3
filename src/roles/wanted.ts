// Owns the short ways in which roles say the rules, routes and switches that they want.
import type { SourceRange } from "../model/diagnostic.ts";
import { HEDDLE_PROTOCOL } from "../model/kinds.ts";
import type { RouteSpec, RuleSpec } from "../model/kinds.ts";
import type { Wanted } from "../model/objects.ts";
import type { View } from "./role.ts";

/** A rule of heddle's that looks a table up. */
export function wantRule(spec: Omit<RuleSpec, "action" | "protocol">, from: SourceRange): Wanted<"rule"> {
  return { kind: "rule", spec: { ...spec, action: "table", protocol: HEDDLE_PROTOCOL }, from };
}

/** A route of heddle's, unicast unless said otherwise. */
export function wantRoute(
  spec: Omit<RouteSpec, "type" | "protocol"> & Partial<Pick<RouteSpec, "type">>,
  from: SourceRange,
): Wanted<"route"> {
  return { kind: "route", spec: { type: "unicast", ...spec, protocol: HEDDLE_PROTOCOL }, from };
}

/** A switch of IPv4 on one link. */
export function wantSwitch(link: string, name: string, value: string, from: SourceRange): Wanted<"sysctl"> {
  return { kind: "sysctl", spec: { path: `net/ipv4/conf/${link}/${name}`, value }, from };
}

/**
 * That this host forwards IPv6, which obeys only the switch of the whole host (ip6_forward), and forgets default routes that
 * routers told it of unless a link is to listen to them although it forwards (accept_ra = 2).
 */
export function wantForwarding6({ routedByRa }: Pick<View, "routedByRa">, from: SourceRange): Wanted[] {
  return [
    ...routedByRa.map((link): Wanted => ({
      kind: "sysctl",
      spec: { path: `net/ipv6/conf/${link}/accept_ra`, value: "2" },
      from,
    })),
    { kind: "sysctl", spec: { path: "net/ipv6/conf/all/forwarding", value: "1" }, from },
  ];
}
