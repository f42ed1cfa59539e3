// Owns how an explanation looks to a program.
import type { Bridging } from "../../explain/bridges.ts";
import type { Health, Passing } from "../../explain/gateways.ts";
import type { Explanation } from "../../explain/explanation.ts";
import { sayPassage } from "../../explain/filters/say.ts";
import type { Filtered } from "../../explain/filters/passage.ts";
import type { Marking } from "../../explain/marks.ts";
import type { Spreading } from "../../explain/spread.ts";
import { sayLast, sayWay } from "../../explain/say.ts";
import { lastWay } from "../../explain/verdict.ts";
import type { Way } from "../../explain/verdict.ts";
import type { Step } from "../../explain/walk.ts";
import { sayRoute, sayRule } from "../../explain/words.ts";

/** What is known besides the kernel's routing: what programs do to a packet before its way is looked for, and gateways behind it. */
export interface BesideWay {
  marking?: Marking;
  spread?: Spreading;
  /** The gateway of this host that passes it on. */
  gateway?: Passing | undefined;
  /** Of the gateways that it may be sent to. */
  health?: readonly Health[];
  /** The bridge of this host that takes it. */
  bridge?: Bridging | undefined;
}

/** The explanation as plain data; docs/CLI.md says what it holds. */
export function explanationJson(
  { way, filtered, farEnds, ifLost, reply, remarks }: Explanation,
  { marking, spread, gateway, health = [], bridge }: BesideWay,
): object {
  return {
    answer: bridge?.mgid === undefined ? sayPassage({ way, ...(filtered ? { filtered } : {}) }) : bridge.said,
    ...wayJson(way),
    ...(filtered ? { nftables: filteredJson(filtered) } : {}),
    ...(marking ? { marking } : {}),
    ...(spread ? { spread: spreadJson(spread) } : {}),
    ...(gateway ? { gateway } : {}),
    ...(health.length > 0 ? { health } : {}),
    ...(bridge ? { bridge } : {}),
    next: farEnds,
    ifLost: ifLost.map((one) => ({
      link: one.link,
      loss: one.loss,
      answer: sayPassage(one),
      verdict: verdictJson(lastWay(one.way)),
    })),
    ...(reply ? { reply: { answer: sayWay(reply.way), ...wayJson(reply.way), answerers: reply.answerers } } : {}),
    remarks,
  };
}

function filteredJson({ fate, acts, packet, before }: Filtered): object {
  const { from, to, sourcePort, destinationPort, mark, tos } = packet;
  return {
    ...fate,
    acts: acts.map(({ by, does }) => ({ ...by, does })),
    packet: { to, from, sourcePort, destinationPort, mark, tos },
    ...(before ? { before: { answer: sayLast(before), verdict: verdictJson(lastWay(before)) } } : {}),
  };
}

function spreadJson({ packet: _packet, ...spread }: Spreading): object {
  return spread;
}

function wayJson(way: Way): object {
  return {
    packet: way.packet,
    verdict: verdictJson(way),
    rules: way.walk.steps.map(stepJson),
    ...(way.reverse ? { wayBack: reverseJson(way.reverse) } : {}),
    ...(way.again ? { again: { answer: sayWay(way.again), ...wayJson(way.again) } } : {}),
  };
}

function verdictJson({ verdict }: Way): object {
  if (verdict.is !== "sent") return verdict;
  return {
    is: verdict.is,
    choice: verdict.choice,
    ways: verdict.ways.map(({ route, hop, source, share }) => ({
      ...hop,
      ...(share === undefined ? {} : { share: Math.round(share * 1000) / 1000 }),
      ...(source === undefined ? {} : { source }),
      table: route.table,
      route: sayRoute(route),
    })),
  };
}

function stepJson({ rule, outcome, table, answer }: Step): object {
  return {
    family: rule.family,
    priority: rule.priority,
    rule: sayRule(rule),
    outcome: outcome.is,
    ...("on" in outcome ? { on: outcome.on } : {}),
    ...("by" in outcome ? { by: outcome.by } : {}),
    ...(table === undefined ? {} : { table }),
    ...("route" in outcome ? { route: sayRoute(outcome.route) } : {}),
    ...(answer && answer.passed.length > 0
      ? { passedOver: answer.passed.map(({ route, why }) => ({ route: sayRoute(route), why })) }
      : {}),
  };
}

function reverseJson({ filter, passes, why, links, back }: NonNullable<Way["reverse"]>): object {
  return { filter, passes, why, links, ...(back ? { rule: sayRule(back.rule) } : {}) };
}
