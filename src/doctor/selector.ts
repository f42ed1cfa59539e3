// Owns the comparison of what rules match: is every packet of one also a packet of the other?
import type { NumberRange, RuleSpec } from "../model/kinds.ts";
import type { PictureRule } from "../model/picture.ts";
import { canonicalText } from "../plan/kinds/canonical.ts";
import { apart, contains, rangeOf } from "../model/prefix.ts";

const ALL_BITS = 0xffffffff;

/** What a rule does, as opposed to what it matches. */
const DEEDS = ["priority", "action", "table", "goto", "suppressPrefixLength", "suppressGroup", "protocol"];
const MARKS = ["unresolved", "iifDetached", "oifDetached", "partial"];

/** All that the rule matches, as text: equal texts, equal packets. */
export function selectorText(rule: PictureRule): string {
  return canonicalText(rule, [...DEEDS, ...MARKS]);
}

/** Whether the rule asks for nothing: every packet of its family matches. */
export function matchesAll(rule: PictureRule): boolean {
  const known = all.get(rule);
  if (known !== undefined) return known;
  const answer = !rule.partial && selectorText({ ...rule, family: 4 }) === '{"family":4}';
  all.set(rule, answer);
  return answer;
}

/** Every rule is compared with every other one. */
const all = new WeakMap<PictureRule, boolean>();

/**
 * Whether every packet that `inner` matches is matched by `outer` too (fib_rule_match, net/core/fib_rules.c). False
 * when in doubt.
 */
export function isWithin(inner: PictureRule, outer: PictureRule): boolean {
  if (inner.family !== outer.family || outer.partial || outer.l3mdev || isDetached(outer)) return false;
  if (matchesAll(outer)) return true;
  if (inner.not || outer.not) return !inner.partial && selectorText(inner) === selectorText(outer);
  return (
    same(inner, outer, "iif") &&
    same(inner, outer, "oif") &&
    same(inner, outer, "tos") &&
    same(inner, outer, "dscp") &&
    same(inner, outer, "ipProtocol") &&
    same(inner, outer, "tunnelId") &&
    markWithin(inner, outer) &&
    rangeWithin(inner.uids, outer.uids) &&
    rangeWithin(inner.sourcePorts, outer.sourcePorts) &&
    rangeWithin(inner.destinationPorts, outer.destinationPorts) &&
    prefixWithin(inner.from, outer.from) &&
    prefixWithin(inner.to, outer.to)
  );
}

/** Whether no packet can match both. False when in doubt. */
export function areDisjoint(a: PictureRule, b: PictureRule): boolean {
  if (a.not || b.not) return false;
  if (a.iif !== undefined && b.iif !== undefined && a.iif !== b.iif) return true;
  if (a.from !== undefined && b.from !== undefined && apart(rangeOf(a.from), rangeOf(b.from))) return true;
  if (a.to !== undefined && b.to !== undefined && apart(rangeOf(a.to), rangeOf(b.to))) return true;
  return marksDisjoint(a, b);
}

/** Whether no mark matches both. */
function marksDisjoint(a: RuleSpec, b: RuleSpec): boolean {
  if (a.mark === undefined || b.mark === undefined) return false;
  const common = bits(a) & bits(b);
  return (a.mark & common) !== (b.mark & common);
}

/** Whether a link that the rule names is not there, so that it matches nothing. */
export function isDetached(rule: PictureRule): boolean {
  return rule.iifDetached === true || rule.oifDetached === true;
}

function same(inner: PictureRule, outer: PictureRule, field: keyof RuleSpec): boolean {
  return outer[field] === undefined || outer[field] === inner[field];
}

function markWithin(inner: PictureRule, outer: PictureRule): boolean {
  if (outer.mark === undefined) return true;
  if (inner.mark === undefined) return false;
  return (bits(outer) & ~bits(inner)) === 0 && (inner.mark & bits(outer)) === (outer.mark & bits(outer));
}

function bits(rule: RuleSpec): number {
  return rule.mask ?? ALL_BITS;
}

function rangeWithin(inner: NumberRange | undefined, outer: NumberRange | undefined): boolean {
  return outer === undefined || (inner !== undefined && outer.first <= inner.first && inner.last <= outer.last);
}

function prefixWithin(inner: string | undefined, outer: string | undefined): boolean {
  return outer === undefined || (inner !== undefined && contains(rangeOf(outer), rangeOf(inner)));
}
