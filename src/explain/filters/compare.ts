// Owns the comparison of what a packet has with what a rule wants, one way or the other, or nobody can tell.
import type { NftValue } from "../../model/nft.ts";
import { numberOf, spanOf } from "./constants.ts";
import type { Value } from "./expressions.ts";
import { entryOf, fieldsOf } from "./ruleset.ts";
import type { FilterSet } from "./ruleset.ts";

/** Whether it fits; a text says why nobody can tell. */
export type Fit = boolean | string;

/** Finds a set of the rule's table; a text says why it cannot be looked into. */
export type FindSet = (reference: string) => FilterSet | string;

const UNREADABLE = "it compares with something that heddle has no word for";

/** Versions of nft compare the wrong bits then (measured with 1.0.6), whatever they list. */
const WIDE = "it compares the DSCP of IPv6 with more than one value";

/** Whether a rule's match holds. */
export function compare(op: string, value: Value, right: NftValue | undefined, findSet: FindSet): Fit {
  if (value.is === "none") return false;
  if (value.is === "unknown") return value.why;
  if (hasWide(value) && (value.is === "several" || !isOne(op, value, right))) return WIDE;
  switch (op) {
    case "==":
      return fits(value, right, findSet);
    case "!=": {
      const fit = fits(value, right, findSet);
      return typeof fit === "string" ? fit : !fit;
    }
    case "in":
      return isAmong(value, right, findSet);
    case "<":
    case ">":
    case "<=":
    case ">=":
      return order(op, value, right);
    default:
      return UNREADABLE;
  }
}

function hasWide(value: Value): boolean {
  return value.is === "several" ? value.values.some(hasWide) : value.is === "number" && value.sort === "wide-dscp";
}

function isOne(op: string, value: Value, right: NftValue | undefined): boolean {
  return (op === "==" || op === "!=") && value.is === "number" && numberOf(value.sort, right) !== undefined;
}

/** Flags: any of them. Of sets, as with "==". */
function isAmong(value: Value, right: NftValue | undefined, findSet: FindSet): Fit {
  const flags = value.is === "number" ? numberOf(value.sort, right) : undefined;
  if (value.is === "number" && flags !== undefined) return (value.number & flags) !== 0n;
  return fits(value, right, findSet);
}

function order(op: string, value: Value, right: NftValue | undefined): Fit {
  const wanted = value.is === "number" ? numberOf(value.sort, right) : undefined;
  if (value.is !== "number" || wanted === undefined) return UNREADABLE;
  if (op === "<") return value.number < wanted;
  if (op === ">") return value.number > wanted;
  return op === "<=" ? value.number <= wanted : value.number >= wanted;
}

/** Whether a value is what a constant says, or one of a set. */
export function fits(value: Value, right: NftValue | undefined, findSet: FindSet): Fit {
  if (typeof right === "string" && right.startsWith("@")) {
    const set = findSet(right);
    return typeof set === "string" ? set : anyOf(value, set.elements, findSet);
  }
  const [kind, inner] = entryOf(right) ?? [];
  if (kind === "set") return anyOf(value, listOf(inner), findSet);
  if (kind === "elem") return fits(value, fieldsOf(inner)["val"], findSet);
  if (value.is === "several") {
    const parts = kind === "concat" ? listOf(inner) : [];
    if (parts.length !== value.values.length) return UNREADABLE;
    return allOf(value.values.map((one, i) => fits(one, parts[i], findSet)));
  }
  if (value.is === "link") return fitsLink(value.names, value.byName, right);
  if (value.is !== "number") return UNREADABLE;
  const span = spanOf(value.sort, right);
  return span ? span.first <= value.number && value.number <= span.last : UNREADABLE;
}

function listOf(value: NftValue | undefined): readonly NftValue[] {
  return Array.isArray(value) ? (value as readonly NftValue[]) : value === undefined ? [] : [value];
}

function anyOf(value: Value, elements: readonly NftValue[], findSet: FindSet): Fit {
  let why: string | undefined;
  for (const element of elements) {
    const fit = element === "*" ? true : fits(value, element, findSet);
    if (fit === true) return true;
    if (typeof fit === "string") why ??= fit;
  }
  return why ?? false;
}

function allOf(all: readonly Fit[]): Fit {
  if (all.includes(false)) return false;
  return all.find((fit) => typeof fit === "string") ?? true;
}

function fitsLink(names: readonly string[], byName: boolean, right: NftValue | undefined): Fit {
  if (typeof right !== "string" || right.includes("\\")) return UNREADABLE;
  const fit = (name: string): boolean =>
    byName && right.endsWith("*") ? name.startsWith(right.slice(0, -1)) : name === right;
  const all = names.length === 0 ? [fit("")] : names.map(fit);
  if (all.every((one) => one === all[0])) return all[0] ?? false;
  return "it asks for the link that the packet leaves by, and there are several";
}
