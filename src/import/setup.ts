// Owns what a sequence of commands leaves behind: what was added and not taken away again, each thing once.
import type { SourceRange } from "../model/diagnostic.ts";
import { familyOf } from "../model/ip.ts";
import type { OwnerMark } from "./commands/iptables.ts";
import type { Finding, RouteEntry, RuleEntry } from "./draft.ts";
import { flow } from "./write.ts";

/** Main's own rule, below which the kernel puts rules that state no priority. */
const MAIN_PRIORITY = 32766;

interface Made<E> {
  entry: E;
  family: 4 | 6;
  /** The kernel would choose the priority. */
  chosen?: true;
}

/** Something that was taken away before anything had made it. */
interface Gone {
  what: string;
  matches: (kind: "route" | "rule", entry: RouteEntry | RuleEntry, family: 4 | 6) => boolean;
  range: SourceRange;
  /** It was made afterwards: the taking away was there so that the commands can be run again. */
  again: boolean;
}

/** The state that commands build up. */
export class Setup {
  readonly findings: Finding[] = [];
  /** Names of tables by rt_tables lines and by the host. */
  readonly names: Map<string, number>;
  marks: OwnerMark[] = [];
  #rules: Made<RuleEntry>[] = [];
  #routes: Made<RouteEntry>[] = [];
  readonly #gone: Gone[] = [];

  constructor(names: Readonly<Record<string, number>>) {
    this.names = new Map(Object.entries(names));
  }

  /** One with the same names and nothing in it, to try a command on. */
  empty(): Setup {
    return new Setup(Object.fromEntries(this.names));
  }

  /** What stands in the end, rules in the order in which they are asked. */
  get rules(): RuleEntry[] {
    return this.#rules.toSorted(byPriority).map(({ entry }) => entry);
  }

  /** Whether the kernel would choose the priority of any rule. */
  get hasChosenPriorities(): boolean {
    return this.#rules.some(({ chosen }) => chosen);
  }

  get routes(): RouteEntry[] {
    return this.#routes.map(({ entry }) => entry);
  }

  say(severity: Finding["severity"], code: string, summary: string, range: SourceRange, detail?: string): void {
    this.findings.push({ severity, code, summary, range, ...(detail === undefined ? {} : { detail }) });
  }

