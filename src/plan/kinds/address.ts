// Owns the rules of the kind "address". Addresses are observed, never changed.
import { canonicalText } from "./canonical.ts";
import type { KindRules } from "./kind-rules.ts";

export const addressRules: KindRules<"address"> = {
  identify: (spec) => `address ${spec.link} ${spec.address}${spec.peer ? ` peer ${spec.peer}` : ""}`,
  normalize: (spec) => spec,
  needs: (spec) => [{ link: spec.link, up: false }],
  merge: (a) => a,
  describe: (spec) => `${spec.address} dev ${spec.link}`,
  rank: () => 0,
  compare: (spec) => canonicalText(spec),
};
