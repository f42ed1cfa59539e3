// Owns the reading of YAML into plain values, with the place of every key and value.
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Document, DocumentOptions, ParseOptions, SchemaOptions } from "yaml";
import type { Diagnostic, Outcome, SourceRange } from "../model/diagnostic.ts";

/** Files larger than this are refused unread, in UTF-16 code units: the largest sensible one is far smaller. */
const MAX_LENGTH = 8 * 1024 * 1024;

/** Levels of nesting. The deepest sensible file has eight. */
const MAX_DEPTH = 64;

/** Copies that aliases may unfold to. */
const MAX_ALIASES = 10_000;

/** A read file: its value as JSON would have it, and where each part of it stands. */
export interface YamlText {
  value: unknown;
  /** The place of a path; undefined where nothing stands there. The root always has one. */
  place(path: readonly PropertyKey[]): Places | undefined;
}

/** Where one part of the file stands. */
export interface Places {
  /** The key, or the item itself in a list. */
  key: SourceRange;
  value: SourceRange;
}

/** Reads one YAML document (1.2 core schema, no tags). All mistakes in it are collected. */
export function readYaml(text: string, file: string): Outcome<YamlText> {
  const lines = new LineCounter();
  const at = (offset: number): SourceRange["start"] => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const rangeOf = (start: number, end: number): SourceRange => ({
    file,
    start: at(start),
    end: at(Math.max(end, start)),
  });
  const refuse = (summary: string, detail: string): Outcome<YamlText> => ({
    diagnostics: [{ code: "yaml", severity: "error", summary, detail, range: rangeOf(0, 0) }],
  });

  if (text.length > MAX_LENGTH) {
    return refuse("the file is too large", `It has ${text.length} characters; at most ${MAX_LENGTH} are read.`);
  }
  if (deepest(text) > MAX_DEPTH) {
    return refuse("the file is nested too deeply", `At most ${MAX_DEPTH} levels of brackets and indentation are read.`);
  }
  const document = tryParse(text, {
    lineCounter: lines,
    logLevel: "silent",
    prettyErrors: false,
    strict: true,
    uniqueKeys: true,
    // Without it !!binary and its kin would become values that no file means.
    resolveKnownTags: false,
  });
  if (!document) return refuse("the file is nested too deeply", "The parser ran out of room.");
  const syntax = [...document.errors, ...document.warnings].map(({ code, message, pos }): Diagnostic => ({
    code: "yaml",
    severity: "error",
    ...explain(code, message),
    range: rangeOf(pos[0], pos[1]),
  }));
  if (syntax.length > 0) return { diagnostics: syntax };
  const rangeOfNode = (node: unknown): SourceRange | undefined => {
    const range = isNode(node) ? node.range : undefined;
    return range ? rangeOf(range[0], range[1]) : undefined;
  };
  const oddities = findOddities(document, rangeOfNode);
  if (oddities.length > 0) return { diagnostics: oddities };

  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    // The one error that is left when aliases have their anchors (yaml, Document.toJS).
    return refuse("the file unfolds without bounds", `Its aliases (*name) make more than ${MAX_ALIASES} copies.`);
  }
  const root = rangeOfNode(document.contents) ?? rangeOf(0, 0);
  return { value: { value, place: placeFinder(document, root, rangeOfNode) }, diagnostics: [] };
}

