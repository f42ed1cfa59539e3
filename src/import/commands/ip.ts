// Owns the words of ip(8): its options, objects and verbs.
import type { SourceRange } from "../../model/diagnostic.ts";
import type { Setup } from "../setup.ts";
import type { Argument } from "../shell/expand.ts";
import { Cursor, keywordOf, NotUnderstood } from "./cursor.ts";
import { readRoute } from "./ip-route.ts";
import { readRule } from "./ip-rule.ts";

/** In iproute2's order: an abbreviation means the first that it begins. */
const OBJECTS =
  "address addrlabel maddress route rule neighbor neighbour ntable link tunnel netns nexthop vrf monitor".split(" ");
const ROUTE_VERBS = "list show get add change chg replace prepend append delete flush save restore".split(" ");
const RULE_VERBS = "list show save restore add delete flush".split(" ");
const LOOKING: ReadonlySet<string> = new Set(["list", "show", "get", "save", "lst"]);

/** Takes one `ip` command into the setup. Throws NotUnderstood. */
export function interpretIp(words: readonly Argument[], setup: Setup, range: SourceRange): void {
  const { rest, family } = readOptions(words.slice(1));
  const [object, ...behind] = rest;
  const name = object && (OBJECTS.find((one) => one.startsWith(object.text)) ?? object.text);
  const what = rest.map(({ text }) => text).join(" ");
  if (name === "route") takeRoute(behind, family, what, setup, range);
  else if (name === "rule") takeRule(behind, family, what, setup, range);
  else if (name === "netns" || name === "vrf") throw new NotUnderstood("it is about another namespace or VRF");
  else if (name === undefined || LOOKING.has(behind[0]?.text ?? "show") || name === "monitor") return;
  else if (name === "nexthop") throw new NotUnderstood("this heddle makes no nexthop objects");
  else if (OBJECTS.includes(name)) {
    const detail = `Each ${name} stays with whatever configures this host's network.`;
    setup.say("note", "not-routing", `left to others: ip ${what}`, range, detail);
  } else throw new NotUnderstood(`"${object?.text}" is nothing that ip knows`);
}

function readOptions(words: readonly Argument[]): { rest: Argument[]; family: 4 | 6 | undefined } {
  let family: 4 | 6 | undefined;
  let at = 0;
  for (; words[at]?.text.startsWith("-"); at++) {
    const option = (words[at] as Argument).text.replace(/^--/, "-");
    if (option === "-4") family = 4;
    else if (option === "-6") family = 6;
    else if (option === "-f" || option === "-family") family = words[++at]?.text === "inet6" ? 6 : 4;
    else if (/^-n(?:e|et|etns)?$/.test(option)) throw new NotUnderstood("it is about another network namespace");
    else if (/^-b(?:a|at|atch)?$/.test(option))
      throw new NotUnderstood("its commands are in another file: import that");
  }
  return { rest: words.slice(at), family };
}

function takeRoute(
  words: readonly Argument[],
  family: 4 | 6 | undefined,
  what: string,
  setup: Setup,
  range: SourceRange,
): void {
  const verb = verbOf(words, ROUTE_VERBS, "route");
  if (LOOKING.has(verb)) return;
  if (verb === "restore") throw new NotUnderstood("its routes are in another file");
  const cursor = new Cursor(words.slice(1));
  if (verb === "flush") return flushRoutes(words.slice(1), family ?? 4, what, setup, range);
  const read = readRoute(cursor, family, verb === "delete");
  for (const note of read.notes) setup.say("note", "host-bits", note, range);
  if (verb === "delete") setup.deleteRoute(read.entry, read.family, what, range);
  else setup.addRoute(verb === "chg" ? "change" : verb, read.entry, read.family, range);
}

function flushRoutes(words: readonly Argument[], family: 4 | 6, what: string, setup: Setup, range: SourceRange): void {
  const at = words.findIndex(({ text }) => text === "table");
  const table = at < 0 ? undefined : words[at + 1]?.text;
  if (words[0]?.text === "cache" || table === "cache") return;
  const all = table === "all";
  const others = words.filter((_word, i) => !all || (i !== at && i !== at + 1));
  const strange = others.find(({ text }) =>
    ["proto", "protocol", "scope", "type", "root", "match", "exact"].includes(text),
  );
  if (strange) throw new NotUnderstood(`what "flush … ${strange.text}" takes away cannot be told`);
  const { entry } = readRoute(new Cursor(others), family, true);
  setup.flushRoutes({ ...entry, all }, family, what, range);
}

function takeRule(
  words: readonly Argument[],
  family: 4 | 6 | undefined,
  what: string,
  setup: Setup,
  range: SourceRange,
): void {
  const verb = verbOf(words, RULE_VERBS, "rule");
  if (LOOKING.has(verb)) return;
  if (verb === "restore") throw new NotUnderstood("its rules are in another file");
  if (verb === "flush") return setup.flushRules(family ?? 4, range);
  const { entry, notes } = readRule(new Cursor(words.slice(1)), family, verb === "delete");
  for (const note of notes) setup.say("note", "host-bits", note, range);
  if (verb === "delete") setup.deleteRule(entry, what, range);
  else setup.addRule(entry, range);
}

function verbOf(words: readonly Argument[], verbs: readonly string[], object: string): string {
  const [first] = words;
  if (!first) return "list";
  if (!first.known) throw new NotUnderstood(`what ${first.text} stands for is not known`);
  const verb = verbs.find((one) => one.startsWith(first.text)) ?? keywordOf(first.text, verbs);
  if (verb === undefined) throw new NotUnderstood(`"${first.text}" is nothing that ip ${object} does`);
  return verb;
}
