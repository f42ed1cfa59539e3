// Owns what a look at the kernel tells the roles: links, and the numbers that others use.
import type { Facts } from "../model/facts.ts";
import { TABLE } from "../model/kinds.ts";
import type { Snapshot } from "../model/objects.ts";
import type { Ledger } from "../model/plan.ts";
import { isOurs } from "./ownership.ts";

/** The facts in a snapshot. A table or priority counts as used by others when an object of theirs names it. */
export function factsOf(snapshot: Snapshot, ledger: Ledger, tableNames: Record<string, number>): Facts {
  const tables = new Set<number>([...Object.values(TABLE), ...Object.values(tableNames)]);
  const priorities = new Set<number>();
  for (const object of snapshot.observed) {
    if (isOurs(object, ledger)) continue;
    if (object.kind === "route") tables.add(object.spec.table);
    if (object.kind === "rule") {
      priorities.add(object.spec.priority);
      if (object.spec.table !== undefined) tables.add(object.spec.table);
      if (object.spec.goto !== undefined) priorities.add(object.spec.goto);
    }
  }
  return { links: snapshot.links, inUse: { tables: [...tables], priorities: [...priorities] }, tableNames };
}
