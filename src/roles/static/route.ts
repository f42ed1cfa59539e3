// Owns the routes of the role `static`.
import type { Diagnostic, SourceRange } from "../../model/diagnostic.ts";
import { defaultPrefix, familyOf } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import { HEDDLE_PROTOCOL, TABLE } from "../../model/kinds.ts";
import type { Hop, RouteMetrics, RouteSpec } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import type { Section, View } from "../role.ts";
import { familiesOf } from "./families.ts";
import { linkTowards } from "./link-towards.ts";
import { nexthopFamilies, resolveNexthop } from "./nexthops.ts";
import type { Static, StaticHop, StaticRoute } from "./schema.ts";
import { resolveTable } from "./tables.ts";

const ANSWERS_ITSELF: ReadonlySet<string> = new Set(["blackhole", "unreachable", "prohibit", "throw"]);

/** The place of a key of the route, or of the route itself. */
export type RoutePlace = (...path: (string | number)[]) => SourceRange;

/** The kernel routes for one entry: one for each IP version; none, with diagnostics, where it is wrong. */
export function desireRoute(
  section: Section<Static>,
  view: View,
  route: StaticRoute,
  at: RoutePlace,
  diagnostics: Diagnostic[],
): Wanted[] {
  const from = at();
  const to = route.to === "default" ? undefined : route.to;
  // An IPv4 route may go by an IPv6 gateway, so gateways tell the family only where nothing else does.
  const telling = [to, route.source, route.from];
  const gateways = [route.via, ...(route.hops ?? []).map((hop) => hop.via)];
  const certain = telling.some((text) => text !== undefined) || route.family !== undefined;
  const [first] = nexthopFamilies(section, route.nexthop);
  const stated = route.family ?? (certain || first === undefined ? undefined : (`ipv${first}` as const));
  const families = familiesOf(stated, certain ? telling : gateways, from, diagnostics);
  const table = resolveTable(section, view, route.table ?? TABLE.main, () => at("table"), diagnostics);
  const shape = checkShape(route, at, diagnostics);
  if (!families || table === undefined || !shape) return [];
  const hops = readHops(view, route, at, diagnostics);
  const { nexthop: way } = route;
  const place = at("nexthop");
  const nexthop = way === undefined ? undefined : resolveNexthop(section, view, way, place, diagnostics);
  if (!hops || (way !== undefined && nexthop === undefined)) return [];
  return families.flatMap((family) => {
    if (!checkFamilyFields(section, route, family, at, diagnostics)) return [];
    // Field by field, as there may be a hundred thousand of them.
    const spec: RouteSpec = {
      family,
      table,
      to: to ?? defaultPrefix(family),
      type: route.type ?? "unicast",
      hops,
      protocol: HEDDLE_PROTOCOL,
    };
    if (route.from !== undefined) spec.from = route.from;
    if (route.metric !== undefined) spec.metric = route.metric;
    if (route.tos !== undefined) spec.tos = route.tos;
    if (route.scope !== undefined) spec.scope = route.scope;
    if (route.source !== undefined) spec.source = route.source;
    if (nexthop !== undefined) spec.nexthop = nexthop;
    if (route.metrics !== undefined) spec.metrics = readMetrics(route.metrics);
    if (route.preference !== undefined && route.preference !== "medium") spec.preference = route.preference;
    return [{ kind: "route", spec, from } as const];
  });
}

/** Whether the entry says exactly one way to go, or none where the type needs none. */
function checkShape(route: StaticRoute, at: RoutePlace, diagnostics: Diagnostic[]): boolean {
  const single = route.via !== undefined || route.link !== undefined || route.onlink !== undefined;
  const ways = [single, route.hops !== undefined, route.nexthop !== undefined].filter(Boolean).length;
  const type = route.type ?? "unicast";
  if (ANSWERS_ITSELF.has(type) && ways > 0) {
    const summary = `a ${type} route goes nowhere, so it cannot have a way`;
    const remedy = "Take `via`, `link`, `hops` and `nexthop` away.";
    diagnostics.push({ code: "route-way", severity: "error", summary, remedy, range: at() });
    return false;
  }
  if (!ANSWERS_ITSELF.has(type) && ways !== 1) {
    const summary = ways === 0 ? "the route does not say where to go" : "the route says more than one way to go";
    const remedy = "Give it `via` and `link` (or one of them), or `hops`, or `nexthop`.";
    diagnostics.push({ code: "route-way", severity: "error", summary, remedy, range: at() });
    return false;
  }
  return true;
}

