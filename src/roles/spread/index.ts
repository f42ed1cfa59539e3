// Owns the role `spread`: packets to the same place share several links, which the kernel by itself would not use at once.
//
// The trouble: a routing table names one link for a prefix, and IPoIB knows no bonding but active-backup. The cure: every
// flow falls into a bucket, every bucket has a link, and a packet comes to its link by the mechanism that its link layer
// allows. Who has which bucket is no kernel object of heddle's (docs/adr/0070): programs and their controller decide it.
import type { Claim } from "../../model/claim.ts";
import type { Diagnostic, Outcome } from "../../model/diagnostic.ts";
import { hasErrors } from "../../model/diagnostic.ts";
import type { LinkFact } from "../../model/facts.ts";
import type { Wanted } from "../../model/objects.ts";
import type { ProbeWish } from "../../model/signals.ts";
import type { SpreadMechanism, SpreadSpec } from "../../model/spread-program.ts";
import { refuseArp, wishFor } from "../check.ts";
import { fieldBits, fieldMask } from "../mark-field.ts";
import { askerOf } from "../own-addresses.ts";
import { OWN_TABLE } from "../role.ts";
import type { Role, Section, View } from "../role.ts";
import { chooseFrames, holesIn, refuseShortCut } from "./fast.ts";
import { desireLinkSwitches, desireTables } from "./mark.ts";
import { chooseMembers, findWays } from "./members.ts";
import type { Member } from "./members.ts";
import { claimGroup, desireGroup } from "./nexthop.ts";
import { spreadSchema } from "./schema.ts";
import type { Spread } from "./schema.ts";

const MARKS = "members";
const RULES = "rules";
/** docs/adr/0072 */
const DEFAULT_GAP_MS = 20;

export const spread: Role<Spread> = {
  name: "spread",
  about: "Several links share the traffic to the same destinations.",
  schema: spreadSchema,
  features: ({ value }) => [
    "tcPrograms",
    ...(value.mechanism === "fast" ? (["packetFilters", "frameLinks"] as const) : []),
  ],

  watches(section, view): ProbeWish[] {
    const { links, check } = section.value;
    if (!check) return [];
    return links.flatMap(({ link, via }) =>
      via.map((one) => wishFor(section, check, { via: one, link, source: askerOf(view.links, link, one) })),
    );
  },

  claims(section): Claim[] {
    const { links, to, of } = section.value;
    const from = section.at("links");
    const whose = of === undefined ? (to ?? []) : [`what ${of} would carry`];
    return [
      { pool: "marks", name: MARKS, count: fieldBits(links.length), from },
      { pool: "priorities", name: RULES, from },
      { pool: "tables", name: OWN_TABLE, from },
      ...links.map(({ link }): Claim => ({ pool: "tables", name: link, from })),
      ...claimGroup(section),
      ...whose.map((what, index): Claim => ({
        exclusive: `the packets to ${what}`,
        from: of === undefined ? section.at("to", index) : section.at("of"),
      })),
    ];
  },

  desire(section, view): Outcome<Wanted[]> {
    const diagnostics: Diagnostic[] = [];
    if (section.value.of !== undefined && section.value.to !== undefined) diagnostics.push(toAndOf(section));
    const vias = section.value.links.map(({ via }, index) => ({ all: via, range: section.at("links", index) }));
    for (const { all, range } of vias) diagnostics.push(...refuseArp(section.value.check, all, range));
    const present = chooseMembers(section, view.links, diagnostics);
    const mechanism = chooseMechanism(section, present, view, diagnostics);
    const { to, members } = findWays(section, present, view, mechanism, diagnostics);
    if (hasErrors(diagnostics) || members.length === 0) return { diagnostics };
    const priority = view.priorities[RULES] as number;
    const wanted = desireLinkSwitches(section, members, to);
    if (mechanism === "nexthop") {
      wanted.push(...desireGroup(section, members, to, view, priority));
      return { value: wanted, diagnostics };
    }
    const shift = view.marks[MARKS] as number;
    const mask = fieldMask(section.value.links.length, shift);
    const ingress = mechanism === "redirect" ? [] : ingressOf(section, members, view.links, diagnostics);
    if (mechanism === "fast") refuseShortCut(section, ingress, view, diagnostics);
    if (mechanism !== "redirect") {
      wanted.push(...desireTables(section, members, to, { priority, mask, shift, tables: view.tables }));
    }
    const frames = mechanism === "fast" ? chooseFrames(section, ingress, members, view) : undefined;
    wanted.push({
      kind: "tcProgram",
      spec: {
        program: "spread",
        ingress,
        egress: mechanism === "redirect" ? [...members.map(({ link }) => link.name), ...ofLink(section, view)] : [],
        ...(frames ? { frames: frames.receive } : {}),
        spreads: [specOf(section, members, to, mechanism, { mask, shift }, view, frames?.send)],
      },
      from: section.at("links"),
    });
    return { value: wanted, diagnostics };
  },
};

