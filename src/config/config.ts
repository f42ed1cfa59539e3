// Owns the reading of heddle.yaml: text in, checked sections with their places out.
import type { Pool } from "../model/claim.ts";
import type { Diagnostic, Outcome, SourceRange } from "../model/diagnostic.ts";
import { hasErrors, inOrderOfLines } from "../model/diagnostic.ts";
import type { NumberRange } from "../model/kinds.ts";
import type { Role, RoleFiles, Section } from "../roles/role.ts";
import { issueToDiagnostics } from "./issues.ts";
import { fileSchema, jsonSchema, keysAt } from "./schema.ts";
import { readYaml } from "./yaml.ts";
import type { YamlText } from "./yaml.ts";

/** A read and checked file. */
export interface Config {
  file: string;
  /** Ranges that the file moves; absent ones are left where they are. */
  ranges: { [pool in Pool]?: NumberRange | undefined };
  sections: Section[];
}

/** Reads a file that the configuration names: its text and what to call it, or what is wrong with it. */
export type ReadBeside = (name: string, at: SourceRange) => Outcome<{ file: string; text: string }>;

/**
 * Reads and checks a file against the schemas of the roles. Every finding is collected; `value` is absent on errors.
 * `readBeside` reads the files that sections name.
 */
export function parseConfig(
  text: string,
  file: string,
  roles: readonly Role[],
  readBeside: ReadBeside = readNothing,
): Outcome<Config> {
  const yaml = readYaml(text, file);
  if (!yaml.value) return { diagnostics: yaml.diagnostics };
  const source = yaml.value;
  const start = placeOf(source, []).value;
  if (source.value === null || source.value === undefined) return { diagnostics: [emptyFile(start)] };

  const result = fileSchema(roles).safeParse(source.value);
  if (!result.success) {
    const schema = jsonSchema(roles);
    const context = {
      keyPlace: (path: readonly PropertyKey[]) => placeOf(source, path).key,
      valuePlace: (path: readonly PropertyKey[]) => placeOf(source, path).value,
      keysAt: (path: readonly PropertyKey[]) => keysAt(schema, path),
      valueAt: (path: readonly PropertyKey[]) => valueAt(source.value, path),
    };
    const diagnostics = result.error.issues.flatMap((issue) => issueToDiagnostics(issue, context));
    return { diagnostics: inOrderOfLines(withoutEchoes(diagnostics)) };
  }

  const { version: _version, ranges, ...byRole } = result.data as typeof result.data & Record<string, unknown>;
  const diagnostics: Diagnostic[] = [];
  const sections = roles.flatMap((role) =>
    Object.entries((byRole[role.name] ?? {}) as Record<string, unknown>).map(([name, value]): Section => {
      const at: Section["at"] = (...path) => placeOf(source, [role.name, name, ...path]).key;
      const whole = role.files ? takeFiles(role.files, value, at, readBeside, diagnostics) : value;
      return { role: role.name, name, value: whole, at };
    }),
  );
  if (sections.length === 0) diagnostics.push(nothingAsked(start));
  return hasErrors(diagnostics) ? { diagnostics } : { value: { file, ranges: { ...ranges }, sections }, diagnostics };
}

/** The section with what stands in the files that it names; as it was where one of them is wrong, which is said. */
function takeFiles(
  files: RoleFiles<unknown>,
  value: unknown,
  at: Section["at"],
  readBeside: ReadBeside,
  diagnostics: Diagnostic[],
): unknown {
  const outcomes = files.named(value).map(({ name, path }) => readBeside(name, at(...path)));
  diagnostics.push(...outcomes.flatMap((outcome) => outcome.diagnostics));
  const texts = outcomes.flatMap((outcome) => outcome.value ?? []);
  if (texts.length < outcomes.length) return value;
  const taken = files.take(value, texts);
  diagnostics.push(...taken.diagnostics);
  return taken.value ?? value;
}

/** Where there is nothing beside the file: a text that came from elsewhere. */
function readNothing(name: string, range: SourceRange): ReturnType<ReadBeside> {
  const summary = `${name} cannot be read from here`;
  return { diagnostics: [{ code: "file-unreadable", severity: "error", summary, range }] };
}

/** Nothing is said twice, and a key that is only misspelled is not missing as well. */
function withoutEchoes(all: readonly Diagnostic[]): Diagnostic[] {
  const diagnostics = [...new Map(all.map((diagnostic) => [JSON.stringify(diagnostic), diagnostic])).values()];
  const misspelled = diagnostics.filter(({ code }) => code === "unknown-key").map(({ detail }) => detail ?? "");
  return diagnostics.filter(({ code, summary }) => {
    const missing = code === "missing-key" ? /lacks ("[^"]*")$/.exec(summary)?.[1] : undefined;
    return missing === undefined || !misspelled.includes(`Did you mean ${missing}?`);
  });
}

/** The place of a path, or of the nearest part of the file above it. */
function placeOf(source: YamlText, path: readonly PropertyKey[]): { key: SourceRange; value: SourceRange } {
  for (let length = path.length; length >= 0; length--) {
    const place = source.place(path.slice(0, length));
    if (place) return place;
  }
  throw new Error("every file has a place for its root");
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const step of path) {
    if (at === null || typeof at !== "object" || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[step];
  }
  return at;
}

function emptyFile(range: SourceRange): Diagnostic {
  return {
    code: "empty-file",
    severity: "error",
    summary: "the file is empty",
    remedy: "Begin with `version: 1`, then say a role: `multihome: { ib: { links: [ib0, ib1] } }`.",
    range,
  };
}

function nothingAsked(range: SourceRange): Diagnostic {
  return {
    code: "no-roles",
    severity: "warning",
    summary: "the file asks for nothing",
    detail: "It holds no role, so applying it removes everything that heddle made.",
    range,
  };
}
