// Owns the names of routing tables that the host and the kernel give.
import type { Diagnostic, SourceRange } from "../model/diagnostic.ts";
import { TABLE } from "../model/kinds.ts";
import { nearest } from "../model/nearest.ts";
import type { View } from "./role.ts";

/** The id of a table that rt_tables or the kernel names. */
export function namedTable(name: string, view: View): number | undefined {
  const known: Record<string, number> = { ...view.tableNames, ...TABLE };
  return Object.hasOwn(known, name) ? known[name] : undefined;
}

/** What is said of a name that nobody knows; `own` are the names that the section gives itself. */
export function unknownTable(
  name: string,
  view: View,
  own: readonly string[],
  remedy: string,
  range: SourceRange,
): Diagnostic {
  const guess = nearest(name, [...Object.keys({ ...view.tableNames, ...TABLE }), ...own]);
  return {
    code: "unknown-table",
    severity: "error",
    summary: `no table is called "${name}"`,
    ...(guess === undefined ? {} : { detail: `Did you mean "${guess}"?` }),
    remedy,
    range,
  };
}
