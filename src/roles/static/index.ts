// Owns the role `static`: tables, rules, routes, nexthops and neighbours as they are written, so that an existing set-up can be kept as it is.
import type { Claim } from "../../model/claim.ts";
import type { Diagnostic, Outcome, SourceRange } from "../../model/diagnostic.ts";
import { familyOf } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import { HEDDLE_PROTOCOL, TABLE } from "../../model/kinds.ts";
import type { RouteSpec, RuleSpec } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import { protocolNumber } from "../../model/ip-protocols.ts";
import type { Role, Section, View } from "../role.ts";
import { familiesOf } from "./families.ts";
import { desireNeighbours } from "./neighbours.ts";
import { claimNexthops, desireNexthops } from "./nexthops.ts";
import { desireRoute } from "./route.ts";
import { readRouteLines } from "./route-lines.ts";
import type { LinedRoute, Way } from "./route-lines.ts";
import { staticSchema } from "./schema.ts";
import type { Static, StaticRule } from "./schema.ts";
import { resolveTable } from "./tables.ts";

/** Claim of the priorities of rules that state none, in a row so that they keep the order of the file. */
const RULES = "rules";

export const staticRole: Role<Static> = {
  name: "static",
  about: "Tables, rules, routes, nexthops and neighbours exactly as they are written.",
  schema: staticSchema,
  files: {
    named({ routes_from: names = [] }) {
      if (typeof names === "string") return [{ name: names, path: ["routes_from"] }];
      return names.map((name, index) => ({ name, path: ["routes_from", index] }));
    },
    take(value, texts) {
      const outcomes = texts.map(({ text, file }) => readRouteLines(text, file));
      const diagnostics = outcomes.flatMap((outcome) => outcome.diagnostics);
      return { value: { ...value, lines: outcomes.flatMap((outcome) => outcome.value ?? []) }, diagnostics };
    },
  },

  claims(section): Claim[] {
    const { tables = {}, rules = [], routes = [], lines = [] } = section.value;
    const claims = claimNexthops(section);
    for (const [name, id] of Object.entries(tables)) {
      const from = section.at("tables", name);
      claims.push({ pool: "tables", name, from, ...(id === "auto" ? {} : { fixed: id }) });
    }
    const said = new Set<number>();
    const claimTable = (table: number | string | undefined, from: () => SourceRange): void => {
      if (typeof table !== "number" || said.has(table)) return;
      said.add(table);
      claims.push({ pool: "tables", name: `#${table}`, fixed: table, from: from() });
    };
    for (const [list, entries] of Object.entries({ routes, rules })) {
      for (const [index, { table }] of entries.entries()) claimTable(table, () => section.at(list, index, "table"));
    }
    for (const { way, from } of lines) claimTable(way.table, () => from);
    for (const [index, { priority }] of rules.entries()) {
      if (priority === undefined) continue;
      claims.push({ pool: "priorities", name: `#${priority}`, fixed: priority, from: section.at("rules", index) });
    }
    const drawn = rules.filter((rule) => rule.priority === undefined).length;
    if (drawn > 0) claims.push({ pool: "priorities", name: RULES, count: drawn, from: section.at("rules") });
    return claims;
  },

  desire(section, view): Outcome<Wanted[]> {
    const diagnostics: Diagnostic[] = [];
    const { rules = [], routes = [], lines = [] } = section.value;
    const wantedNeighbours = desireNeighbours(section, view, diagnostics);
    const wantedNexthops = desireNexthops(section, view, diagnostics);
    const wantedRoutes = routes.flatMap((route, index) => {
      const from = section.at("routes", index);
      const at = (...path: (string | number)[]): SourceRange =>
        path.length === 0 ? from : section.at("routes", index, ...path);
      return desireRoute(section, view, route, at, diagnostics);
    });
    wantedRoutes.push(...desireLines(section, view, lines, diagnostics));
    let priority = view.priorities[RULES] ?? 0;
    const wantedRules = rules.flatMap((rule, index) =>
      desireRule(section, view, rule, index, rule.priority ?? priority++, diagnostics),
    );
    const movable = [...wantedRoutes, ...wantedRules];
    const adopting = section.value.adopt ? movable.map((one) => ({ ...one, adopt: true as const })) : movable;
    return { value: [...wantedNeighbours, ...wantedNexthops, ...adopting], diagnostics };
  },
};