function readHops(view: View, route: StaticRoute, at: RoutePlace, diagnostics: Diagnostic[]): Hop[] | undefined {
  if (route.nexthop !== undefined || ANSWERS_ITSELF.has(route.type ?? "unicast")) return [];
  const { via, link, onlink } = route;
  const written: { hop: StaticHop; path: (string | number)[] }[] = route.hops
    ? route.hops.map((hop, i) => ({ hop, path: ["hops", i] }))
    : [{ hop: { via, link, onlink }, path: [] }];
  const hops: Hop[] = [];
  for (const { hop, path } of written) {
    // The kernel finds the link when it takes the route and shows it ever after, so it is found here as well.
    const found = hop.link ?? (hop.via === undefined ? undefined : linkTowards(hop.via, view));
    if (found === undefined) {
      diagnostics.push({
        code: hop.via === undefined ? "route-way" : "waiting-link",
        severity: hop.via === undefined ? "error" : "warning",
        summary:
          hop.via === undefined ? "this hop says neither `via` nor `link`" : `no link reaches the gateway ${hop.via}`,
        ...(hop.via === undefined ? {} : { detail: "No subnet of this host's links contains it." }),
        remedy:
          hop.via === undefined
            ? "Give it one of them."
            : "Say `link`, with `onlink: true` where no subnet will contain it.",
        range: at(...path),
      });
      continue;
    }
    hops.push({
      link: found,
      ...(hop.via === undefined ? {} : { via: hop.via }),
      ...(hop.weight === undefined ? {} : { weight: hop.weight }),
      ...(hop.onlink ? { onlink: true } : {}),
    });
  }
  return hops.length === written.length ? hops : undefined;
}

function readMetrics(metrics: NonNullable<StaticRoute["metrics"]>): RouteMetrics {
  return Object.fromEntries(Object.entries(metrics).filter(([, value]) => value !== undefined));
}

/** Refuses what the family's kernel code would silently ignore. */
function checkFamilyFields(
  section: Section<Static>,
  route: StaticRoute,
  family: Family,
  at: RoutePlace,
  diagnostics: Diagnostic[],
): boolean {
  const foreign = family === 4 ? (["from", "preference"] as const) : (["tos", "scope"] as const);
  const wrong = foreign.filter((key) => route[key] !== undefined);
  for (const key of wrong) {
    diagnostics.push({
      code: "wrong-family",
      severity: "error",
      summary: `IPv${family} routes have no \`${key}\``,
      remedy: `Take \`${key}\` away, or write one entry for each IP version.`,
      range: at(key),
    });
  }
  const vias = [route.via, ...(route.hops ?? []).map((hop) => hop.via)].filter((via) => via !== undefined);
  const wrongVia = family === 6 ? vias.find((via) => familyOf(via) === 4) : undefined;
  if (wrongVia !== undefined) {
    diagnostics.push({
      code: "wrong-family",
      severity: "error",
      summary: `an IPv6 route cannot go by the IPv4 gateway ${wrongVia}`,
      remedy: "Name an IPv6 gateway.",
      range: at(),
    });
  }
  const wrongObject = family === 6 && nexthopFamilies(section, route.nexthop).includes(4);
  if (wrongObject) {
    diagnostics.push({
      code: "wrong-family",
      severity: "error",
      summary: `an IPv6 route cannot go by "${route.nexthop}", which leads by IPv4`,
      remedy: "Name a nexthop all of whose gateways are IPv6.",
      range: at("nexthop"),
    });
  }
  return wrong.length === 0 && wrongVia === undefined && !wrongObject;
}
