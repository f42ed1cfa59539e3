// Owns how an explanation looks to a person: the answer first, then the walk with a sign for each rule, then what if.
import type { Explanation, FarEnd, WhatIf } from "../../explain/explanation.ts";
import { sayFiltered, sayPassage } from "../../explain/filters/say.ts";
import type { Passage } from "../../explain/filters/passage.ts";
import type { Marking } from "../../explain/marks.ts";
import type { Routing } from "../../explain/routing.ts";
import { sayOutcome, sayPacket, sayPassed, sayPassedOver, sayReverse, sayWay } from "../../explain/say.ts";
import { hostOf } from "../../explain/source4.ts";
import { lastWay } from "../../explain/verdict.ts";
import type { Way } from "../../explain/verdict.ts";
import type { Step } from "../../explain/walk.ts";
import { sayRoute, sayRule } from "../../explain/words.ts";
import type { PictureRoute } from "../../model/picture.ts";
import { markText } from "../../model/socket-marks.ts";
import { harmless } from "./diagnostics.ts";
import type { BesideWay } from "./explain-json.ts";
import type { Paint } from "./style.ts";

/** How much is told: a line, a screen, or all. */
export type Measure = "short" | "screen" | "full";

/** Rules that do not match one after the other are told one by one up to so many. */
const MOST_IN_A_RUN = 3;

/** Columns that rules are padded to, so that what came of them stands in a column. */
const MOST_COLUMNS = 56;

/** The explanation as text. */
export function renderExplanation(
  explanation: Explanation,
  routing: Routing,
  beside: BesideWay,
  measure: Measure,
  paint: Paint,
): string {
  const safe: Paint = (format, text) => paint(format, harmless(text));
  return renderAll(explanation, routing, beside, measure, safe);
}

function renderAll(
  explanation: Explanation,
  routing: Routing,
  { marking, spread, gateway, health = [], bridge }: BesideWay,
  measure: Measure,
  paint: Paint,
): string {
  const { way, filtered } = explanation;
  const counted = lastWay(way);
  const taken = bridge?.mgid !== undefined;
  const colour = counted.verdict.is === "refused" && !taken ? "red" : "green";
  const lines = [paint(["bold", colour], taken ? bridge.said : sayPassage(explanation))];
  if (measure !== "short") {
    lines.push(paint("dim", `  a packet ${sayPacket((filtered?.before ?? way).packet)}`));
    if (marking) lines.push(paint("dim", `  ${sayMarking(marking)}`));
    if (spread) lines.push(`  ${harmless(spread.said)}`);
    if (bridge)
      lines.push(harmless(taken ? `  the kernel, for itself: ${sayPassage(explanation)}` : `  ${bridge.said}`));
    lines.push("");
    lines.push(...renderWalk(way, routing, measure, paint));
    lines.push(...renderAgain(way, routing, measure, paint));
    lines.push(...renderFacts(explanation, routing, counted, paint));
    lines.push(...renderFiltered(explanation, routing));
    if (gateway) lines.push(harmless(`  gateway   ${gateway.said}`));
    for (const { said, well } of health)
      lines.push(`  health    ${well === false ? paint("red", said) : harmless(said)}`);
    lines.push(...renderLost(explanation.ifLost, explanation));
    lines.push(...renderReply(explanation, routing, measure, paint));
    if (explanation.remarks.length > 0) {
      lines.push("", paint("yellow", "Mind:"), ...explanation.remarks.map((line) => harmless(`  ${line}`)));
    }
  }
  return `${lines.join("\n")}\n`;
}

function sayMarking({ bits, mask, because }: Marking): string {
  if (because.length === 0) return "heddle's program leaves its socket without a mark";
  return `heddle's program gives its socket the mark ${markText(bits)}/${markText(mask)}: ${because.join(", ")}`;
}

