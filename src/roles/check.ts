// Owns the key `check`: far ends that are asked again and again whether they answer, and targets behind them.
import * as z from "zod/mini";
import type { Diagnostic } from "../model/diagnostic.ts";
import { familyOf } from "../model/ip.ts";
import { sayProbeTarget } from "../model/probe-target.ts";
import type { ProbeTarget } from "../model/probe-target.ts";
import type { ProbeWish, Question, Signal } from "../model/signals.ts";
import { duration, optional, probeTarget, wholeNumber } from "./fields.ts";
import type { Section } from "./role.ts";

const DEFAULTS = { interval: 500, rise: 3, fall: 3, timeout: 1000 } as const;

const near = {
  by: optional(
    'How the far end itself is asked: "ping", or "arp" for one that answers no ping (IPv4). ping unless stated.',
    z.enum(["ping", "arp"]),
  ),
  interval: optional("Between two questions; 500ms unless stated.", duration(50, 60_000, 10)),
  rise: optional("Answers in a row that make one well that was ill; 3 unless stated.", wholeNumber(1, 100)),
  fall: optional("Missing answers in a row that make it ill; 3 unless stated.", wholeNumber(1, 100)),
};

/** What may be written under `check` where only the far end is asked. */
export const nearCheckSchema = z.strictObject(near);

/** What may be written under `check` where targets behind the far end may be asked too. */
export const checkSchema = z.strictObject({
  ...near,
  through: optional(
    "Targets behind the gateways, asked by way of each: tcp://ADDRESS:PORT for a connection, http://ADDRESS:PORT/PATH for a status below 400. A gateway is well while one of them answers by it.",
    z
      .array(probeTarget(["tcp", "http"]))
      .check(z.minLength(1, "expected at least one target"), z.maxLength(8, "expected at most eight targets")),
  ),
  timeout: optional("How long a target may take to answer; 1s unless stated.", duration(50, 10_000, 10)),
});

export type NearCheck = z.output<typeof nearCheckSchema>;
export type Check = z.output<typeof checkSchema>;

/** A far end of a section's. */
export interface FarEnd {
  via: string;
  link: string;
  /** The address that ARP asks as. */
  source?: string | undefined;
}

/** The wish to ask a far end of a section's. */
export function wishFor(section: Section, check: NearCheck, { via, link, source }: FarEnd): ProbeWish {
  const { by = "ping" } = check;
  const asker = by === "arp" && source !== undefined ? { source } : {};
  return { name: probeName(section, via), target: via, question: { by }, link, ...asker, ...paceOf(check) };
}

/** The wish to ask a target by way of a far end: packets with the mark take that way. */
export function wishThrough(
  section: Section,
  check: Check,
  { via, link }: FarEnd,
  target: ProbeTarget,
  mark: number,
): ProbeWish {
  const { timeout = DEFAULTS.timeout } = check;
  const question = questionFor(target, { mark, timeoutMs: timeout });
  return { name: throughName(section, via, target), target: target.address, question, link, ...paceOf(check) };
}

/** ARP is of IPv4; a far end of IPv6 is asked by ping. */
export function refuseArp(
  check: NearCheck | undefined,
  vias: readonly string[],
  range: Diagnostic["range"],
): Diagnostic[] {
  const six = check?.by === "arp" ? vias.find((via) => familyOf(via) === 6) : undefined;
  if (six === undefined) return [];
  return [
    {
      code: "arp-of-ipv6",
      severity: "error",
      summary: `${six} cannot be asked by ARP`,
      detail: "ARP is of IPv4.",
      remedy: "Write `by: ping`, or a section of its own for the gateways of IPv6.",
      ...(range ? { range } : {}),
    },
  ];
}

/** How a target is asked. */
export function questionFor(target: ProbeTarget, how: { mark?: number; timeoutMs: number }): Question {
  if (target.by === "ping") return { by: "ping" };
  const { by, port } = target;
  return by === "tcp" ? { by, port, ...how } : { by, port, path: target.path, ...how };
}

/** Targets of the IP version of a far end: those of the other cannot be reached by it. */
export function targetsBehind({ through = [] }: Check, via: string): ProbeTarget[] {
  return through.filter(({ address }) => familyOf(address) === familyOf(via));
}

/**
 * Whether a far end is to be used. One that nobody has asked yet, or asks any more, is taken to be well: a watcher that
 * ends must not end the traffic. Of targets behind it, one that answers is enough.
 */
export function isWell(signals: readonly Signal[], section: Section, check: Check, via: string): boolean {
  const isIll = (name: string): boolean =>
    signals.some((signal) => signal.kind === "probe" && signal.name === name && signal.well === false);
  if (isIll(probeName(section, via))) return false;
  const behind = targetsBehind(check, via);
  return behind.length === 0 || !behind.every((target) => isIll(throughName(section, via, target)));
}

function paceOf({ interval = DEFAULTS.interval, rise = DEFAULTS.rise, fall = DEFAULTS.fall }: NearCheck): {
  intervalMs: number;
  rise: number;
  fall: number;
} {
  return { intervalMs: interval, rise, fall };
}

function throughName(section: Section, via: string, target: ProbeTarget): string {
  return `${probeName(section, via)} ${sayProbeTarget(target)}`;
}

function probeName({ role, name }: Pick<Section, "role" | "name">, via: string): string {
  return `${role}/${name} ${via}`;
}
