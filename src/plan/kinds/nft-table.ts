// Owns the rules of the kind "nftTable": one table with all of its content is one object, swapped as a whole.
import type { NftFields, NftTableSpec, NftValue } from "../../model/nft.ts";
import type { Need } from "../../model/objects.ts";
import { canonicalText } from "./canonical.ts";
import type { KindRules } from "./kind-rules.ts";
import { nftEntry, normalizeObjects } from "./nft-normal.ts";

export const nftTableRules: KindRules<"nftTable"> = {
  identify: (spec) => `nftTable ${spec.family} ${spec.name}`,
  normalize: (spec) => ({ ...spec, objects: normalizeObjects(spec.objects) }),
  needs: needsOfTable,
  merge: (a, b) => (canonicalText(a) === canonicalText(b) ? a : undefined),
  describe: (spec) => `${spec.family} ${spec.name} (${countObjects(spec)})`,
  rank: () => 0,
  compare: (spec) => canonicalText(spec, ["owner"]),
};

/** Links that are matched by index have to be there when the table is made; those matched by name need not. */
function needsOfTable(spec: NftTableSpec): Need[] {
  const links = new Set<string>();
  for (const object of spec.objects) collectLinks(nftEntry(object)[1], links);
  return [...links].map((link) => ({ link, up: false }));
}

function collectLinks(value: NftValue | undefined, links: Set<string>): void {
  if (value === null || typeof value !== "object") return;
  if (Array.isArray(value)) {
    for (const item of value as readonly NftValue[]) collectLinks(item, links);
    return;
  }
  const fields = value as NftFields;
  const { left, right } = fields;
  if (isLinkIndex(left)) for (const name of namesIn(right)) links.add(name);
  for (const inner of Object.values(fields)) collectLinks(inner, links);
}

function isLinkIndex(left: NftValue | undefined): boolean {
  return ['{"meta":{"key":"iif"}}', '{"meta":{"key":"oif"}}'].includes(JSON.stringify(left));
}

function namesIn(right: NftValue | undefined): string[] {
  if (typeof right === "string") return right.startsWith("@") ? [] : [right];
  const set = right !== null && typeof right === "object" && !Array.isArray(right) ? (right as NftFields)["set"] : [];
  return Array.isArray(set) ? (set as readonly NftValue[]).filter((item) => typeof item === "string") : [];
}

/** "2 chains, 5 rules". */
function countObjects(spec: NftTableSpec): string {
  const counts = new Map<string, number>();
  for (const object of spec.objects) {
    const [kind] = nftEntry(object);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  if (counts.size === 0) return "empty";
  return [...counts].map(([kind, count]) => `${count} ${kind}${count === 1 ? "" : "s"}`).join(", ");
}
