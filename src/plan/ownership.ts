// Owns the question whose an object is. Everything that heddle changes or deletes passes through here.
import { HEDDLE_PROTOCOL } from "../model/kinds.ts";
import type { Observed } from "../model/objects.ts";
import type { Ledger } from "../model/plan.ts";

/**
 * Whether heddle made the object: by the protocol number that routes and rules carry, by the ledger for sysctls.
 * Addresses are never ours.
 */
export function isOurs(observed: Observed, ledger: Ledger): boolean {
  switch (observed.kind) {
    case "route":
    case "rule":
      return observed.spec.protocol === HEDDLE_PROTOCOL;
    case "sysctl":
      return observed.spec.path in ledger.sysctls;
    case "address":
      return false;
  }
}
