// Owns the check of rules that no packet reaches, because an earlier rule always answers.
//
// Sources: fib_rules_lookup (net/core/fib_rules.c) goes on to the next rule when an action gives -EAGAIN; a table does
// where it has no route or a throw route (fib4_rule_action), or where the rule suppresses it (fib4_rule_suppress);
// blackhole and its kin end the walk. A socket that is bound to a link skips routes by other links
// (fib_table_lookup, flowi4_oif), which only packets that came in by a link (`iif`) never are.
import type { HostPicture, PictureRule } from "../../model/picture.ts";
import { answerFor } from "../always.ts";
import type { Check, Finding } from "../finding.ts";
import { everything, rangeOf } from "../../model/prefix.ts";
import { areDisjoint, isWithin, matchesAll } from "../selector.ts";
import { indexOf } from "../../explain/routing.ts";
import type { RouteTable, Tables } from "../../explain/tables.ts";
import { sayRoute, sayRule, sayTable } from "../../explain/words.ts";
import { deleteRule } from "../words.ts";

/** Rules of a family that are compared with each other, and routes of a table that are compared with another's. */
const MOST_RULES = 2000;
const MOST_ROUTES = 1000;

/** Why the earlier rule always answers. `onlyUnbound`: not for sockets bound to a link. */
interface Reason {
  text: string;
  onlyUnbound: boolean;
}

export const shadowedRules: Check = {
  codes: ["shadowed-rule"],
  find(picture) {
    const tables = indexOf(picture).tables;
    return ([4, 6] as const).flatMap((family) => {
      const rules = picture.rules.filter((rule) => rule.family === family).slice(0, MOST_RULES);
      return rules.flatMap((rule, at) => findShadow(picture, tables, rules, rule, at));
    });
  },
};

function findShadow(
  picture: HostPicture,
  tables: Tables,
  rules: readonly PictureRule[],
  rule: PictureRule,
  at: number,
): Finding[] {
  if (isKernelsLast(rule) || rule.action === "nop") return [];
  for (let i = 0; i < at; i++) {
    const earlier = rules[i] as PictureRule;
    if (!isWithin(rule, earlier)) continue;
    const reason = alwaysAnswers(picture, tables, earlier, rule);
    if (reason && !isSkipped(rules, i, rule)) return [shadowed(rule, earlier, reason)];
  }
  return [];
}

/** Whether a goto leads packets of the rule past the earlier one, at `at`. */
function isSkipped(rules: readonly PictureRule[], at: number, rule: PictureRule): boolean {
  const { priority } = rules[at] as PictureRule;
  return rules
    .slice(0, at)
    .some(
      (jump) =>
        jump.action === "goto" &&
        !jump.unresolved &&
        (jump.goto ?? 0) > priority &&
        (jump.goto ?? 0) <= rule.priority &&
        !areDisjoint(jump, rule),
    );
}

function alwaysAnswers(
  picture: HostPicture,
  tables: Tables,
  earlier: PictureRule,
  rule: PictureRule,
): Reason | undefined {
  switch (earlier.action) {
    case "blackhole":
    case "unreachable":
    case "prohibit":
      return { text: "it drops them", onlyUnbound: false };
    case "goto": {
      const jumps = !earlier.unresolved && (earlier.goto ?? 0) > rule.priority;
      return jumps ? { text: "it leads them past this one", onlyUnbound: false } : undefined;
    }
    case "table":
      return tableAnswers(picture, tables, earlier, rule);
    case "nop":
      return undefined;
  }
}

function tableAnswers(
  picture: HostPicture,
  tables: Tables,
  earlier: PictureRule,
  rule: PictureRule,
): Reason | undefined {
  const table = tables.get(earlier.family, earlier.table);
  if (!table || earlier.suppressGroup !== undefined) return undefined;
  const suppressed = earlier.suppressPrefixLength ?? -1;
  const name = sayTable(picture, earlier.table);
  // A match that is turned round says nothing about the packets that are left.
  const onlyUnbound = rule.iif === undefined || rule.iif === "lo" || rule.not === true;
  const to = rule.to === undefined || rule.not ? everything(rule.family) : rangeOf(rule.to);
  const all = answerFor(table, to, suppressed);
  if (all) return { text: `table ${name} always has an answer: ${sayRoute(all)}`, onlyUnbound };
  const own = rule.action === "table" ? tables.get(rule.family, rule.table) : undefined;
  if (!own || own === table || !coversAllOf(table, own, suppressed)) return undefined;
  return { text: `table ${name} has an answer to all that table ${sayTable(picture, rule.table)} has`, onlyUnbound };
}

/** Whether one table answers wherever the other one does, so that the other one's answers are never asked for. */
function coversAllOf(table: RouteTable, other: RouteTable, suppressed: number): boolean {
  if (other.routes.length > MOST_ROUTES) return false;
  return other.routes.every((route) => route.type === "throw" || answerFor(table, rangeOf(route.to), suppressed));
}

/** The kernel's own rule for table default, which stands behind main everywhere and is empty nearly everywhere. */
function isKernelsLast(rule: PictureRule): boolean {
  return rule.priority === 32767 && rule.table === 253 && matchesAll(rule);
}

function shadowed(rule: PictureRule, earlier: PictureRule, reason: Reason): Finding {
  const isMain = rule.table === 254 && matchesAll(rule);
  return {
    code: "shadowed-rule",
    severity: isMain ? "note" : "warning",
    summary: reason.onlyUnbound
      ? `rule ${sayRule(rule)} can match only sockets that are bound to a link`
      : `rule ${sayRule(rule)} can never match`,
    found: [`${sayRule(earlier)} is asked before it, for the same packets and maybe more; ${reason.text}`],
    consequence: isMain
      ? "Table main is not asked: what other programs put there has no effect."
      : "What this rule was made for does not happen: its routes carry nothing.",
    remedy: isMain
      ? {
          text:
            "Where main is meant to be asked, give the earlier rule suppress_prefixlength, or take its default route away. " +
            "Never take main's own rule away.",
        }
      : {
          text:
            "Decide which of the two is meant: take the other one away, make the earlier one match less, or spread the traffic " +
            "by one route with several next hops instead of by two rules.",
          commands: [deleteRule(rule)],
        },
  };
}
