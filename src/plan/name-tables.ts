// Owns the names under which people see heddle's tables in `ip rule` and `ip route`.
import type { Facts } from "../model/facts.ts";
import { OWN_TABLE } from "../roles/role.ts";
import type { Intent } from "./bind.ts";

/** A table with its name. */
export interface NamedTable {
  id: number;
  /** Without blanks. */
  name: string;
}

/** Characters that iproute2 takes in a name without trouble; others become dashes. */
const ODD = /[^A-Za-z0-9_.-]/g;

/**
 * A name for each table of the file: the one that a section states, its own for a section that is about one table,
 * "heddle-ib-ib0" for what the role drew for itself.
 * Names that the host gives already, and tables that have one, are left out.
 */
export function nameTables(intent: Intent, facts: Facts): NamedTable[] {
  const named = new Map<string, number>();
  const known = new Set(Object.values(facts.tableNames));
  for (const { section, view } of intent.sections) {
    for (const [claim, id] of Object.entries(view.tables)) {
      // "#941" is a number that the file states, with no name to it.
      if (claim.startsWith("#") || known.has(id)) continue;
      const stated = section.role === "static";
      const plain = claim.replace(/^:/, "").replace(ODD, "-");
      const name = claim === OWN_TABLE ? section.name : stated ? plain : `heddle-${section.name}-${plain}`;
      const free = !named.has(name) && !Object.hasOwn(facts.tableNames, name);
      named.set(free ? name : `heddle-${section.role}-${section.name}-${plain}`, id);
    }
  }
  return [...named].map(([name, id]) => ({ id, name })).toSorted((a, b) => a.id - b.id);
}