/** The kernel routes for the lines of files. The first of each way and family is worked out, the others are as it is. */
function desireLines(
  section: Section<Static>,
  view: View,
  lines: readonly LinedRoute[],
  diagnostics: Diagnostic[],
): Wanted[] {
  const found = { 4: new Map<Way, RouteSpec>(), 6: new Map<Way, RouteSpec>() };
  return lines.flatMap(({ to, way, from }): Wanted | Wanted[] => {
    const known = to === "default" ? undefined : found[familyOf(to)];
    const like = known?.get(way);
    if (like) return { kind: "route", spec: { ...like, to }, from };
    const wanted = desireRoute(section, view, { to, ...way }, () => from, diagnostics);
    const [only, ...more] = wanted;
    if (only?.kind === "route" && more.length === 0) known?.set(way, only.spec);
    return wanted;
  });
}

function desireRule(
  section: Section<Static>,
  view: View,
  rule: StaticRule,
  index: number,
  priority: number,
  diagnostics: Diagnostic[],
): Wanted[] {
  const from = section.at("rules", index);
  const families = familiesOf(rule.family, [rule.from, rule.to], from, diagnostics);
  const decision = decide(section, view, rule, index, diagnostics);
  if (!families || !decision) return [];
  return families.map((family) => ({ kind: "rule", spec: { ...match(rule, family), ...decision, priority }, from }));
}

/** What a packet must be for the rule to apply. */
function match(rule: StaticRule, family: Family): Pick<RuleSpec, "family" | "protocol"> & Partial<RuleSpec> {
  const { not, from, to, iif, oif, mark, mask, tos, dscp, uids, protocol, sport, dport } = rule;
  return {
    family,
    protocol: HEDDLE_PROTOCOL,
    ...(not ? { not } : {}),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(iif === undefined ? {} : { iif }),
    ...(oif === undefined ? {} : { oif }),
    ...(mark === undefined ? {} : { mark }),
    // A mark of 0 without a mask would match every packet (fib_nl2rule).
    ...(mask === undefined && mark === undefined ? {} : { mask: mask ?? 0xffffffff }),
    ...(tos === undefined ? {} : { tos }),
    ...(dscp === undefined ? {} : { dscp }),
    ...(uids === undefined ? {} : { uids }),
    ...(protocol === undefined ? {} : { ipProtocol: protocolNumber(protocol, family) }),
    ...(sport === undefined ? {} : { sourcePorts: sport }),
    ...(dport === undefined ? {} : { destinationPorts: dport }),
  };
}

/** What the rule does: exactly one of table, action, goto. */
function decide(
  section: Section<Static>,
  view: View,
  rule: StaticRule,
  index: number,
  diagnostics: Diagnostic[],
): (Pick<RuleSpec, "action"> & Partial<RuleSpec>) | undefined {
  const said = [rule.table, rule.action, rule.goto].filter((word) => word !== undefined);
  if (said.length !== 1) {
    diagnostics.push({
      code: "rule-action",
      severity: "error",
      summary: said.length === 0 ? "the rule does not say what it does" : "the rule says more than one thing to do",
      remedy: "Give it exactly one of `table`, `action` and `goto`.",
      range: section.at("rules", index),
    });
    return undefined;
  }
  const suppressing = rule.suppress_prefixlength !== undefined || rule.suppress_ifgroup !== undefined;
  if (suppressing && rule.table === undefined) {
    diagnostics.push({
      code: "rule-action",
      severity: "error",
      summary: "only a table's routes can be suppressed",
      remedy: "Give the rule a `table`, or take `suppress_prefixlength` and `suppress_ifgroup` away.",
      range: section.at("rules", index),
    });
    return undefined;
  }
  if (rule.goto !== undefined) return { action: "goto", goto: rule.goto };
  if (rule.action !== undefined) return { action: rule.action };
  const table = resolveTable(
    section,
    view,
    rule.table ?? TABLE.main,
    () => section.at("rules", index, "table"),
    diagnostics,
  );
  if (table === undefined) return undefined;
  return {
    action: "table",
    table,
    ...(rule.suppress_prefixlength === undefined ? {} : { suppressPrefixLength: rule.suppress_prefixlength }),
    ...(rule.suppress_ifgroup === undefined ? {} : { suppressGroup: rule.suppress_ifgroup }),
  };
}
