// Owns what is known of the far ends of links that share traffic: one may be dead though its link has a carrier.
import type { Signal } from "../model/signals.ts";

/** Links of a section of `spread` of which no next hop answers. One that nobody asks is taken to be well. */
export function deadLinks(signals: readonly Signal[], section: string): ReadonlySet<string> {
  const rows = signals.filter((signal) => signal.kind === "probe" && signal.name.startsWith(`spread/${section} `));
  const byLink = Map.groupBy(rows, (row) => (row.kind === "probe" ? row.link : undefined));
  const dead = [...byLink].filter(([, all]) => all.every((row) => row.kind === "probe" && row.well === false));
  return new Set(dead.flatMap(([link]) => link ?? []));
}
