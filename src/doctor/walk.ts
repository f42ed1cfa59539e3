// Owns the way of an ordinary packet through rules and tables: no mark, no user, no port that a rule asks for.
import type { Family } from "../model/ip.ts";
import type { HostPicture, PictureRoute, PictureRule } from "../model/picture.ts";
import { contains, rangeOf } from "./prefix.ts";
import type { Range } from "./prefix.ts";
import { isDetached } from "./selector.ts";
import type { Tables } from "./tables.ts";

/** A packet that this host sends: the kernel says that it comes in by lo. */
export interface Packet {
  family: Family;
  /** Address that the socket is bound to; absent when it is bound to none. */
  from?: string;
  to: Range;
}

/** The answer that ends the walk: a rule, and the route it found where it asks a table. */
export interface Answer {
  rule: PictureRule;
  route?: PictureRoute;
}

/** Follows the packet (fib_rules_lookup, net/core/fib_rules.c); undefined when no rule has an answer. */
export function walk(picture: HostPicture, tables: Tables, packet: Packet): Answer | undefined {
  let resumeAt = 0;
  for (const rule of ordinaryRules(picture, packet.family)) {
    if (rule.priority < resumeAt || !matches(rule, packet)) continue;
    if (rule.action === "goto") {
      if (!rule.unresolved && rule.goto !== undefined) resumeAt = rule.goto;
      continue;
    }
    if (rule.action !== "table") return { rule };
    const route = tables.get(packet.family, rule.table)?.matching(packet.to).find(isUsable);
    if (!route || route.type === "throw") continue;
    if (rangeOf(route.to).length <= (rule.suppressPrefixLength ?? -1)) continue;
    return { rule, route };
  }
  return undefined;
}

function isUsable(route: PictureRoute): boolean {
  if (route.tos !== undefined || route.from !== undefined) return false;
  return route.hops.length === 0 || route.hops.some((hop) => !hop.dead);
}

/** The rules of a family that can match an ordinary packet: of thousands by mark or user, none. */
function ordinaryRules(picture: HostPicture, family: Family): readonly PictureRule[] {
  const known = ordinary.get(picture) ?? {
    4: picture.rules.filter((rule) => rule.family === 4 && isOrdinary(rule)),
    6: picture.rules.filter((rule) => rule.family === 6 && isOrdinary(rule)),
  };
  ordinary.set(picture, known);
  return known[family];
}

const ordinary = new WeakMap<HostPicture, Record<Family, readonly PictureRule[]>>();

function isOrdinary(rule: PictureRule): boolean {
  if (rule.partial || rule.l3mdev || isDetached(rule) || rule.action === "nop") return false;
  return rule.not === true || asksNothingElse(rule);
}

/** Whether addresses are all that the rule asks for, as far as an ordinary packet can tell. */
function asksNothingElse(rule: PictureRule): boolean {
  return (
    (rule.iif === undefined || rule.iif === "lo") &&
    rule.oif === undefined &&
    (rule.mark ?? 0) === 0 &&
    rule.uids === undefined &&
    rule.ipProtocol === undefined &&
    rule.sourcePorts === undefined &&
    rule.destinationPorts === undefined &&
    rule.tunnelId === undefined &&
    rule.tos === undefined &&
    (rule.dscp ?? 0) === 0
  );
}

function matches(rule: PictureRule, packet: Packet): boolean {
  const asked =
    prefixMatches(rule.from, packet.from) &&
    (rule.to === undefined || contains(rangeOf(rule.to), packet.to)) &&
    asksNothingElse(rule);
  return rule.not ? !asked : asked;
}

function prefixMatches(prefix: string | undefined, address: string | undefined): boolean {
  return prefix === undefined || (address !== undefined && contains(rangeOf(prefix), rangeOf(address)));
}
