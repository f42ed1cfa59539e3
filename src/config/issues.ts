// Owns the translation of schema findings into diagnostics: in words for the file's author, at the right place.
import type { core } from "zod/mini";
import type { Diagnostic, SourceRange } from "../model/diagnostic.ts";
import { nearest } from "../model/nearest.ts";

/** What the translation needs to know of the file. */
export interface FileContext {
  /** Place of the key (or list item) of the path. */
  keyPlace(path: readonly PropertyKey[]): SourceRange;
  /** Place of the value of the path. */
  valuePlace(path: readonly PropertyKey[]): SourceRange;
  /** The keys that may stand in the mapping at the path. */
  keysAt(path: readonly PropertyKey[]): string[];
  /** The value at the path, as read. */
  valueAt(path: readonly PropertyKey[]): unknown;
}

type Issue = core.$ZodIssue;

/** One diagnostic or several for a finding. */
export function issueToDiagnostics(
  issue: Issue,
  context: FileContext,
  above: readonly PropertyKey[] = [],
): Diagnostic[] {
  const path = [...above, ...issue.path];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(key, path, context));
    case "invalid_union":
      return unionToDiagnostics(issue, path, context);
    case "invalid_key":
      return issue.issues.map((inner) => ({
        code: "bad-name",
        severity: "error",
        summary: `"${String(path.at(-1))}" cannot be a name`,
        detail: sentence(inner.message),
        range: context.keyPlace(path),
      }));
    case "invalid_type":
      return [wrongType(expectations(issue), path, context)];
    case "invalid_value":
      return [wrongValue(issue.values, path, context)];
    default:
      return [badValue(issue, path, context)];
  }
}

function unknownKey(key: string, path: readonly PropertyKey[], context: FileContext): Diagnostic {
  const known = context.keysAt(path);
  const guess = nearest(key, known);
  const where = path.length === 0 ? "at the top of the file" : `in ${pathText(path)}`;
  return {
    code: "unknown-key",
    severity: "error",
    summary: `unknown key "${key}" ${where}`,
    ...(guess !== undefined ? { detail: `Did you mean "${guess}"?` } : {}),
    remedy: known.length > 0 ? `Known here: ${known.join(", ")}.` : "Take it away: no keys can stand here.",
    range: context.keyPlace([...path, key]),
  };
}

/** Reports the findings of the one alternative that the author can have meant, by the type of the value. */
function unionToDiagnostics(
  issue: core.$ZodIssueInvalidUnion,
  path: PropertyKey[],
  context: FileContext,
): Diagnostic[] {
  const fitting = issue.errors.filter((branch) => !branch.some(isOfAnotherType));
  const [meant] = fitting;
  if (meant && fitting.length === 1) return meant.flatMap((inner) => issueToDiagnostics(inner, context, path));
  return [wrongType([...new Set(issue.errors.flatMap((branch) => branch.flatMap(expectations)))], path, context)];
}

/** Whether the finding says that the value itself is of a type that this alternative does not take. */
function isOfAnotherType(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === "invalid_union") return issue.errors.every((branch) => branch.some(isOfAnotherType));
  return issue.code === "invalid_type";
}

/** What a finding about the type of a value expected: the schema's own words where it has some. */
function expectations(issue: Issue): string[] {
  if (issue.code === "invalid_union") return issue.errors.flatMap((branch) => branch.flatMap(expectations));
  if (issue.message.startsWith("expected ")) return [issue.message.slice("expected ".length)];
  return issue.code === "invalid_type" ? [typeNoun(issue.expected)] : [];
}

function wrongType(expected: readonly string[], path: PropertyKey[], context: FileContext): Diagnostic {
  const value = context.valueAt(path);
  const detail = `Expected ${expected.join(", or ")}.`;
  if (value === undefined) return missingKey(path, detail, context);
  return {
    code: "wrong-type",
    severity: "error",
    summary: `${pathText(path)} cannot be ${nounOf(value)}`,
    detail,
    range: context.valuePlace(path),
  };
}

function missingKey(path: readonly PropertyKey[], detail: string, context: FileContext): Diagnostic {
  return {
    code: "missing-key",
    severity: "error",
    summary: `${pathText(path.slice(0, -1))} lacks "${String(path.at(-1))}"`,
    detail,
    range: context.keyPlace(path.slice(0, -1)),
  };
}

function wrongValue(values: readonly unknown[], path: PropertyKey[], context: FileContext): Diagnostic {
  const value = context.valueAt(path);
  const words = values.map(String);
  const expected = words.length === 1 ? `It must be ${words[0]}.` : `It must be one of ${words.join(", ")}.`;
  if (value === undefined) return missingKey(path, expected, context);
  const quoted = typeof value === "string" && words.includes(value);
  const guess = typeof value === "string" && !quoted ? nearest(value, words) : undefined;
  return {
    code: "bad-value",
    severity: "error",
    summary: `${pathText(path)} cannot be ${JSON.stringify(value)}`,
    detail: guess === undefined ? expected : `Did you mean "${guess}"? ${expected}`,
    ...(quoted ? { remedy: "Write it without the quotes." } : {}),
    range: context.valuePlace(path),
  };
}

function badValue(issue: Issue, path: PropertyKey[], context: FileContext): Diagnostic {
  const remedy: unknown = issue.code === "custom" ? issue.params?.["remedy"] : undefined;
  return {
    code: "bad-value",
    severity: "error",
    summary: issue.code === "custom" ? issue.message : `${pathText(path)} cannot be ${nounOf(context.valueAt(path))}`,
    ...(issue.code === "custom" ? {} : { detail: sentence(issue.message) }),
    ...(typeof remedy === "string" ? { remedy } : {}),
    range: context.valuePlace(path),
  };
}

/** "multihome.ib.links[0]", as people write a path. */
export function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return "the file";
  return path.map((step, i) => (typeof step === "number" ? `[${step}]` : `${i ? "." : ""}${String(step)}`)).join("");
}

function nounOf(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "string") return `the text ${JSON.stringify(value)}`;
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

function typeNoun(expected: string): string {
  switch (expected) {
    case "object":
    case "record":
      return "a mapping (key: value)";
    case "array":
      return "a list";
    case "string":
      return "text";
    case "boolean":
      return "true or false";
    default:
      return `a ${expected}`;
  }
}

function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