function renderWalk({ walk, flow }: Way, routing: Routing, measure: Measure, paint: Paint): string[] {
  if (walk.steps.length === 0) return ["  No rule is asked."];
  const width = Math.min(MOST_COLUMNS, Math.max(...walk.steps.map(({ rule }) => ruleText(rule).length)));
  const lines: string[] = [];
  const waiting: Step[] = [];
  const flush = (): void => {
    if (measure === "full" || waiting.length <= MOST_IN_A_RUN) {
      for (const step of waiting) {
        lines.push(paint("dim", line("·", ruleText(step.rule), sayOutcome(routing, step, flow), width)));
      }
    } else lines.push(paint("dim", foldedLine(waiting, flow, width)));
    waiting.length = 0;
  };
  for (const step of walk.steps) {
    if (step.outcome.is === "passed") {
      waiting.push(step);
      continue;
    }
    flush();
    lines.push(...renderStep(step, routing, { flow, measure, width, paint, isEnd: step === walk.end }));
  }
  flush();
  if (!walk.end) lines.push(`${paint("red", "✗")} no rule is left`);
  return lines.map((text) => `  ${text}`);
}

interface Manner {
  flow: Way["flow"];
  measure: Measure;
  width: number;
  paint: Paint;
  isEnd: boolean;
}

function renderStep(step: Step, routing: Routing, { flow, measure, width, paint, isEnd }: Manner): string[] {
  const { outcome, answer } = step;
  const refuses = isEnd && (outcome.is === "refused" || (outcome.is === "answered" && answer?.candidates.length === 0));
  const sign = refuses ? paint("red", "✗") : isEnd ? paint("green", "✓") : outcome.is === "goto" ? "→" : "-";
  const text = line("", ruleText(step.rule), sayOutcome(routing, step, flow), width);
  const lines = [`${sign}${isEnd ? paint("bold", text) : text}`];
  if (outcome.is === "answered") lines.push(harmless(`    ${sayRoute(outcome.route)}`));
  const passed = measure === "full" || isEnd ? (answer?.passed ?? []) : [];
  for (const { route, why } of passed.slice(0, measure === "full" ? passed.length : MOST_IN_A_RUN)) {
    lines.push(paint("dim", `    not ${sayRoute(route)}: ${sayPassedOver(why)}`));
  }
  return lines;
}

/** The rule, without its family, which all of them have in common. */
function ruleText(rule: Step["rule"]): string {
  return sayRule(rule).replace(/^ipv6 /, "");
}

function line(sign: string, rule: string, outcome: string, width: number): string {
  return harmless(`${sign} ${rule.padEnd(width)}  ${outcome}`);
}

/** A run of rules that do not match, as one line with the most common reasons. */
function foldedLine(steps: readonly Step[], flow: Way["flow"], width: number): string {
  const reasons = Map.groupBy(steps, ({ outcome }) => (outcome.is === "passed" ? sayPassed(outcome.on, flow) : ""));
  const common = [...reasons].sort(([, a], [, b]) => b.length - a.length);
  const told = common
    .slice(0, 2)
    .map(([reason, some]) => (common.length === 1 ? reason : `${reason} (${some.length})`));
  const [first, last] = [steps[0]?.rule.priority, steps.at(-1)?.rule.priority];
  return line(
    "·",
    `${steps.length} rules, ${first} to ${last}`,
    `${told.join(", ")}${common.length > 2 ? ", …" : ""}`,
    width,
  );
}

function renderAgain(way: Way, routing: Routing, measure: Measure, paint: Paint): string[] {
  const { again, packet } = way;
  if (!again) return [];
  const counts = lastWay(way) === again;
  const same = sayWay({ ...again, verdict: withoutSource(again) }) === sayWay({ ...way, verdict: withoutSource(way) });
  const who = packet.to.includes(":")
    ? "With no way without a source, it is asked again"
    : "A connecting socket asks again";
  const title = `${who} with source ${again.packet.from}`;
  if (same) return counts || measure === "full" ? ["", `  ${title}: the same.`] : [];
  const told = counts ? [] : [`  ${paint("yellow", "!")} ${harmless(`${title}, and ${sayWay(again)}`)}`];
  return [
    "",
    ...(counts ? [`  ${title}:`] : told),
    ...(counts || measure === "full" ? renderWalk(again, routing, measure, paint) : []),
  ];
}

/** The verdict without sources, to compare ways by where they lead. */
function withoutSource({ verdict }: Way): Way["verdict"] {
  if (verdict.is === "sent") return { ...verdict, ways: verdict.ways.map(({ route, hop }) => ({ route, hop })) };
  const { source: _source, ...rest } = verdict as Extract<Way["verdict"], { is: "delivered" }>;
  return rest;
}

