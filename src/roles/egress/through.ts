// Owns the way of probes by each gateway: a mark for each, which leads to a table that has this gateway and nothing else.
//
// What a probe learns must be of its gateway alone. So its packets carry a number of their own, whose rules come before
// the section's; and where the gateway's route is missing, the table refuses, since the next rule would lead by another.
import type { Claim } from "../../model/claim.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { defaultPrefix, familyOf } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import type { Hop } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import type { ProbeWish } from "../../model/signals.ts";
import { targetsBehind, wishThrough } from "../check.ts";
import { fieldBits, fieldMark, fieldMask } from "../mark-field.ts";
import type { Section, View } from "../role.ts";
import { wantRoute, wantRule } from "../wanted.ts";
import type { Egress } from "./schema.ts";

/** Metric of the route that is asked last: nothing comes after it. */
export const LAST_METRIC = 0xffffffff;

const PROBES = "probes";

/** The gateways by which targets are asked, each with its number from 1, which it has by its place in the file. */
function probedGateways({ value: { gateways = [], check } }: Section<Egress>): { via: string; number: number }[] {
  if (!check?.through) return [];
  return gateways
    .map(({ via }, index) => ({ via, number: index + 1 }))
    .filter(({ via }) => targetsBehind(check, via).length > 0);
}

/** A number in the mark and a table for each gateway; none for a section that asks nobody behind them. */
export function claimProbes(section: Section<Egress>): Claim[] {
  const probed = probedGateways(section);
  if (probed.length === 0) return [];
  const count = fieldBits(section.value.gateways?.length ?? 0);
  return [
    { pool: "marks", name: PROBES, count, from: section.at("check", "through") },
    ...probed.map(({ via, number }): Claim => {
      return { pool: "tables", name: tableName(via), from: section.at("gateways", number - 1) };
    }),
  ];
}

/** Whether the section needs a priority for probes, in front of its own. */
export function hasProbes(section: Section<Egress>): boolean {
  return probedGateways(section).length > 0;
}

/** Targets behind each gateway, to be asked. */
export function watchThrough(section: Section<Egress>, view: View): ProbeWish[] {
  const { check, link } = section.value;
  const shift = view.marks[PROBES];
  if (!check || shift === undefined) return [];
  return probedGateways(section).flatMap(({ via, number }) =>
    targetsBehind(check, via).map((target) =>
      wishThrough(section, check, { via, link }, target, fieldMark(number, shift)),
    ),
  );
}

/** The tables and rules of probes of one IP version. `hops` are the gateways that the link reaches. */
export function desireProbes(
  section: Section<Egress>,
  view: View,
  way: { family: Family; priority: number; source?: string | undefined },
  hops: readonly Hop[],
): Wanted[] {
  const { family, priority, source } = way;
  const shift = view.marks[PROBES] as number;
  const mask = fieldMask(section.value.gateways?.length ?? 0, shift);
  const probed = probedGateways(section).filter(({ via }) => familyOf(via) === family);
  return probed.flatMap(({ via, number }): Wanted[] => {
    const table = view.tables[tableName(via)] as number;
    const from = section.at("gateways", number - 1);
    const to = defaultPrefix(family);
    const hop = hops.find((one) => one.via === via);
    const closed = wantRoute({ family, table, to, type: "unreachable", metric: LAST_METRIC, hops: [] }, from);
    const open = hop && { family, table, to, hops: [{ link: section.value.link, via }] };
    return [
      closed,
      ...(open ? [wantRoute({ ...open, ...(source === undefined ? {} : { source }) }, from)] : []),
      wantRule({ family, priority, mark: fieldMark(number, shift), mask, table }, from),
    ];
  });
}

/** Targets that no gateway leads to, since none is of their IP version. */
export function refuseTargets(section: Section<Egress>): Diagnostic[] {
  const { gateways = [], check } = section.value;
  return (check?.through ?? []).flatMap(({ address }, index): Diagnostic[] => {
    const family = familyOf(address);
    if (gateways.some(({ via }) => familyOf(via) === family)) return [];
    return [
      {
        code: "target-family",
        severity: "error",
        summary: `no gateway leads to ${address}, which is of IPv${family}`,
        remedy: `Name a target of the gateways' IP version, or a gateway of IPv${family}.`,
        range: section.at("check", "through", index),
      },
    ];
  });
}

function tableName(via: string): string {
  return `probes ${via}`;
}
