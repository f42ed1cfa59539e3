// Owns the check of rules that lead nowhere: to tables without routes, to priorities without rules, by links that are
// not there.
//
// Sources: ip-rule(8); FIB_RULE_UNRESOLVED and FIB_RULE_*_DETACHED in net/core/fib_rules.c: a rule so marked is
// passed over until the target or the link appears.
import type { HostPicture, PictureRule } from "../../model/picture.ts";
import { TABLE } from "../../model/kinds.ts";
import type { Check, Finding } from "../finding.ts";
import { indexOf } from "../../explain/routing.ts";
import type { Tables } from "../../explain/tables.ts";
import { sayRule, sayTable } from "../../explain/words.ts";
import { deleteRule } from "../words.ts";

export const idleRules: Check = {
  codes: ["empty-table", "goto-nowhere", "detached-rule"],
  find(picture) {
    const tables = indexOf(picture).tables;
    const links = new Set(picture.links.map(({ name }) => name));
    const priorities = new Set(picture.rules.map(({ family, priority }) => `${family}/${priority}`));
    return [
      ...emptyTables(picture, tables),
      ...picture.rules.flatMap((rule) => gotoNowhere(rule, priorities)),
      ...detachedRules(picture, links),
    ];
  },
};

/** One finding for each table, however many rules lead to it. The kernel's own tables are empty on many hosts. */
function emptyTables(picture: HostPicture, tables: Tables): Finding[] {
  const own: ReadonlySet<number | undefined> = new Set(Object.values(TABLE));
  const idle = picture.rules.filter(
    (rule) => rule.action === "table" && !rule.l3mdev && !own.has(rule.table) && !tables.get(rule.family, rule.table),
  );
  return [...Map.groupBy(idle, (rule) => `${rule.family}/${rule.table}`).values()].map((rules): Finding => {
    const { family, table } = rules[0] as PictureRule;
    const name = sayTable(picture, table);
    const other = tables.get(family === 4 ? 6 : 4, table);
    return {
      code: "empty-table",
      severity: "warning",
      summary: `table ${name} has no IPv${family} routes, and ${rules.length === 1 ? "a rule leads" : `${rules.length} rules lead`} to it`,
      found: rules.slice(0, 5).map(sayRule),
      consequence:
        "The packets go on to the next rule and mostly end in table main: by another way than the rule says, without an error. " +
        "A link that was down takes the routes of every table along and brings only main's connected route back.",
      remedy: {
        text: other
          ? `The table has IPv${family === 4 ? 6 : 4} routes only: add the missing ones, or take the rule away. heddle's role static keeps rules and routes together.`
          : "Fill the table again, or take the rule away. heddle's role static keeps a table's routes there; an unreachable default route with a high metric in the table keeps what it is for from leaving by main.",
      },
    };
  });
}

function gotoNowhere(rule: PictureRule, priorities: ReadonlySet<string>): Finding[] {
  if (rule.action !== "goto") return [];
  if (!rule.unresolved && priorities.has(`${rule.family}/${rule.goto ?? 0}`)) return [];
  return [
    {
      code: "goto-nowhere",
      severity: "warning",
      summary: `rule ${rule.priority} goes on at priority ${rule.goto ?? 0}, where no rule is`,
      found: [sayRule(rule)],
      consequence: "The kernel passes over it as if it were not there: the rules that it should skip are asked.",
      remedy: {
        text: `Add the rule of priority ${rule.goto ?? 0}, or take this one away.`,
        commands: [deleteRule(rule)],
      },
    },
  ];
}

/** One finding for each link that is missing. */
function detachedRules(picture: HostPicture, links: ReadonlySet<string>): Finding[] {
  const missing = picture.rules.flatMap((rule) =>
    [
      { rule, link: rule.iif, detached: rule.iifDetached },
      { rule, link: rule.oif, detached: rule.oifDetached },
    ].filter(({ link, detached }) => link !== undefined && (detached || !links.has(link))),
  );
  return [...Map.groupBy(missing, ({ link }) => link ?? "")].map(([link, rules]): Finding => ({
    code: "detached-rule",
    severity: "warning",
    summary: `${rules.length === 1 ? "a rule names" : `${rules.length} rules name`} ${link}, which is not on this host`,
    found: rules.slice(0, 5).map(({ rule }) => sayRule(rule)),
    consequence:
      "Such a rule matches nothing until a link of that name appears, and then it matches whatever that link is.",
    remedy: {
      text: `Bring ${link} back, correct the name (links are renamed by new kernels and new slots), or take the rule away.`,
      commands: rules.slice(0, 5).map(({ rule }) => deleteRule(rule)),
    },
  }));
}
