// Owns what one statement of a rule does to a packet, and whether the rule goes on behind it.
//
// What heddle does not follow makes the walk stop, unless nothing that matters stands behind it in the rule.
import type { NftFields, NftValue } from "../../model/nft.ts";
import { compare, fits } from "./compare.ts";
import { numberOf } from "./constants.ts";
import type { FindSet } from "./compare.ts";
import { valueOf } from "./expressions.ts";
import type { LookUp, Value } from "./expressions.ts";
import type { Hooked } from "./hooked.ts";
import { translate } from "./translations.ts";
import type { Surroundings } from "./translations.ts";
import { entryOf, fieldsOf, wordOf } from "./ruleset.ts";
import type { FilterChain, Ruleset } from "./ruleset.ts";

/** What comes of a statement. */
export type Next =
  /** The next statement. `does`: what it changed. */
  | { is: "on"; packet?: Hooked; does?: string }
  /** The rule does not match. */
  | { is: "break" }
  | { is: "accept"; packet?: Hooked; does?: string }
  | { is: "drop"; rejected?: true }
  | { is: "return" }
  | { is: "jump" | "goto"; target: string }
  | { is: "unknown"; why: string };

const ON: Next = { is: "on" };

/** Statements that change nothing that a packet's way depends on. */
const HARMLESS: ReadonlySet<string> = new Set([
  "log",
  "last",
  "flow",
  "ct helper",
  "ct timeout",
  "ct expectation",
  "secmark",
]);

/** Things that a rule may set without a say in where the packet goes. */
const HARMLESS_KEYS: ReadonlySet<string> = new Set([
  "meta priority",
  "meta nftrace",
  "meta secmark",
  "ct label",
  "ct event",
  "ct secmark",
]);

/** Does one statement. */
export function doStatement(
  statement: NftValue,
  packet: Hooked,
  chain: FilterChain,
  ruleset: Ruleset,
  around: Surroundings,
): Next {
  const [kind = "", inner] = entryOf(statement) ?? [];
  const findSet = setFinder(ruleset, chain, packet);
  const lookUp = mapReader(findSet);
  const value = (expression: NftValue | undefined): Value => valueOf(expression, packet, lookUp);
  const verdict = verdictFrom(kind, inner);
  if (verdict) return verdict;
  switch (kind) {
    case "reject":
      return { is: "drop", rejected: true };
    case "match": {
      const { op, left, right } = fieldsOf(inner);
      const fit = compare(wordOf(op), value(left), right, findSet);
      return fit === true ? ON : fit === false ? { is: "break" } : { is: "unknown", why: fit };
    }
    case "vmap":
      return verdictOf(value(fieldsOf(inner)["key"]), fieldsOf(inner)["data"], findSet);
    case "mangle":
      return change(fieldsOf(inner), value, packet);
    case "notrack":
      return packet.tracking === "not-yet"
        ? { is: "on", packet: { ...packet, tracking: "untracked" }, does: "keeps it out of connection tracking" }
        : ON;
    case "counter":
      return entryOf(fieldsOf(inner)["map"]) ? { is: "unknown", why: "it counts by a map" } : ON;
    case "set":
    case "map":
      return fill(fieldsOf(inner), packet);
    case "snat":
    case "dnat":
    case "masquerade":
    case "redirect":
      return translate(kind, fieldsOf(inner), packet, around);
    case "xt":
      // xt_comment matches everything.
      return wordOf(fieldsOf(inner)["name"]) === "comment" ? ON : { is: "unknown", why: sayForeign(fieldsOf(inner)) };
    default:
      if (HARMLESS.has(kind)) return ON;
      return {
        is: "unknown",
        why: kind === "" ? "it has a statement that heddle has no word for" : `it has the statement ${kind}`,
      };
  }
}

function sayForeign({ type, name }: NftFields): string {
  return `it has ${name === undefined ? "something" : `the ${wordOf(type)} ${wordOf(name)}`} of iptables, of which nft tells no more`;
}

/** Whether a statement can change where the packet goes, or stop it: what stands behind a match that nobody can judge. */
export function matters(statement: NftValue): boolean {
  const [kind = "", inner] = entryOf(statement) ?? [];
  if (kind === "xt" && fieldsOf(inner)["type"] === "match") return false;
  if (kind === "match" || kind === "counter" || kind === "limit" || kind === "quota" || HARMLESS.has(kind))
    return false;
  return !(kind === "mangle" && isHarmlessKey(fieldsOf(inner)["key"]));
}

function isHarmlessKey(key: NftValue | undefined): boolean {
  const [kind = "", inner] = entryOf(key) ?? [];
  return kind === "tcp option" || HARMLESS_KEYS.has(`${kind} ${wordOf(fieldsOf(inner)["key"])}`);
}

function setFinder(ruleset: Ruleset, chain: FilterChain, { touched }: Hooked): FindSet {
  return (reference) => {
    const set = ruleset.set(chain, reference);
    if (!set) return `it asks for the set ${reference}, which is not listed`;
    return touched.has(reference) ? `it asks for the set ${reference}, into which this packet was put` : set;
  };
}

