// Owns the reading of YAML into plain values, with the place of every key and value.
import { isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Node, Range } from "yaml";
import type { Diagnostic, Outcome, SourceRange } from "../model/diagnostic.ts";
import { MAX_LENGTH } from "./places.ts";
import type { Places } from "./places.ts";

export type { Places } from "./places.ts";

/** A read file: its value as JSON would have it, and where each part of it stands. */
export interface YamlText {
  value: unknown;
  /** By pathKey: the place of the value; of the key where the path is asked for with `keyPlace`. */
  places: Map<string, Places>;
}

/** The text under which the place of a path is kept. */
export function pathKey(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

/** Reads one YAML document (1.2 core schema). All syntax errors are collected. */
export function readYaml(text: string, file: string): Outcome<YamlText> {
  if (text.length > MAX_LENGTH) {
    const range = { file, start: { line: 1, column: 1 }, end: { line: 1, column: 1 } };
    const detail = `It has ${text.length} characters; at most ${MAX_LENGTH} are read.`;
    return {
      diagnostics: [{ code: "file-too-large", severity: "error", summary: "the file is too large", detail, range }],
    };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const rangeOf = (start: number, end: number): SourceRange => ({
    file,
    start: at(start),
    end: at(Math.max(end, start)),
  });
  const diagnostics: Diagnostic[] = [...document.errors, ...document.warnings].map((problem) => ({
    code: "yaml",
    severity: "error",
    ...explain(problem.code, problem.message),
    range: rangeOf(problem.pos[0], problem.pos[1]),
  }));
  if (diagnostics.length > 0) return { diagnostics };

  const places = new Map<string, Places>();
  let value: unknown;
  try {
    // A bound on aliases keeps a small file from becoming a huge value.
    value = document.toJS({ maxAliasCount: 100 });
  } catch {
    // The one error that is left when a document could be parsed (yaml, Document.toJS).
    const detail = "Its aliases (*name) unfold to more than a hundred copies.";
    const range = rangeOf(0, 0);
    return {
      diagnostics: [{ code: "yaml", severity: "error", summary: "the file unfolds without bounds", detail, range }],
    };
  }
  const root = rangeOfNode(document.contents) ?? rangeOf(0, 0);
  record([], document.contents, { key: root, value: root });
  return { value: { value, places }, diagnostics };

  function at(offset: number): SourceRange["start"] {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  function rangeOfNode(node: unknown): SourceRange | undefined {
    const range: Range | null | undefined = isNode(node) ? node.range : undefined;
    return range ? rangeOf(range[0], range[1]) : undefined;
  }

  function record(path: string[], node: Node | null | undefined, own: Places): void {
    places.set(pathKey(path), own);
    const target = isAlias(node) ? node.resolve(document) : node;
    if (isMap(target)) {
      for (const pair of target.items) {
        if (!isPair(pair)) continue;
        const name = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
        const key = rangeOfNode(pair.key) ?? own.value;
        record([...path, name], isNode(pair.value) ? pair.value : undefined, {
          key,
          value: rangeOfNode(pair.value) ?? key,
        });
      }
    } else if (isSeq(target)) {
      for (const [index, item] of target.items.entries()) {
        const value = rangeOfNode(item) ?? own.value;
        record([...path, String(index)], isNode(item) ? item : undefined, { key: value, value });
      }
    }
  }
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
