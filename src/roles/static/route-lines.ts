// Owns files of routes: one a line, in the words of `routes`, for sites that have more of them than YAML is good for.
//
//     # the destination, then words with their values; a type other than unicast stands before it
//     10.20.0.0/16 via 172.16.0.1 link ib0 table 201
//     unreachable 10.30.0.0/16 metric 4000
import type { Diagnostic, Outcome, SourceRange } from "../../model/diagnostic.ts";
import { nearest } from "../../model/nearest.ts";
import { readAddress, readLinkName, readPrefixOrDefault, Refusal } from "../fields.ts";
import { MAX_U32, ROUTE_TYPES } from "./schema.ts";
import type { StaticRoute } from "./schema.ts";

/** All that a line says but for its destination: one object for all lines that say the same. */
export type Way = Omit<StaticRoute, "to">;

/** A route with its place. */
export interface LinedRoute {
  to: string;
  way: Way;
  from: SourceRange;
}

/** Mistakes after which the rest of a file is left unread. */
const MOST_MISTAKES = 100;

const KEYS = ["via", "link", "table", "metric", "source", "nexthop", "onlink"] as const;
type Key = (typeof KEYS)[number];

/** The words of ip-route(8) for the same things. */
const OTHER_WORDS: ReadonlyMap<string, Key> = new Map<string, Key>([
  ["dev", "link"],
  ["src", "source"],
  ["priority", "metric"],
  ["nhid", "nexthop"],
]);

/** Reads the lines of a file. Mistakes are collected, up to a bound; `value` is absent where there are any. */
export function readRouteLines(text: string, file: string): Outcome<LinedRoute[]> {
  const values = new Values();
  // By what stands behind a destination. A file of a hundred thousand lines knows a handful of ways.
  const ways = new Map<string, Way>();
  const routes: LinedRoute[] = [];
  const diagnostics: Diagnostic[] = [];
  let number = 0;
  let start = 0;
  while (start < text.length && diagnostics.length < MOST_MISTAKES) {
    const newline = text.indexOf("\n", start);
    const line = text.slice(start, newline < 0 ? text.length : newline);
    start += line.length + 1;
    number++;
    const from = rangeOf(file, number, 1, line.length);
    const blank = line.indexOf(" ");
    const known = blank > 0 ? ways.get(line.slice(blank)) : undefined;
    const prefix = known && readPrefixOrDefault(line.slice(0, blank));
    if (known && typeof prefix === "string") {
      routes.push({ to: prefix, way: known, from });
      continue;
    }
    const words = wordsOf(line);
    if (words.length === 0) continue;
    const route = readRoute(words, values);
    if ("wrong" in route) {
      diagnostics.push(toDiagnostic(route, line, number, file));
      continue;
    }
    const { to, ...way } = route;
    // A line that begins with a type has its destination there.
    if (blank > 0 && way.type === undefined) ways.set(line.slice(blank), way);
    routes.push({ to, way, from });
  }
  return diagnostics.length > 0 ? { diagnostics } : { value: routes, diagnostics };
}

/** What is wrong with a line, and with which of its words. */
interface Mistake {
  wrong: string;
  word: number;
  code?: string;
  remedy?: string;
}

function wordsOf(line: string): string[] {
  const comment = line.indexOf("#");
  const text = (comment < 0 ? line : line.slice(0, comment)).trim();
  if (text === "") return [];
  // Single blanks, as a program writes them, are found much sooner than by a pattern.
  return text.includes("  ") || text.includes("\t") ? text.split(/[ \t]+/) : text.split(" ");
}

function readRoute(words: readonly string[], values: Values): StaticRoute | Mistake {
  const type = ROUTE_TYPES.find((name) => name === words[0]);
  let at = type === undefined ? 0 : 1;
  const written = words[at];
  if (written === undefined) return { wrong: "the line does not say where the route leads", word: 0 };
  const to = readPrefixOrDefault(written);
  if (to instanceof Refusal) return refused(to, at);
  const found: Partial<Record<Key, string | number | true>> = {};
  for (at++; at < words.length; at++) {
    const word = words[at] as string;
    const key = KEYS.find((one) => one === word);
    if (key === undefined) return unknownWord(word, at);
    if (found[key] !== undefined) return { wrong: `"${key}" stands here twice`, word: at };
    const value = key === "onlink" ? true : values.read(key, words[++at]);
    if (value === undefined) return { wrong: `"${key}" lacks its value`, word: at - 1 };
    if (value instanceof Refusal) return refused(value, at);
    found[key] = value;
  }
  // Each key has a reader that gives what the schema's field of the same name does.
  return { to, ...(type === undefined ? {} : { type }), ...found } as StaticRoute;
}

/** Readers of values. The few links, gateways and tables of a file stand in it thousands of times, and are read once. */
class Values {
  readonly #known = new Map<string, string | number | Refusal>();

  read(key: Exclude<Key, "onlink">, text: string | undefined): string | number | Refusal | undefined {
    if (text === undefined) return undefined;
    const name = `${key} ${text}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const value = readValue(key, text);
    this.#known.set(name, value);
    return value;
  }
}

function readValue(key: Exclude<Key, "onlink">, text: string): string | number | Refusal {
  switch (key) {
    case "via":
    case "source":
      return readAddress(text);
    case "link":
      return readLinkName(text);
    case "metric":
      return wholeNumber(text, 0);
    case "table":
    case "nexthop":
      return /^\d/.test(text) ? wholeNumber(text, 1) : text;
  }
}

function wholeNumber(text: string, least: number): number | Refusal {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value >= least && value <= MAX_U32) return value;
  return new Refusal(`"${text}" is not a whole number from ${least} to ${MAX_U32}`);
}

function refused({ message, remedy }: Refusal, word: number): Mistake {
  return { wrong: message, word, ...(remedy === undefined ? {} : { remedy }) };
}

function unknownWord(text: string, word: number): Mistake {
  const meant = OTHER_WORDS.get(text) ?? nearest(text, KEYS);
  const known = `Known here: ${KEYS.join(", ")}.`;
  const remedy = meant === undefined ? known : `Did you mean "${meant}"? ${known}`;
  return { wrong: `unknown word "${text}"`, word, code: "unknown-key", remedy };
}

function toDiagnostic({ wrong, word, code, remedy }: Mistake, line: string, number: number, file: string): Diagnostic {
  const place = [...line.matchAll(/[^ \t\r]+/g)][word];
  const column = (place?.index ?? 0) + 1;
  return {
    code: code ?? "bad-value",
    severity: "error",
    summary: wrong,
    ...(remedy === undefined ? {} : { remedy }),
    range: rangeOf(file, number, column, column - 1 + (place?.[0].length ?? 0)),
  };
}

/** From a column to a last one, both from 1. */
function rangeOf(file: string, line: number, first: number, last: number): SourceRange {
  return { file, start: { line, column: first }, end: { line, column: last + 1 } };
}
