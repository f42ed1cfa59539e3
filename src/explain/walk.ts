// Owns the walk of a packet through the rules: which match, what their tables answer, and who has the last word.
//
// Sources: fib_rules_lookup (net/core/fib_rules.c), fib4_rule_action, fib4_rule_suppress (net/ipv4/fib_rules.c),
// __fib6_rule_action, fib6_rule_suppress (net/ipv6/fib6_rules.c), fib_lookup (include/net/ip_fib.h).
import { TABLE } from "../model/kinds.ts";
import type { PictureHop, PictureRoute, PictureRule } from "../model/picture.ts";
import { rangeOf } from "../model/prefix.ts";
import { REFUSING } from "./answer.ts";
import type { TableAnswer } from "./answer.ts";
import { waysOf } from "./hops.ts";
import { failedCondition } from "./match.ts";
import type { Condition } from "./match.ts";
import type { Flow } from "./packet.ts";
import { indexOf } from "./routing.ts";
import type { Routing } from "./routing.ts";
import { lookUp4 } from "./table4.ts";
import { lookUp6 } from "./table6.ts";
import { inVrf, vrfOf } from "./vrf.ts";

/** What came of asking one rule. */
export type Outcome =
  /** It does not match: on this condition, or because all conditions of a rule with `not` are met. */
  | { is: "passed"; on: Condition | "not" }
  /** Its table has no route that fits, or none at all. */
  | { is: "no-route"; empty: boolean }
  /** Its table sends the packet back to the rules. */
  | { is: "throw"; route: PictureRoute }
  /** Its table has a route that the rule does not want. */
  | { is: "suppressed"; by: "prefix-length" | "group"; route: PictureRoute }
  /** The walk goes on at another rule, or, where that is not there, at the next. */
  | { is: "goto"; there: boolean }
  | { is: "nop" }
  /**
   * IPv4, while no rule was ever added: tables local and main are one, in which a longer prefix of main goes before one of
   * local (fib_trie_table, fib_unmerge in net/ipv4/fib_frontend.c).
   */
  | { is: "longer-in-main"; route: PictureRoute }
  /** The rule itself refuses the packet. */
  | { is: "refused" }
  /**
   * Its table has the answer; one that refuses the packet has no candidates. `partly`: the rule does not want the group of
   * some of the hops, so that packets whose hash leads there go on to the next rule.
   */
  | { is: "answered"; route: PictureRoute; partly?: true };

/** One rule, asked. */
export interface Step {
  rule: PictureRule;
  outcome: Outcome;
  /** The table that was asked; a VRF's where the rule leaves that open. */
  table?: number;
  /** What the table said, where one was asked. */
  answer?: TableAnswer;
}

/** A walk that came to an end. */
export interface Walk {
  /** The rules that were asked, in their order; the last one decided. */
  steps: Step[];
  /** The step that decided; absent where no rule has an answer. */
  end?: Step;
}

/** Follows a packet through all rules and tells of each. */
export function walk(routing: Routing, flow: Flow): Walk {
  const steps: Step[] = [];
  const end = follow(routing, indexOf(routing).rules[flow.family], inVrf(routing, flow), (step) => steps.push(step));
  return end ? { steps, end } : { steps };
}

/** The step that decides; undefined where no rule has an answer. Tells of nothing else, and is quick at that. */
export function decide(routing: Routing, flow: Flow): Step | undefined {
  const seen = inVrf(routing, flow);
  return follow(routing, rulesFor(routing, seen), seen);
}

function follow(
  routing: Routing,
  rules: readonly PictureRule[],
  flow: Flow,
  tell?: (step: Step) => void,
): Step | undefined {
  let resumeAt = 0;
  for (const rule of rules) {
    if (rule.priority < resumeAt) continue;
    const failed = failedCondition(routing, rule, flow);
    if ((failed === undefined) === (rule.not === true)) {
      tell?.({ rule, outcome: { is: "passed", on: failed ?? "not" } });
      continue;
    }
    const step = ask(routing, rule, flow);
    tell?.(step);
    if (step.outcome.is === "goto" && step.outcome.there) resumeAt = rule.goto ?? 0;
    if (step.outcome.is === "answered" || step.outcome.is === "refused") return step;
  }
  return undefined;
}

/** What a rule that matches does. */
function ask(routing: Routing, rule: PictureRule, flow: Flow): Step {
  switch (rule.action) {
    case "nop":
      return { rule, outcome: { is: "nop" } };
    case "goto": {
      const there = indexOf(routing).priorities[flow.family].has(rule.goto ?? -1);
      return { rule, outcome: { is: "goto", there } };
    }
    case "blackhole":
    case "unreachable":
    case "prohibit":
      return { rule, outcome: { is: "refused" } };
    case "table":
      return askTable(routing, rule, flow);
  }
}