/** Where the source comes from. */
function saySourceOf(routing: Routing, route: PictureRoute, link: string | undefined, source?: string): string[] {
  if (source === undefined) return ["  source    none: no address of this host fits"];
  const holder = routing.links.find(({ addresses }) => addresses.some((spec) => hostOf(spec) === source))?.name;
  if (route.source !== undefined) return [`  source    ${source}: the route says so`];
  if (holder === link) return [harmless(`  source    ${source}: the best of ${link} for it`)];
  return [harmless(`  source    ${source}: of ${holder ?? "nobody"}, as ${link} has none that fits`)];
}

function renderFacts({ way, farEnds }: Explanation, routing: Routing, counted: Way, paint: Paint): string[] {
  const lines: string[] = [];
  if (way.reverse) {
    const title = "way back".padEnd(9);
    lines.push(`  ${way.reverse.passes ? title : paint("red", title)} ${harmless(sayReverse(way.reverse))}`);
  }
  const { verdict, packet } = counted;
  if (verdict.is === "sent" && packet.from === undefined && verdict.ways.length === 1) {
    lines.push(...verdict.ways.flatMap(({ route, hop, source }) => saySourceOf(routing, route, hop.link, source)));
  }
  for (const end of farEnds) lines.push(harmless(`  next      ${sayFarEnd(end)}`));
  return lines.length > 0 ? ["", ...lines] : [];
}

function sayFarEnd({ link, address, neighbour, asksAs, up, carrier, noArp }: FarEnd): string {
  const state = !up ? ["the link is down"] : !carrier ? ["the link has no carrier"] : [];
  const asks = asksAs === undefined ? "" : `; ARP will ask in the name of ${asksAs}`;
  const hardware = neighbour?.hardwareAddress === undefined ? "" : `, ${neighbour.hardwareAddress}`;
  const known = neighbour
    ? `${neighbour.state}${hardware}`
    : noArp
      ? "nobody is asked there"
      : `not asked for yet${asks}`;
  return `${address} on ${link}: ${[...state, known].join("; ")}`;
}

/** What nftables did, where it has rules at all. */
function renderFiltered({ filtered }: Explanation, { ruleset = [] }: Routing): string[] {
  if (!filtered || ruleset.length === 0) return [];
  return sayFiltered(filtered).map((said, i) => harmless(`  ${(i === 0 ? "nftables" : "").padEnd(9)} ${said}`));
}

function renderLost(ifLost: readonly WhatIf[], now: Passage): string[] {
  const lines: string[] = [];
  for (const losses of Map.groupBy(ifLost, ({ link }) => link).values()) {
    const said = losses.map((one) => ({
      loss: one.loss,
      text: sayPassage(one),
      same: sayPassage(one) === sayPassage(now),
    }));
    const link = losses[0]?.link ?? "";
    const [first, second] = said;
    if (first && second && first.text === second.text && !first.same) {
      lines.push(harmless(`If ${link} were down or without carrier: ${first.text}.`));
      continue;
    }
    for (const { loss, text, same } of said) {
      const event = loss === "down" ? `If ${link} were down` : `If ${link} lost its carrier`;
      lines.push(harmless(`${event}: ${same ? "no change, it would be sent there all the same" : text}.`));
    }
  }
  return lines.length > 0 ? ["", ...lines] : [];
}

function renderReply({ reply }: Explanation, routing: Routing, measure: Measure, paint: Paint): string[] {
  if (!reply) return [];
  const { way, answerers } = reply;
  const lines = ["", harmless(`The answer, ${sayPacket(way.packet)}, ${sayWay(way)}.`)];
  if (measure === "full" || way.verdict.is === "refused") lines.push(...renderWalk(way, routing, measure, paint));
  if (way.reverse) lines.push(harmless(`  way back  ${sayReverse(way.reverse)}`));
  for (const { link, answers, why } of answerers) {
    const verb = answers ? paint(why === "own" ? "green" : "yellow", "answers") : "does not answer";
    lines.push(`  ARP       ${harmless(link)} ${verb}: ${ANSWERS[why]}`);
  }
  return lines;
}

const ANSWERS = {
  own: "the address is its own",
  any: "it does for every address of this host (arp_ignore is 0)",
  ignore: "arp_ignore forbids it",
  filter: "arp_filter forbids it, as the way to the asker is by another link",
  input: "the question does not pass the checks of what comes in",
  "not-here": "the address is another link's",
} as const;