/** The parser's answer; undefined where its recursion overflowed, which some flat texts manage as well. */
function tryParse(text: string, options: ParseOptions & DocumentOptions & SchemaOptions): Document.Parsed | undefined {
  try {
    return parseDocument(text, options);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

type RangeOfNode = (node: unknown) => SourceRange | undefined;

/** An upper bound of how deeply a text nests, found without recursion, which a parser needs. */
function deepest(text: string): number {
  let [open, most] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === "[" || character === "{") most = Math.max(most, ++open);
    else if (character === "]" || character === "}") open = Math.max(0, open - 1);
    // Block collections nest within a line as well: "- - - a", "? ? ? a".
    else if ((character === "-" || character === "?") && /^([-?] ){65}/.test(text.slice(i, i + 130))) return 65;
  }
  const indented = /^ *(?=[^ #\r\n])/gm;
  const steps: number[] = [];
  for (const [spaces] of text.matchAll(indented)) {
    while ((steps.at(-1) ?? -1) >= spaces.length) steps.pop();
    steps.push(spaces.length);
    most = Math.max(most, steps.length);
  }
  return most;
}

/** What YAML allows and heddle.yaml does not: keys that are no text, aliases that lead nowhere or into themselves. */
function findOddities(document: Document, rangeOfNode: RangeOfNode): Diagnostic[] {
  const found: Diagnostic[] = [];
  const refuse = (node: unknown, code: string, summary: string, remedy: string): void => {
    const range = rangeOfNode(node);
    found.push({ code, severity: "error", summary, remedy, ...(range ? { range } : {}) });
  };
  const walk = (node: unknown, above: readonly unknown[]): void => {
    if (isAlias(node)) {
      const target = node.resolve(document);
      if (!target) refuse(node, "yaml", `nothing is called &${node.source}`, "Set the anchor before the alias.");
      else if (above.includes(target)) refuse(node, "yaml", `*${node.source} stands inside itself`, "Write it out.");
    } else if (isMap(node)) {
      for (const pair of node.items) {
        if (!isScalar(pair.key)) refuse(pair.key, "bad-key", "a key must be a single word", "Write it as text.");
        // The one name that JavaScript's own objects keep for themselves.
        else if (pair.key.value === "__proto__")
          refuse(pair.key, "bad-key", "no key is called so", "Take another name.");
        walk(pair.value, [...above, node]);
      }
    } else if (isSeq(node)) {
      for (const item of node.items) walk(item, [...above, node]);
    }
  };
  walk(document.contents, []);
  return found;
}

/** Looks a path up in the document. Large files are asked for few of their places, so that none is noted ahead. */
function placeFinder(document: Document, root: SourceRange, rangeOfNode: RangeOfNode): YamlText["place"] {
  // An alias is resolved by a walk through the document, and may stand above a hundred thousand routes.
  const targets = new Map<unknown, unknown>();
  const targetOf = (node: unknown): unknown => {
    if (!isAlias(node)) return node;
    if (!targets.has(node)) targets.set(node, node.resolve(document));
    return targets.get(node);
  };
  return (path) => {
    let node: unknown = document.contents;
    let place: Places = { key: root, value: root };
    for (const step of path) {
      const target = targetOf(node);
      if (isMap(target)) {
        const pair = target.items.findLast(({ key }) => isScalar(key) && String(key.value) === String(step));
        if (!pair) return undefined;
        const key = rangeOfNode(pair.key) ?? place.value;
        place = { key, value: rangeOfNode(pair.value) ?? key };
        node = pair.value;
      } else if (isSeq(target)) {
        const index = Number(step);
        if (!(index in target.items)) return undefined;
        node = target.items[index];
        const value = rangeOfNode(node) ?? place.value;
        place = { key: value, value };
      } else {
        return undefined;
      }
    }
    return place;
  };
}

/** What is said of a syntax error, in place of the parser's words where those are for programmers. */
function explain(code: string, message: string): Pick<Diagnostic, "summary" | "detail" | "remedy"> {
  switch (code) {
    case "DUPLICATE_KEY":
      return { summary: "this key stands here twice", detail: "Which of the two counts would be a guess." };
    case "TAB_AS_INDENT":
      return { summary: "a tab indents this line", detail: "YAML is indented with spaces." };
    case "MULTIPLE_DOCS":
      return { summary: "the file holds more than one document", remedy: "Take the line `---` away." };
    case "TAG_RESOLVE_FAILED":
      return { summary: "tags (!name) mean nothing here", remedy: "Take the tag away." };
    case "BAD_INDENT":
    case "MISSING_CHAR":
      return {
        summary: "this is not valid YAML",
        detail: sentence(message),
        remedy: "Look for a bracket, brace or quote that is not closed, and at the indentation.",
      };
    default:
      return { summary: "this is not valid YAML", detail: sentence(message) };
  }
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
