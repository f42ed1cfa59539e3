// Owns the names of tables in a section: its own, and those of the host.
import type { Diagnostic, SourceRange } from "../../model/diagnostic.ts";
import type { Section, View } from "../role.ts";
import { namedTable, unknownTable } from "../table-names.ts";
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
  const known = namedTable(table, view);
  if (known !== undefined) return known;
  const own = Object.keys(section.value.tables ?? {});
  const remedy = `Name it in this section: tables: { ${table}: auto }, or write its number.`;
  diagnostics.push(unknownTable(table, view, own, remedy, place()));
  return undefined;
}
