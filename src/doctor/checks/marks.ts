// Owns the check of rules that collide: whole marks beside masked ones, and equal rules that lead to different ends.
//
// Sources: fib_rule_match (net/core/fib_rules.c): (mark ^ rule's mark) & mask; rules of one priority are asked in the
// order in which they were added (fib_nl_newrule).
import { HEDDLE_PROTOCOL } from "../../model/kinds.ts";
import type { HostPicture, PictureRule } from "../../model/picture.ts";
import { canonicalText } from "../../plan/kinds/canonical.ts";
import type { Check, Finding } from "../finding.ts";
import { selectorText } from "../selector.ts";
import { sayRule } from "../../explain/words.ts";
import { deleteRule } from "../words.ts";

export const marks: Check = {
  codes: ["whole-mark", "equal-rules"],
  find: (picture) => [...wholeMarks(picture), ...equalRules(picture)],
};

/** A rule that compares all 32 bits matches no packet on which somebody else has set a bit of their own. */
function wholeMarks(picture: HostPicture): Finding[] {
  const masked = picture.rules.filter(({ mark, mask }) => mark !== undefined && mask !== undefined);
  return picture.rules
    .filter(({ mark, mask, protocol }) => mark !== undefined && mask === undefined && protocol !== HEDDLE_PROTOCOL)
    .map((rule): Finding => {
      const mark = rule.mark ?? 0;
      const others = masked.filter((other) => other.family === rule.family && isBeside(other, mark));
      return {
        code: "whole-mark",
        severity: others.length > 0 ? "warning" : "note",
        summary: `a rule takes the whole mark 0x${mark.toString(16)} for itself`,
        found: [sayRule(rule), ...others.slice(0, 4).map((other) => `beside it: ${sayRule(other)}`)],
        consequence:
          others.length > 0
            ? "A packet that carries both marks is matched by the masked rule only: the two cannot be used together."
            : "As soon as another program marks the same packets with a bit of its own, this rule no longer matches them.",
        remedy: {
          text: "Let both the rule and what sets the mark use only the bits that they need.",
          commands: [
            deleteRule(rule)
              .replace("rule del", "rule add")
              .replace(/fwmark (0x[0-9a-f]+)/, `fwmark $1/${neededBits(mark)}`),
            deleteRule(rule),
          ],
        },
      };
    });
}

/** Whether the masked rule asks for bits that the whole mark leaves 0, so that setting both breaks the whole one. */
function isBeside(masked: PictureRule, mark: number): boolean {
  const bits = masked.mask ?? 0;
  return (bits & mark) === 0 && ((masked.mark ?? 0) & bits) !== 0;
}

/** The bits that the mark sets, as a mask of whole hexadecimal digits. */
function neededBits(mark: number): string {
  return `0x${mark.toString(16).replace(/[1-9a-f]/g, "f")}`;
}

function equalRules(picture: HostPicture): Finding[] {
  const groups = Map.groupBy(picture.rules, (rule) => `${rule.priority} ${selectorText(rule)}`);
  return [...groups.values()].flatMap((same): Finding[] => {
    if (new Set(same.map(deedText)).size < 2) return [];
    const first = same[0] as PictureRule;
    return [
      {
        code: "equal-rules",
        severity: "warning",
        summary: `${same.length} rules of priority ${first.priority} match the same packets and lead to different ends`,
        found: same.map(sayRule),
        consequence: "The one that was added first is asked first, and that may differ after every boot.",
        remedy: {
          text: "Give each a priority of its own. heddle's role static draws them in the order of the file.",
          commands: same.slice(1).map(deleteRule),
        },
      },
    ];
  });
}

/** What becomes of a packet. */
function deedText({ action, table, goto, suppressPrefixLength, suppressGroup }: PictureRule): string {
  return canonicalText({ action, table, goto, suppressPrefixLength, suppressGroup });
}
