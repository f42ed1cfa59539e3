// Owns a listing of nftables made ready to be followed: which chains stand at a hook, in which order, and what they refer to.
//
// A listing may come from a file: what is not as libnftables-json(5) says is passed over here, or told as unknown later.
import type { Family } from "../../model/ip.ts";
import { isOfResets } from "../../model/nft.ts";
import type { NftFields, NftValue } from "../../model/nft.ts";
import type { RulesetRow } from "../../model/ruleset.ts";

/** Where packets meet chains. */
export type Hook = "ingress" | "prerouting" | "input" | "forward" | "output" | "postrouting" | "egress";

/** A rule of a chain. */
export interface FilterRule {
  /** The kernel's number of it, by which nft deletes it; absent where it is only planned. */
  handle?: number;
  expr: readonly NftValue[];
}

/** A chain. */
export interface FilterChain {
  /** "inet", "ip", "ip6", "netdev". */
  family: string;
  table: string;
  name: string;
  rules: FilterRule[];
  /** Of a chain that packets come through by themselves. */
  base?: { type: string; hook: string; priority: number; policy: "accept" | "drop"; links?: readonly string[] };
}

/** A set, or a map, whose elements are pairs then. */
export interface FilterSet {
  elements: readonly NftValue[];
}

/** Families of tables whose chains packets of an IP version come through. */
const FAMILIES: Readonly<Record<Family, ReadonlySet<string>>> = {
  4: new Set(["ip", "inet", "netdev"]),
  6: new Set(["ip6", "inet", "netdev"]),
};

/** All of it, found by name. */
export class Ruleset {
  readonly #chains = new Map<string, FilterChain>();
  readonly #sets = new Map<string, FilterSet>();

  constructor(rows: readonly RulesetRow[]) {
    const dormant = new Set<string>();
    for (const { table } of rows) {
      if (table && asList(table["flags"]).includes("dormant")) dormant.add(nameOf({ ...table, table: table["name"] }));
    }
    for (const { chain } of rows) if (chain) this.#addChain(chain, dormant.has(nameOf(chain)));
    for (const { rule, set, map } of rows) {
      if (rule) this.#addRule(rule);
      const filled = set ?? map;
      if (filled) this.#sets.set(nameOf(filled, "name"), { elements: asList(filled["elem"]) });
    }
  }

  /** The chains at a hook that packets of the IP version come through, as they are listed; without heddle's for resets. */
  at(hook: Hook, family: Family): FilterChain[] {
    return [...this.#chains.values()].filter(
      (chain) => chain.base?.hook === hook && FAMILIES[family].has(chain.family) && !isOfResets(chain),
    );
  }

  /** A chain of the same table. */
  chain({ family, table }: FilterChain, name: string): FilterChain | undefined {
    return this.#chains.get(`${family} ${table} ${name}`);
  }

  /** A set or map of the same table: "@inside". */
  set({ family, table }: FilterChain, reference: string): FilterSet | undefined {
    return this.#sets.get(`${family} ${table} ${reference.replace(/^@/, "")}`);
  }

  #addChain(fields: NftFields, isDormant: boolean): void {
    const { family, table, name, hook, type, prio, policy, dev } = fields;
    if (typeof family !== "string" || typeof table !== "string" || typeof name !== "string") return;
    const links =
      typeof dev === "string" ? [dev] : Array.isArray(dev) ? dev.map((one: NftValue) => wordOf(one)) : undefined;
    const base =
      typeof hook === "string" && !isDormant
        ? {
            type: wordOf(type),
            hook,
            priority: typeof prio === "number" ? prio : 0,
            policy: policy === "drop" ? ("drop" as const) : ("accept" as const),
            ...(links ? { links } : {}),
          }
        : undefined;
    this.#chains.set(`${family} ${table} ${name}`, { family, table, name, rules: [], ...(base ? { base } : {}) });
  }

  #addRule(fields: NftFields): void {
    const { handle, expr } = fields;
    const chain = this.#chains.get(nameOf(fields, "chain"));
    chain?.rules.push({ ...(typeof handle === "number" ? { handle } : {}), expr: asList(expr) });
  }
}

/** The name of a table, or of something in one. */
function nameOf(fields: NftFields, key?: string): string {
  const table = `${wordOf(fields["family"])} ${wordOf(fields["table"])}`;
  return key === undefined ? table : `${table} ${wordOf(fields[key])}`;
}

function asList(value: NftValue | undefined): readonly NftValue[] {
  return Array.isArray(value) ? (value as readonly NftValue[]) : value === undefined || value === null ? [] : [value];
}

const known = new WeakMap<readonly RulesetRow[], Ruleset>();

/** The rows made ready, once. */
export function rulesetOf(rows: readonly RulesetRow[]): Ruleset {
  const made = known.get(rows) ?? new Ruleset(rows);
  known.set(rows, made);
  return made;
}

/** The kind of a statement or an expression, and what it holds: `{ match: {…} }`; undefined for what is none. */
export function entryOf(value: NftValue | undefined): [kind: string, inner: NftValue] | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  const [entry, ...more] = Object.entries(value as NftFields);
  return entry && more.length === 0 && entry[1] !== undefined ? [entry[0], entry[1]] : undefined;
}

/** A word or a number as text; empty where it is neither. */
export function wordOf(value: NftValue | undefined): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** The fields of an object; none of what is no object. */
export function fieldsOf(value: NftValue | undefined): NftFields {
  return value === null || typeof value !== "object" || Array.isArray(value) ? {} : (value as NftFields);
}