  addRule(said: RuleEntry, range: SourceRange): void {
    const family = ruleFamily(said);
    const read = said.priority === undefined ? said : { priority: said.priority, ...said };
    this.#madeAgain("rule", read, family);
    if (read.priority !== undefined) {
      if (this.#rules.some((rule) => rule.family === family && this.#same(rule.entry, read))) return;
      this.#rules.push({ entry: read, family });
      return;
    }
    const twin = this.#rules.find(
      ({ entry: { priority: _chosen, ...rest }, chosen }) => chosen && this.#same(rest, read),
    );
    if (twin) {
      this.say("note", "added-again", "adds a rule that stands already; it is in the file once", range);
      return;
    }
    const others = this.#rules.flatMap((rule) =>
      rule.family === family && rule.entry.priority ? rule.entry.priority : [],
    );
    // fib_default_rule_pref (net/core/fib_rules.c): in front of the first rule behind that of local.
    const priority = Math.max(0, Math.min(MAIN_PRIORITY, ...others) - 1);
    this.#rules.push({ entry: { priority, ...read }, family, chosen: true });
  }

  deleteRule(selector: RuleEntry, what: string, range: SourceRange): void {
    const family = ruleFamily(selector);
    const { family: _said, ...fields } = selector;
    const matches = (rule: Made<RuleEntry>): boolean => rule.family === family && this.#has(rule.entry, fields);
    const first = this.#rules.toSorted(byPriority).find(matches);
    if (first) this.#rules.splice(this.#rules.indexOf(first), 1);
    else {
      const { priority: _any, ...rest } = fields;
      this.#note(what, range, (kind, entry, other) => kind === "rule" && other === family && this.#has(entry, rest));
    }
  }

  flushRules(family: 4 | 6, range: SourceRange): void {
    this.#rules = this.#rules.filter((rule) => rule.family !== family);
    this.#note("all rules", range, (kind, _entry, other) => kind === "rule" && other === family);
  }

  addRoute(verb: string, entry: RouteEntry, family: 4 | 6, range: SourceRange): void {
    this.#madeAgain("route", entry, family);
    const at = this.#routes.findIndex(
      (route) => route.family === family && this.#routeKey(route.entry) === this.#routeKey(entry),
    );
    const present = this.#routes[at];
    if (verb === "change" && !present) {
      this.say("warning", "left-out", `changes a route that nothing here made: ${flow(entry)}`, range);
    } else if (!present) this.#routes.push({ entry, family });
    else if (verb === "replace" || verb === "change") this.#routes[at] = { entry, family };
    else if (!this.#same(present.entry, entry)) {
      const detail = `There is already ${flow(present.entry)}. The file holds one route for each prefix, table and metric.`;
      this.say("warning", "left-out", `a second route to the same: ${flow(entry)}`, range, detail);
    }
  }

  deleteRoute(selector: RouteEntry, family: 4 | 6, what: string, range: SourceRange): void {
    const { family: _said, scope: _scope, table, ...fields } = selector;
    const asked = fields.to === "" ? {} : fields;
    const matches = (entry: RouteEntry | RuleEntry): boolean =>
      this.#same(entry.table, table) && this.#has(entry, asked);
    const at = this.#routes.findIndex((route) => route.family === family && matches(route.entry));
    if (at >= 0) this.#routes.splice(at, 1);
    else this.#note(what, range, (kind, entry, other) => kind === "route" && other === family && matches(entry));
  }

  /** `table`: undefined is main. */
  flushRoutes(filter: RouteEntry & { all?: boolean }, family: 4 | 6, what: string, range: SourceRange): void {
    const { table, all, to, link } = filter;
    const fields = { ...(to === "" ? {} : { to }), ...(link === undefined ? {} : { link }) };
    const matches = (entry: RouteEntry | RuleEntry): boolean =>
      (all === true || this.#same(entry.table, table)) && this.#has(entry, fields);
    const before = this.#routes.length;
    this.#routes = this.#routes.filter((route) => route.family !== family || !matches(route.entry));
    if (this.#routes.length === before) {
      this.#note(what, range, (kind, entry, other) => kind === "route" && other === family && matches(entry));
    }
  }

  /** Says what was taken away and never made: heddle does not do that. */
  finish(): void {
    for (const { what, range, again } of this.#gone) {
      if (again) continue;
      const detail = "heddle never deletes what it did not make, so this stays where it stands.";
      this.say("note", "takes-away", `takes away what nothing here made: ${what}`, range, detail);
    }
  }

  #note(what: string, range: SourceRange, matches: Gone["matches"]): void {
    this.#gone.push({ what, range, matches, again: false });
  }

  #madeAgain(kind: "route" | "rule", entry: RouteEntry | RuleEntry, family: 4 | 6): void {
    for (const gone of this.#gone) gone.again ||= gone.matches(kind, entry, family);
  }

  #routeKey({ to, table, metric, tos, from }: RouteEntry): string {
    return this.#text([to, table ?? "main", metric ?? 0, tos ?? 0, from ?? ""]);
  }

  /** Whether an entry says all that a selector says. */
  #has(entry: object, selector: object): boolean {
    return Object.entries(selector).every(([key, value]) => this.#same((entry as Record<string, unknown>)[key], value));
  }

  #same(a: unknown, b: unknown): boolean {
    return this.#text(a) === this.#text(b);
  }

  /** Text to compare by: keys in one order, a table's name as its number. */
  #text(value: unknown): string {
    const plain = (one: unknown): unknown => {
      if (typeof one === "string") return this.names.get(one) ?? one;
      if (one === null || typeof one !== "object") return one;
      if (Array.isArray(one)) return one.map(plain);
      return Object.entries(one)
        .map(([key, inner]) => [key, plain(inner)])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
    };
    return JSON.stringify(plain(value)) ?? "";
  }
}

function byPriority(a: Made<RuleEntry>, b: Made<RuleEntry>): number {
  return a.family - b.family || (a.entry.priority ?? 0) - (b.entry.priority ?? 0);
}

function ruleFamily({ from, to, family }: RuleEntry): 4 | 6 {
  const address = from ?? to;
  if (address !== undefined) return familyOf(address);
  return family === "ipv6" ? 6 : 4;
}
