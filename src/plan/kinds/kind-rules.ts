// Owns what a kind must be able to say of its objects: the pure half of a kind. The other half is its driver in host/.
import type { Key, Kind, Specs } from "../../model/kinds.ts";
import type { Need } from "../../model/objects.ts";

/** How the objects of one kind are named, made comparable, merged, ordered and printed. */
export interface KindRules<K extends Kind> {
  /** The key: equal exactly when the kernel would take two objects for one. The spec is normalised. */
  identify(spec: Specs[K]): Key;
  /** The one form that objects with the same meaning share. */
  normalize(spec: Specs[K]): Specs[K];
  /** What must be there first. */
  needs(spec: Specs[K]): Need[];
  /** One object that serves both, or undefined when they contradict each other. Their keys are equal. */
  merge(a: Specs[K], b: Specs[K]): Specs[K] | undefined;
  /** As the tools of the field would print it, without the kind's name. */
  describe(spec: Specs[K]): string;
  /** Among new objects of the kind, lower comes first; removal goes the other way. */
  rank(spec: Specs[K]): number;
  /**
   * What of the object, besides its key, tells whether it is as it should be: equal texts, equal objects.
   * Whose it is (protocol) does not count.
   */
  compare(spec: Specs[K]): string;
  /**
   * For objects that are made of others, and can do with some of them: the object of those that are there, absent when
   * that is not enough, and what is missing.
   */
  narrow?(spec: Specs[K], isThere: (need: Need) => boolean): { spec?: Specs[K]; missing: Need[] };
}
