// Owns steps that tests give to drivers directly, without a plan.
import type { Kind, Specs } from "../src/model/kinds.ts";
import type { Desired, Observed } from "../src/model/objects.ts";
import type { Step } from "../src/model/plan.ts";
import { rulesOf } from "../src/plan/kinds/index.ts";

function object<K extends Kind>(kind: K, spec: Specs[K]): Desired {
  const normal = rulesOf(kind).normalize(spec);
  return { kind, spec: normal, key: rulesOf(kind).identify(normal), needs: [], owners: [], from: [] } as Desired;
}

/** A step that makes an object. */
export function create<K extends Kind>(kind: K, spec: Specs[K]): Step {
  return { action: "create", after: object(kind, spec), why: "new" };
}

/** A step that takes an object away. */
export function remove<K extends Kind>(kind: K, spec: Specs[K]): Step {
  return { action: "delete", before: object(kind, spec) as Observed, why: "unwanted" };
}

/** A step that puts one object in the place of another. */
export function replace<K extends Kind>(kind: K, before: Specs[K], after: Specs[K]): Step {
  return { action: "replace", before: object(kind, before) as Observed, after: object(kind, after), why: "changed" };
}

/** A step that makes another's object heddle's, or the other way round. */
export function adopt<K extends Kind>(kind: K, before: Specs[K], after: Specs[K]): Step {
  return { action: "adopt", before: object(kind, before) as Observed, after: object(kind, after), why: "asked" };
}
