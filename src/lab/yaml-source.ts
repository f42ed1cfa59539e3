// Owns a YAML text with the place of every value, and the complaints of a schema about parts of it.
import type * as z from "zod/mini";
import { issueToDiagnostics, pathText } from "../config/issues.ts";
import { nearest } from "../model/nearest.ts";
import { readYaml, type Places, type YamlText } from "../config/yaml.ts";
import type { Diagnostic, Outcome, SourceRange } from "../model/diagnostic.ts";
import { knownKeys } from "./known-keys.ts";

/** A way into a value: keys and indices. */
export type Path = readonly PropertyKey[];

/** A read YAML text that knows where its values stand. */
export class YamlSource {
  readonly value: unknown;
  readonly #text: YamlText;

  private constructor(text: YamlText) {
    this.value = text.value;
    this.#text = text;
  }

  /** Reads a text; what YAML itself finds wrong is in the diagnostics. */
  static read(text: string, file: string): Outcome<YamlSource> {
    const { value, diagnostics } = readYaml(text, file);
    return { diagnostics, ...(value && { value: new YamlSource(value) }) };
  }

  /** Where the value at the path stands; the nearest value around it when it is not there. */
  rangeOf(path: Path): SourceRange {
    return this.#placesOf(path).value;
  }

  /** Where the key at the path stands. */
  rangeOfKey(path: Path): SourceRange {
    return this.#placesOf(path).key;
  }

  /** What the schema says about a value that stands at the path; empty when it is content. */
  complaints(schema: z.ZodMiniType, value: unknown, path: Path): Diagnostic[] {
    const result = schema.safeParse(value);
    if (result.success) return [];
    const context = {
      keyPlace: (at: Path) => this.rangeOfKey(at),
      valuePlace: (at: Path) => this.rangeOf(at),
      keysAt: (at: Path) => knownKeys(schema, at.slice(path.length)),
      valueAt: (at: Path) => at.slice(path.length).reduce<unknown>(field, value),
    };
    return result.error.issues.flatMap((issue) => issueToDiagnostics(issue, context, path));
  }

  /** The diagnostic for a key that nobody knows, with the nearest one that somebody does. */
  unknownKey(path: Path, key: string, known: readonly string[]): Diagnostic {
    const meant = nearest(key, known);
    return {
      code: "unknown-key",
      severity: "error",
      summary: `unknown key "${key}" in ${pathText(path)}`,
      ...(meant !== undefined && { detail: `Did you mean "${meant}"?` }),
      remedy: `Known here: ${known.join(", ")}.`,
      range: this.rangeOfKey([...path, key]),
    };
  }

  #placesOf(path: Path): Places {
    for (let length = path.length; length > 0; length--) {
      const places = this.#text.place(path.slice(0, length));
      if (places) return places;
    }
    return this.#text.place([]) as Places; // The root always has a place.
  }
}

function field(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
}