function askTable(routing: Routing, rule: PictureRule, flow: Flow): Step {
  const id = rule.l3mdev ? vrfOf(routing, flow)?.vrfTable : rule.table;
  const table = indexOf(routing).tables.get(flow.family, id);
  const asked = id === undefined ? { rule } : { rule, table: id };
  if (!table) return { ...asked, outcome: { is: "no-route", empty: true } };
  const answer = flow.family === 4 ? lookUp4(routing, table, flow) : lookUp6(routing, table, flow);
  const { route } = answer;
  const step = { ...asked, answer };
  if (!route) return { ...step, outcome: { is: "no-route", empty: false } };
  const longer = id === TABLE.local ? longerInMain(routing, flow, route) : undefined;
  if (longer) return { ...step, outcome: { is: "longer-in-main", route: longer } };
  if (route.type === "throw") return { ...step, outcome: { is: "throw", route } };
  // Only what leads somewhere can be suppressed.
  if (REFUSING.has(route.type)) return { ...step, outcome: { is: "answered", route } };
  if (rangeOf(route.to).length <= (rule.suppressPrefixLength ?? -1)) {
    return { ...step, outcome: { is: "suppressed", by: "prefix-length", route } };
  }
  return suppressByGroup(routing, rule, flow, { ...step, outcome: { is: "answered", route } }, route);
}

/** The step, unless the rule does not want the group of the link: IPv4 looks at the first hop, whichever is chosen. */
function suppressByGroup(routing: Routing, rule: PictureRule, flow: Flow, step: Step, route: PictureRoute): Step {
  const { answer } = step;
  if (rule.suppressGroup === undefined || !answer) return step;
  const isUnwanted = ({ link: name }: PictureHop): boolean => {
    const link = name === undefined ? undefined : indexOf(routing).links.get(name);
    return link !== undefined && (link.group ?? 0) === rule.suppressGroup;
  };
  const first = waysOf(routing, route).hops[0];
  const hops = flow.family === 4 && first ? [first] : answer.candidates.map(({ hop }) => hop);
  const unwanted = hops.filter(isUnwanted);
  if (unwanted.length === 0) return step;
  if (unwanted.length === hops.length) return { ...step, outcome: { is: "suppressed", by: "group", route } };
  const candidates = answer.candidates.filter(({ hop }) => !isUnwanted(hop));
  return { ...step, answer: { ...answer, candidates }, outcome: { is: "answered", route, partly: true } };
}

/** The route of main that goes before one of table local, while the two are one table. */
function longerInMain(routing: Routing, flow: Flow, local: PictureRoute): PictureRoute | undefined {
  const { rules, tables } = indexOf(routing);
  if (flow.family === 6 || !isUntouched(rules[4])) return undefined;
  const main = tables.get(4, TABLE.main);
  const route = main && lookUp4(routing, main, flow).route;
  return route && rangeOf(route.to).length > rangeOf(local.to).length ? route : undefined;
}

/** Whether IPv4 rules are those that a kernel starts with. It does not tell whether others were there before. */
export function isUntouched(rules: readonly PictureRule[]): boolean {
  const own = [
    [0, TABLE.local],
    [32766, TABLE.main],
    [32767, TABLE.default],
  ];
  return (
    rules.length === own.length &&
    rules.every(({ priority, table, action, family: _f, protocol: _p, ...asks }, i) => {
      const [number, id] = own[i] ?? [];
      return action === "table" && priority === number && table === id && Object.keys(asks).length === 0;
    })
  );
}

/** The rules that can match a flow: of thousands by mark or user none, when it has neither. */
function rulesFor(routing: Routing, flow: Flow): readonly PictureRule[] {
  const { mark, uid, iif, oif, vrf, tos, ipProtocol, sourcePort, destinationPort, tunnelId } = flow;
  const plain = mark === 0 && uid === undefined && iif === "lo" && (oif ?? vrf) === undefined && tos === 0;
  if (!plain || ipProtocol !== 0 || sourcePort !== 0 || destinationPort !== 0 || tunnelId !== "0") {
    return indexOf(routing).rules[flow.family];
  }
  const known = ordinary.get(routing) ?? {
    4: indexOf(routing).rules[4].filter(isOrdinary),
    6: indexOf(routing).rules[6].filter(isOrdinary),
  };
  ordinary.set(routing, known);
  return known[flow.family];
}

const ordinary = new WeakMap<Routing, Record<4 | 6, readonly PictureRule[]>>();

/** Whether a rule may match a packet that no mark, user, port or link tells from others. */
function isOrdinary(rule: PictureRule): boolean {
  if (rule.not) return true;
  const { iif = "lo", mark = 0, uids, oif, ipProtocol, l3mdev } = rule;
  return iif === "lo" && mark === 0 && uids === undefined && oif === undefined && ipProtocol === undefined && !l3mdev;
}
