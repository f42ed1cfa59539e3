// Owns the key `check`: far ends that are asked again and again whether they answer.
import * as z from "zod/mini";
import type { ProbeWish, Signal } from "../model/signals.ts";
import { duration, optional, wholeNumber } from "./fields.ts";
import type { Section } from "./role.ts";

const DEFAULTS = { interval: 500, rise: 3, fall: 3 } as const;

/** What may be written under `check`. */
export const checkSchema = z.strictObject({
  interval: optional("Between two questions; 500ms unless stated.", duration(50, 60_000, 10)),
  rise: optional("Answers in a row that make one well that was ill; 3 unless stated.", wholeNumber(1, 100)),
  fall: optional("Missing answers in a row that make it ill; 3 unless stated.", wholeNumber(1, 100)),
});

export type Check = z.output<typeof checkSchema>;

/** The wish to ask a far end of a section's. */
export function wishFor(section: Section, check: Check, { via, link }: { via: string; link: string }): ProbeWish {
  const { interval = DEFAULTS.interval, rise = DEFAULTS.rise, fall = DEFAULTS.fall } = check;
  return { name: probeName(section, via), target: via, link, intervalMs: interval, rise, fall };
}

/** One that nobody has asked yet, or asks any more, is taken to be well: a watcher that ends must not end the traffic. */
export function isWell(signals: readonly Signal[], section: Section, via: string): boolean {
  const name = probeName(section, via);
  return !signals.some((signal) => signal.kind === "probe" && signal.name === name && signal.well === false);
}

function probeName({ role, name }: Pick<Section, "role" | "name">, via: string): string {
  return `${role}/${name} ${via}`;
}