function specOf(
  section: Section<Spread>,
  members: readonly Member[],
  to: readonly string[],
  mechanism: SpreadMechanism,
  marks: { mask: number; shift: number },
  view: View,
  takers: readonly string[] = [],
): SpreadSpec {
  const { of, by = "load", local = true, gap = DEFAULT_GAP_MS, busy } = section.value;
  return {
    name: section.name,
    mechanism,
    by,
    to: of === undefined ? [...to] : ["0.0.0.0/0", "::/0"],
    ...(of === undefined ? {} : { of }),
    ...(mechanism === "fast" ? { except: holesIn(to, view.links) } : {}),
    // Which link a socket's packets would take is not known before they are sent.
    ...(local && (of === undefined || mechanism === "redirect") ? { local: true } : {}),
    ...marks,
    gapMs: gap,
    ...(busy === undefined ? {} : { busyMs: 1000 * busy }),
    members: members.map(({ number, link, weight, via }) => ({
      number,
      link: link.name,
      weight,
      via,
      ...(takers.includes(link.name) ? { takesFrames: true } : {}),
    })),
  };
}

/** The link whose packets are meant, which need not take part. */
function ofLink(section: Section<Spread>, view: View): string[] {
  const { of } = section.value;
  const found = view.links.find((link) => link.name === of || (of !== undefined && link.altNames?.includes(of)));
  return found ? [found.name] : [];
}

/** The links that packets come in by: those stated, or all that do not take part. */
function ingressOf(
  section: Section<Spread>,
  members: readonly Member[],
  links: readonly LinkFact[],
  diagnostics: Diagnostic[],
): string[] {
  const { from } = section.value;
  if (from === undefined) {
    const others = links.filter((link) => link.type !== "loopback" && !members.some((one) => one.link === link));
    return others.map(({ name }) => name);
  }
  return from.flatMap((name, index) => {
    const found = links.find((link) => link.name === name || link.altNames?.includes(name));
    if (found) return [found.name];
    diagnostics.push({
      code: "waiting-link",
      severity: "warning",
      summary: `this host has no link ${name}`,
      detail: "Until it is there, nothing that comes in by it can be spread.",
      remedy: "Correct the name, or apply again when the link is there.",
      range: section.at("from", index),
    });
    return [];
  });
}

function chooseMechanism(
  section: Section<Spread>,
  members: readonly Member[],
  view: View,
  diagnostics: Diagnostic[],
): SpreadMechanism | "nexthop" {
  const other = members.find(({ link }) => link.type !== "ether");
  const { mechanism = !view.features.tcPrograms ? "nexthop" : other ? "mark" : "redirect" } = section.value;
  const refuse = (summary: string, detail: string, remedy: string): void => {
    diagnostics.push({ code: "mechanism", severity: "error", summary, detail, remedy, range: section.at("mechanism") });
  };
  if (mechanism !== "nexthop" && !view.features.tcPrograms) {
    refuse(
      "this host cannot run BPF programs at links",
      "The kernel refuses them, so that only `nexthop` can be had.",
      "Leave `mechanism` out, or write `mechanism: nexthop`.",
    );
  }
  if ((mechanism === "redirect" || mechanism === "fast") && other) {
    refuse(
      `${other.link.name} is no Ethernet-like link, so packets cannot be redirected to it`,
      `Its link layer is ${other.link.type}, and bpf_redirect_neigh writes an Ethernet header of 14 bytes.`,
      "Leave `mechanism` out, or write `mechanism: mark`.",
    );
  }
  return mechanism;
}

function toAndOf(section: Section<Spread>): Diagnostic {
  return {
    code: "to-and-of",
    severity: "error",
    summary: "`to` and `of` both say what is spread",
    remedy: "Leave one of them out.",
    range: section.at("of"),
  };
}
