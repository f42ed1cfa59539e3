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
export function issueToDiagnostics(issue: Issue, context: FileContext, above: readonly PropertyKey[] = []): Diagnostic[] {
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
      return [wrongType(issue, path, context)];
    case "invalid_value":
      return [wrongValue(issue.values.map(String), path, context)];
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
function unionToDiagnostics(issue: core.$ZodIssueInvalidUnion, path: PropertyKey[], context: FileContext): Diagnostic[] {
  const fitting = issue.errors.filter((branch) => !branch.some((inner) => inner.path.length === 0 && isTypeIssue(inner)));
  const [meant] = fitting;
  if (meant && fitting.length === 1) return meant.flatMap((inner) => issueToDiagnostics(inner, context, path));
  const expected = issue.errors.flatMap((branch) => branch.filter(isTypeIssue).map(expectation));
  const value = context.valueAt(path);
  return [
    {
      code: "wrong-type",
      severity: "error",
      summary: `${pathText(path)} cannot be ${nounOf(value)}`,
      detail: `Expected ${[...new Set(expected)].join(", or ")}.`,
      range: context.valuePlace(path),
    },
  ];
}

function isTypeIssue(issue: Issue): boolean {
  return issue.code === "invalid_type";
}

/** What a type finding expected: the schema's own words where it has some. */
function expectation(issue: Issue): string {
  if (issue.message.startsWith("expected ")) return issue.message.slice("expected ".length);
  return issue.code === "invalid_type" ? typeNoun(issue.expected) : issue.message;
}

function wrongType(issue: core.$ZodIssueInvalidType, path: PropertyKey[], context: FileContext): Diagnostic {
  const value = context.valueAt(path);
  const expected = expectation(issue);
  if (value === undefined) {
    return {
      code: "missing-key",
      severity: "error",
      summary: `${pathText(path.slice(0, -1))} lacks "${String(path.at(-1))}"`,
      detail: `Expected ${expected}.`,
      range: context.keyPlace(path.slice(0, -1)),
    };
  }
  return {
    code: "wrong-type",
    severity: "error",
    summary: `${pathText(path)} cannot be ${nounOf(value)}`,
    detail: `Expected ${expected}.`,
    range: context.valuePlace(path),
  };
}

function wrongValue(values: string[], path: PropertyKey[], context: FileContext): Diagnostic {
  const value = context.valueAt(path);
  const missing = value === undefined;
  const guess = typeof value === "string" ? nearest(value, values) : undefined;
  const expected = values.length === 1 ? `It must be ${values[0]}.` : `It must be one of ${values.join(", ")}.`;
  return {
    code: missing ? "missing-key" : "bad-value",
    severity: "error",
    summary: missing
      ? `${pathText(path.slice(0, -1))} lacks "${String(path.at(-1))}"`
      : `${pathText(path)} cannot be ${JSON.stringify(value)}`,
    detail: guess === undefined ? expected : `Did you mean "${guess}"? ${expected}`,
    range: missing ? context.keyPlace(path.slice(0, -1)) : context.valuePlace(path),
  };
}

function badValue(issue: Issue, path: PropertyKey[], context: FileContext): Diagnostic {
  const remedy: unknown = issue.code === "custom" ? issue.params?.["remedy"] : undefined;
  return {
    code: "bad-value",
    severity: "error",
    summary: issue.code === "custom" ? issue.message : `bad value for ${pathText(path)}`,
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
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a mapping" : `the ${typeof value} ${JSON.stringify(value)}`;
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