type Pair = readonly [key: NftValue, value: NftValue];

/** The pairs of a map; a text says why it cannot be looked into. */
function pairsOf(data: NftValue | undefined, findSet: FindSet): readonly Pair[] | string {
  const [kind, inner] = entryOf(data) ?? [];
  const found = typeof data === "string" ? findSet(data) : undefined;
  if (typeof found === "string") return found;
  const elements = found?.elements ?? (kind === "set" && Array.isArray(inner) ? (inner as readonly NftValue[]) : []);
  return elements.flatMap((pair): Pair[] =>
    Array.isArray(pair) && pair.length === 2 ? [pair as unknown as Pair] : [],
  );
}

/** What a map has for a key; undefined where it has nothing. */
function inMap(key: Value, data: NftValue | undefined, findSet: FindSet): { found?: NftValue } | string {
  if (key.is === "unknown") return key.why;
  if (key.is === "none") return {};
  if (key.is === "number" && key.sort === "wide-dscp") return "it looks the DSCP of IPv6 up in a map";
  const pairs = pairsOf(data, findSet);
  if (typeof pairs === "string") return pairs;
  for (const [wanted, found] of pairs) {
    if (wanted === "*") continue;
    const fit = fits(key, wanted, findSet);
    if (typeof fit === "string") return fit;
    if (fit) return { found };
  }
  const rest = pairs.find(([wanted]) => wanted === "*");
  return rest ? { found: rest[1] } : {};
}

function mapReader(findSet: FindSet): LookUp {
  return (data, key) => {
    const found = inMap(key, data, findSet);
    if (typeof found === "string") return { is: "unknown", why: found };
    if (found.found === undefined) return { is: "none" };
    const number = numberOf("number", found.found);
    return number === undefined
      ? { is: "unknown", why: "it takes something out of a map that is no number" }
      : { is: "number", number, sort: "number" };
  };
}

function verdictOf(key: Value, data: NftValue | undefined, findSet: FindSet): Next {
  const found = inMap(key, data, findSet);
  if (typeof found === "string") return { is: "unknown", why: found };
  if (found.found === undefined) return { is: "break" };
  const [kind = "", inner] = entryOf(found.found) ?? [];
  return verdictFrom(kind, inner) ?? { is: "unknown", why: `it has the verdict ${kind}` };
}

/** The verdict that a statement is; undefined for another statement. */
function verdictFrom(kind: string, inner: NftValue | undefined): Next | undefined {
  switch (kind) {
    case "accept":
    case "return":
    case "drop":
      return { is: kind };
    case "continue":
      return ON;
    case "jump":
    case "goto":
      return { is: kind, target: wordOf(fieldsOf(inner)["target"]) };
    default:
      return undefined;
  }
}

/** Packets that fill a set are looked for in it no more: whether it took them, nobody knows. */
function fill({ set, map, stmt }: NftFields, packet: Hooked): Next {
  const name = set ?? map;
  if (typeof name !== "string") return { is: "unknown", why: "it fills a set without a name" };
  // What it does besides, such as a limit, may stop the rule.
  if (stmt !== undefined) return { is: "unknown", why: `it does more with the set ${name} than to fill it` };
  return { is: "on", packet: { ...packet, touched: new Set([...packet.touched, name]) } };
}

function change({ key, value: to }: NftFields, read: (one: NftValue | undefined) => Value, packet: Hooked): Next {
  if (isHarmlessKey(key)) return ON;
  const [kind = "", inner] = entryOf(key) ?? [];
  const fields = fieldsOf(inner);
  const dscp = kind === "payload" && fields["field"] === "dscp";
  const what =
    kind === "payload"
      ? `${wordOf(fields["protocol"])} ${wordOf(fields["field"])}`
      : `${kind} ${wordOf(fields["key"])}`;
  if (what !== "meta mark" && what !== "ct mark" && !dscp) return { is: "unknown", why: `it sets ${what}` };
  // The field of the other IP version: nft asks for the version first.
  if (dscp && (fields["protocol"] === "ip") !== (packet.family === 4)) return { is: "break" };
  const value = dscp ? dscpConstant(to) : read(to);
  if (value.is === "none") return { is: "break" };
  if (value.is !== "number") {
    return {
      is: "unknown",
      why: value.is === "unknown" ? `${value.why}, to set ${what}` : `it sets ${what} to a name`,
    };
  }
  const number = Number(value.number & 0xffffffffn);
  if (what === "meta mark") {
    return { is: "on", packet: { ...packet, mark: number }, does: `sets its mark to 0x${number.toString(16)}` };
  }
  if (dscp) {
    return { is: "on", packet: { ...packet, tos: (number & 0x3f) << 2 }, does: `sets its DSCP to ${number}` };
  }
  if (packet.tracking !== "new") return ON;
  const does = `sets the mark of its connection to 0x${number.toString(16)}`;
  return { is: "on", packet: { ...packet, connectionMark: number }, does };
}

function dscpConstant(value: NftValue | undefined): Value {
  const number = numberOf("dscp", value);
  return number === undefined ? { is: "unknown", why: "it computes a DSCP" } : { is: "number", number, sort: "dscp" };
}
