// Owns the names of tables: from the section, from the kernel, from rt_tables.
import type { Diagnostic, SourceRange } from "../../model/diagnostic.ts";
import { TABLE } from "../../model/kinds.ts";
import { nearest } from "../../model/nearest.ts";
import type { Section, View } from "../role.ts";
import type { Static } from "./schema.ts";

/** The id of a table that the file names or numbers; undefined, with a diagnostic, where nobody knows the name. */
export function resolveTable(
  section: Section<Static>,
  view: View,
  table: number | string,
  place: () => SourceRange,
  diagnostics: Diagnostic[],
): number | undefined {
  if (typeof table === "number") return table;
  const stated = section.value.tables?.[table];
  if (typeof stated === "number") return stated;
  if (stated === "auto") return view.tables[table];
  const known: Record<string, number> = { ...view.tableNames, ...TABLE };
  if (Object.hasOwn(known, table)) return known[table];
  const guess = nearest(table, [...Object.keys(known), ...Object.keys(section.value.tables ?? {})]);
  diagnostics.push({
    code: "unknown-table",
    severity: "error",
    summary: `no table is called "${table}"`,
    ...(guess === undefined ? {} : { detail: `Did you mean "${guess}"?` }),
    remedy: `Name it in this section: tables: { ${table}: auto }, or write its number.`,
    range: place(),
  });
  return undefined;
}
