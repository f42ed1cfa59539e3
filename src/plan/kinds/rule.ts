// Owns the rules of the kind "rule". A rule has no name: nearly everything that it matches and does is its key.
import { defaultPrefix, shortPrefix } from "../../model/ip.ts";
import type { NumberRange, RuleSpec } from "../../model/kinds.ts";
import { canonicalText, isSameData } from "./canonical.ts";
import type { KindRules } from "./kind-rules.ts";
import { tableName } from "./route.ts";

const ALL_BITS = 0xffffffff;

export const ruleRules: KindRules<"rule"> = {
  // fib_nl_newrule refuses a second rule that is equal in everything, its protocol too, but for where a goto leads and
  // whether the match is turned round (rule_exists, net/core/fib_rules.c): an equal one of somebody else is another rule.
  identify: ({ not: _not, goto: _goto, ...spec }) =>
    `rule ipv${spec.family} ${spec.priority}: ${describeRule(spec)} proto ${spec.protocol}`,
  normalize: normalizeRule,
  // A rule may name a link that is not there: it waits as [detached] and begins to match when the link appears.
  needs: () => [],
  merge: (a, b) => (canonicalText(a) === canonicalText(b) ? a : undefined),
  describe: (spec) => `${spec.family === 6 ? "ipv6 " : ""}${spec.priority}: ${describeRule(spec)}`,
  // Later rules first: while a chain of rules is being built, a packet falls through to what was there before.
  rank: (spec) => -spec.priority,
  compare: (spec) => canonicalText(spec, ["protocol"]),
};

function normalizeRule(spec: RuleSpec): RuleSpec {
  const { from, to, mark, mask, tos, dscp, not, ...rest } = spec;
  const normal: RuleSpec = { ...rest };
  const any = defaultPrefix(spec.family);
  if (not) normal.not = true;
  if (from !== undefined && from !== any) normal.from = from;
  if (to !== undefined && to !== any) normal.to = to;
  if (tos) normal.tos = tos;
  if (dscp !== undefined) normal.dscp = dscp;
  // A mark without a mask counts in full when it is not 0 (fib_nl2rule); a mask of no bits matches every mark.
  const bits = mask ?? (mark ? ALL_BITS : 0);
  if (bits !== 0) {
    normal.mark = mark ?? 0;
    if (bits !== ALL_BITS) normal.mask = bits;
  }
  return normal;
}

function describeRule(spec: RuleSpec): string {
  const words = [...(spec.not ? ["not"] : []), `from ${spec.from === undefined ? "all" : shortPrefix(spec.from)}`];
  if (spec.to !== undefined) words.push(`to ${shortPrefix(spec.to)}`);
  if (spec.tos !== undefined) words.push(`tos 0x${spec.tos.toString(16)}`);
  if (spec.dscp !== undefined) words.push(`dscp ${spec.dscp}`);
  if (spec.mark !== undefined) {
    const mask = spec.mask === undefined ? "" : `/0x${spec.mask.toString(16)}`;
    words.push(`fwmark 0x${spec.mark.toString(16)}${mask}`);
  }
  if (spec.iif !== undefined) words.push(`iif ${spec.iif}`);
  if (spec.oif !== undefined) words.push(`oif ${spec.oif}`);
  if (spec.l3mdev) words.push("l3mdev");
  if (spec.uids !== undefined) words.push(`uidrange ${spec.uids.first}-${spec.uids.last}`);
  if (spec.ipProtocol !== undefined) words.push(`ipproto ${spec.ipProtocol}`);
  if (spec.sourcePorts !== undefined) words.push(`sport ${describeRange(spec.sourcePorts)}`);
  if (spec.destinationPorts !== undefined) words.push(`dport ${describeRange(spec.destinationPorts)}`);
  if (spec.tunnelId !== undefined) words.push(`tun_id ${spec.tunnelId}`);
  words.push(describeAction(spec));
  if (spec.suppressPrefixLength !== undefined) words.push(`suppress_prefixlength ${spec.suppressPrefixLength}`);
  if (spec.suppressGroup !== undefined) words.push(`suppress_ifgroup ${spec.suppressGroup}`);
  if (spec.unmanaged !== undefined) words.push(`with ${spec.unmanaged.join(", ")}`);
  return words.join(" ");
}

function describeAction(spec: RuleSpec): string {
  if (spec.action === "table") return spec.l3mdev ? "lookup l3mdev-table" : `lookup ${tableName(spec.table ?? 0)}`;
  if (spec.action === "goto") return spec.goto === undefined ? "goto" : `goto ${spec.goto}`;
  return spec.action;
}

function describeRange(range: NumberRange): string {
  return range.first === range.last ? String(range.first) : `${range.first}-${range.last}`;
}

/**
 * Whether a message that deletes the one rule would hit the other if that came first. What the message does not state is
 * no condition to the kernel, nor is a protocol of 0, nor whether the match is turned round (rule_find,
 * net/core/fib_rules.c; fib4_rule_compare, fib6_rule_compare).
 */
export function deletionHits(deleted: RuleSpec, other: RuleSpec): boolean {
  if (deleted.family !== other.family || deleted.priority !== other.priority || deleted.action !== other.action) {
    return false;
  }
  if (deleted.protocol !== 0 && deleted.protocol !== other.protocol) return false;
  // A mark of 0 is no condition either; its mask is, and a message about a mark states it in full.
  if (deleted.mark && deleted.mark !== other.mark) return false;
  if (deleted.mark !== undefined && bitsOf(deleted) !== bitsOf(other)) return false;
  return CONDITIONS.every((field) => deleted[field] === undefined || isSameData(deleted[field], other[field]));
}

/** The bits of a mark that count; none where no mark is asked for. */
function bitsOf({ mark, mask = ALL_BITS }: RuleSpec): number {
  return mark === undefined ? 0 : mask;
}

/** How many conditions a message about the rule states. One that could hit another states fewer. */
export function countConditions(spec: RuleSpec): number {
  const marks = spec.mark === undefined ? 0 : spec.mark === 0 ? 1 : 2;
  return marks + CONDITIONS.filter((field) => spec[field] !== undefined).length;
}

const CONDITIONS = [
  "from",
  "to",
  "tos",
  "dscp",
  "iif",
  "oif",
  "uids",
  "ipProtocol",
  "sourcePorts",
  "destinationPorts",
  "tunnelId",
  "l3mdev",
  "table",
  "suppressPrefixLength",
  "suppressGroup",
] as const satisfies readonly (keyof RuleSpec)[];
