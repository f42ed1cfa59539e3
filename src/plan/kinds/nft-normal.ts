// Owns the one form of a table's content: without what the kernel counts and numbers by itself, in one order.
//
// Only what is the same for every statement is done here. The many ways in which nft says one thing otherwise than it
// was asked for (a prefix for a range, a match that another one implies) are not chased: see docs/adr/0007.
import { NFT_STATEFUL } from "../../model/nft.ts";
import type { NftFields, NftObject, NftValue } from "../../model/nft.ts";
import { canonicalText } from "./canonical.ts";

/** Which objects must be there before which: a map of verdicts names chains, one of counters names those. */
const ORDER: readonly string[] = ["chain", ...NFT_STATEFUL, "set", "map", "rule"];

/** What the place of an object says already, and what the kernel numbers by itself. */
const IMPLIED: ReadonlySet<string> = new Set(["family", "table", "handle", "index"]);

/** What the kernel counts, by what it is counted in. An empty list means that nothing but counts is in there. */
const COUNTED: Readonly<Record<string, readonly string[]>> = {
  counter: ["packets", "bytes"],
  quota: ["used", "used_unit"],
  last: ["used"],
  elem: ["expires"],
};

/** The objects without counts and numbers, in an order in which each finds those that it names. Rules keep theirs. */
export function normalizeObjects(objects: readonly NftObject[]): NftObject[] {
  const filled = filledByRules(objects);
  return objects
    .map((object) => {
      const [kind, fields] = nftEntry(object);
      const normal = normalizeFields(kind, fields, filled);
      return { object: nftObject(kind, normal), sortedBy: sortText(kind, normal) };
    })
    .sort((a, b) => (a.sortedBy < b.sortedBy ? -1 : a.sortedBy > b.sortedBy ? 1 : 0))
    .map(({ object }) => object);
}

/** The names of sets and maps that rules fill. */
export function filledByRules(objects: readonly NftObject[]): Set<string> {
  const filled = new Set<string>();
  for (const object of objects) collectFilled(nftEntry(object)[1], filled);
  return filled;
}

function nftObject(kind: string, fields: NftFields): NftObject {
  const object: unknown = { [kind]: fields };
  return object as NftObject;
}

/** The sort of an nft object ("chain", "ct helper") and its fields. */
export function nftEntry(object: NftObject): [kind: string, fields: NftFields] {
  const [entry] = Object.entries(object) as [string, NftFields][];
  if (!entry) throw new TypeError("an nft object has no kind");
  return entry;
}

/** The order is stable, so rules of one chain stay as they are. */
function sortText(kind: string, fields: NftFields): string {
  const rank = String(ORDER.indexOf(kind) + 1).padStart(2, "0");
  return `${rank} ${JSON.stringify(fields[kind === "rule" ? "chain" : "name"])}`;
}

/** Adds the names of sets and maps that rules fill: `{ set: { op: "update", elem: …, set: "@seen" } }`. */
function collectFilled(value: NftValue | undefined, filled: Set<string>): void {
  if (value === null || typeof value !== "object") return;
  if (!Array.isArray(value)) {
    const { op, elem, set, map } = value as NftFields;
    const name = set ?? map;
    if (op !== undefined && elem !== undefined && typeof name === "string") filled.add(name.replace("@", ""));
  }
  for (const inner of Object.values(value)) collectFilled(inner as NftValue, filled);
}

function normalizeFields(kind: string, fields: NftFields, filled: ReadonlySet<string>): NftFields {
  const normal: Record<string, NftValue> = {};
  const counted = COUNTED[kind] ?? [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || IMPLIED.has(name) || counted.includes(name)) continue;
    normal[name] = normalizeValue(value);
  }
  if (kind === "chain" && normal["policy"] === "accept") delete normal["policy"];
  if (kind === "set" || kind === "map") normalizeSet(normal, filled);
  return normal;
}

/** What packets put into a set is no part of it. The listing of nft 1.0.6 leaves out that a set is filled by them. */
function normalizeSet(set: Record<string, NftValue>, filled: ReadonlySet<string>): void {
  const flags = asList(set["flags"]);
  if (flags.length > 0) set["flags"] = inOrder(flags);
  else delete set["flags"];
  const name = set["name"];
  const elements = typeof name === "string" && filled.has(name) ? [] : asList(set["elem"]);
  if (elements.length > 0) set["elem"] = inOrder(elements);
  else delete set["elem"];
}

function normalizeValue(value: NftValue): NftValue {
  if (Array.isArray(value)) return value.map((item: NftValue) => normalizeValue(item));
  if (value === null || typeof value !== "object") return value;
  const normal: Record<string, NftValue> = {};
  for (const [name, inner] of Object.entries(value as NftFields)) {
    if (inner === undefined) continue;
    const kept = normalizeValue(withoutCounts(name, inner));
    // An anonymous set has no order.
    normal[name] = name === "set" && Array.isArray(kept) ? inOrder(kept) : kept;
  }
  return normal;
}

/** A statement that counts, without its counts; null when there is nothing else in it. */
function withoutCounts(statement: string, value: NftValue): NftValue {
  const counted = COUNTED[statement];
  if (!counted || value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const kept = Object.entries(value).filter(([name]) => !counted.includes(name));
  return kept.length > 0 ? Object.fromEntries(kept) : null;
}

function asList(value: NftValue | undefined): readonly NftValue[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as readonly NftValue[]) : [value];
}

function inOrder(list: readonly NftValue[]): NftValue[] {
  return list
    .map((item) => ({ item, text: canonicalText({ item }) }))
    .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ item }) => item);
}
