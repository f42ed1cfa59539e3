// Owns the making of an object of those of its parts that are there.
import type { Kind, Specs } from "../model/kinds.ts";
import type { Desired, Need } from "../model/objects.ts";
import { rulesOf } from "./kinds/index.ts";

/** The object made of those that are there: itself where nothing is missing, absent where nothing can be made. */
export function narrow(desired: Desired, isThere: (need: Need) => boolean): { desired?: Desired; missing: Need[] } {
  const { spec, missing } = narrowSpec(desired.kind, desired.spec, isThere);
  if (spec === desired.spec) return { desired, missing };
  // The narrowed spec is of the same kind, which TypeScript cannot follow through the union.
  return spec === undefined ? { missing } : { desired: { ...desired, spec } as Desired, missing };
}

function narrowSpec<K extends Kind>(
  kind: K,
  spec: Specs[K],
  isThere: (need: Need) => boolean,
): { spec?: Specs[K]; missing: Need[] } {
  return rulesOf(kind).narrow?.(spec, isThere) ?? { spec, missing: [] };
}
