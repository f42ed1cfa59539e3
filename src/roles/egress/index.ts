// Owns the role `egress`: chosen users, groups and jobs leave by a gateway of their own, and never by another way.
//
// Whose a socket is decides a bit of its mark when it is made; what a packet is (protocol, port, destination) decides a
// rule, which asks for that bit; where it goes decides a table. The table ends in a route that refuses, so that a packet
// with the mark never falls through to the default route, whatever becomes of the link, its address or the gateways.
import type { Claim } from "../../model/claim.ts";
import type { Diagnostic, Outcome } from "../../model/diagnostic.ts";
import type { LinkFact } from "../../model/facts.ts";
import { familyOf } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import { nearest } from "../../model/nearest.ts";
import type { Wanted } from "../../model/objects.ts";
import { refuseArp } from "../check.ts";
import { ownAddresses } from "../own-addresses.ts";
import { OWN_TABLE } from "../role.ts";
import type { Role, Section, View } from "../role.ts";
import { namedTable, unknownTable } from "../table-names.ts";
import { wantSwitch } from "../wanted.ts";
import { claimGateways, watchGateways } from "./gateways.ts";
import { markingTable } from "./nftables.ts";
import { choosesOwners, namesOf, ownersOf } from "./owners.ts";
import { desireRules } from "./packets.ts";
import { resetTable } from "./resets.ts";
import { egressSchema } from "./schema.ts";
import type { Egress } from "./schema.ts";
import { claimProbes, hasProbes, refuseTargets } from "./through.ts";
import { desireWay, sourceOf } from "./way.ts";

const RULES = "rules";
/** Of a section with probes: theirs, and behind it the one of its rules. */
const RULES_BEHIND_PROBES = "rules behind probes";
const MARK = "mark";

export const egress: Role<Egress> = {
  name: "egress",
  about: "What chosen users, groups or control groups send leaves by gateways of its own.",
  schema: egressSchema,
  names: (section) => namesOf(section.value),

  watches: watchGateways,

  features: ({ value }) => (choosesOwners(value) && value.resets !== "main" ? ["nftables"] : []),

  claims(section): Claim[] {
    const { table } = section.value;
    const claims: Claim[] = [
      hasProbes(section)
        ? { pool: "priorities", name: RULES_BEHIND_PROBES, count: 2, from: section.at("match") }
        : { pool: "priorities", name: RULES, from: section.at("match") },
    ];
    if (choosesOwners(section.value)) claims.push({ pool: "marks", name: MARK, from: section.at("match") });
    if (table === undefined) claims.push({ pool: "tables", name: OWN_TABLE, from: section.at("link") });
    if (typeof table === "number") {
      claims.push({ pool: "tables", name: `#${table}`, fixed: table, from: section.at("table") });
    }
    return [...claims, ...claimGateways(section), ...claimProbes(section)];
  },

  desire(section, view): Outcome<Wanted[]> {
    const diagnostics: Diagnostic[] = [];
    const table = tableOf(section, view, diagnostics);
    if (Object.values(section.value.match).every((value) => value === undefined)) diagnostics.push(matchesAll(section));
    diagnostics.push(...refuseTargets(section), ...refuseArpOf(section));
    const link = findLink(section, view, diagnostics);
    const bit = choosesOwners(section.value) ? (1 << (view.marks[MARK] as number)) >>> 0 : undefined;
    const families = familiesOf(section.value, view);
    if (table === undefined || diagnostics.some(({ severity }) => severity === "error")) return { diagnostics };

    const wanted: Wanted[] = [];
    const probes = view.priorities[RULES_BEHIND_PROBES];
    const priority = probes === undefined ? (view.priorities[RULES] as number) : probes + 1;
    for (const family of families) {
      if (link) warnOfAddress(section, family, link, diagnostics);
      wanted.push(
        ...desireWay(section, family, { table, link, ...(probes === undefined ? {} : { probes }) }, view, diagnostics),
      );
      const mark = bit === undefined ? {} : { mark: bit, mask: bit };
      wanted.push(...desireRules(section, family, { priority, table, ...mark }, diagnostics));
    }
    // Answers come from everywhere, and strict filtering looks them up without the mark.
    const { rp_filter = "loose" } = section.value;
    if (link && families.includes(4) && rp_filter !== "keep") {
      wanted.push(wantSwitch(link.name, "rp_filter", rp_filter === "loose" ? "2" : "0", section.at("link")));
    }
    if (bit !== undefined) wanted.push(...desireMarking(section, view, bit, families, link, diagnostics));
    return { value: wanted, diagnostics };
  },
};

/** What gives packets the bit: a program that marks sockets, or a table of nftables that marks what they send. */
function desireMarking(
  section: Section<Egress>,
  view: View,
  bit: number,
  families: readonly Family[],
  link: LinkFact | undefined,
  diagnostics: Diagnostic[],
): Wanted[] {
  const { by = view.features.socketMarks ? "bpf" : "nftables", match } = section.value;
  const follows = section.value.resets !== "main";
  const owners = ownersOf(section, view, bit, diagnostics);
  const from = section.at("match");
  if (by === "bpf") {
    if (!view.features.socketMarks) diagnostics.push(noBpf(section));
    const marking: Wanted = { kind: "cgroupProgram", spec: { program: "mark-sockets", mask: bit, ...owners }, from };
    // Without nftables, resets that belong to no socket leave as main says (docs/adr/0095).
    return follows && view.features.nftables
      ? [{ kind: "nftTable", spec: resetTable(section.name, bit), from }, marking]
      : [marking];
  }
  if (match.cgroups !== undefined)
    diagnostics.push(
      needsBpf(section, "cgroups", "nftables finds them when its rules are loaded, and not those that come later"),
    );
  if (match.members) diagnostics.push(needsBpf(section, "members", "nftables knows only the group that owns a socket"));
  const sources = families.flatMap((family) => {
    const source = sourceOf(section, family, link);
    return source === undefined ? [] : [{ family, source }];
  });
  return [
    { kind: "nftTable", spec: markingTable(section.name, owners, bit, section.value.link, { sources, follows }), from },
  ];
}

/** IP versions that the section is for: those of its destinations; without any, all that must not leave otherwise. */
function familiesOf({ match, otherwise, gateways = [], routes = [] }: Egress, { features }: View): Family[] {
  const all: Family[] = features.ipv6 ? [4, 6] : [4];
  if (match.to) return all.filter((family) => match.to?.some((prefix) => familyOf(prefix) === family));
  if (otherwise !== "main") return all;
  const said = [...gateways.map(({ via }) => via), ...routes.map(({ to }) => to)];
  return all.filter((family) => said.some((text) => familyOf(text) === family));
}

function refuseArpOf(section: Section<Egress>): Diagnostic[] {
  const { check, gateways = [] } = section.value;
  const vias = gateways.map(({ via }) => via);
  return refuseArp(check, vias, section.at("check", "by"));
}

function tableOf(section: Section<Egress>, view: View, diagnostics: Diagnostic[]): number | undefined {
  const { table } = section.value;
  if (typeof table !== "string") return table ?? view.tables[OWN_TABLE];
  const known = namedTable(table, view);
  const remedy = "Write its number, name it in /etc/iproute2/rt_tables, or leave `table` out.";
  if (known === undefined) diagnostics.push(unknownTable(table, view, [], remedy, section.at("table")));
  return known;
}

function findLink(section: Section<Egress>, view: View, diagnostics: Diagnostic[]): LinkFact | undefined {
  const { link: name } = section.value;
  const found = view.links.find((link) => link.name === name || link.altNames?.includes(name));
  if (found) return found;
  const guess = nearest(
    name,
    view.links.map((link) => link.name),
  );
  const { otherwise = "unreachable" } = section.value;
  diagnostics.push({
    code: "waiting-link",
    severity: "warning",
    summary: `this host has no link ${name}`,
    detail: `${guess === undefined ? "" : `Did you mean "${guess}"? `}Until it is there, what is chosen here ${otherwise === "main" ? "goes as the main table says" : "is refused"}.`,
    remedy: "Correct the name, or apply again when the link is there.",
    range: section.at("link"),
  });
  return undefined;
}

function warnOfAddress(section: Section<Egress>, family: Family, link: LinkFact, diagnostics: Diagnostic[]): void {
  const needed = section.value.gateways?.some(({ via }) => familyOf(via) === family);
  if (!needed || ownAddresses(link).some((address) => address.family === family)) return;
  diagnostics.push({
    code: "waiting-address",
    severity: "warning",
    summary: `${link.name} has no usable IPv${family} address`,
    detail: "Without one nothing can leave by its gateways.",
    remedy: "Give it an address, then apply again.",
    range: section.at("link"),
  });
}

function matchesAll(section: Section<Egress>): Diagnostic {
  return {
    code: "matches-all",
    severity: "error",
    summary: "`match` says nothing, so that all traffic of the host would be meant",
    remedy: "State users, groups, cgroups, protocols, ports, to or dscp.",
    range: section.at("match"),
  };
}

function noBpf(section: Section<Egress>): Diagnostic {
  return {
    code: "no-bpf",
    severity: "error",
    summary: "this host cannot mark sockets by BPF",
    detail: "The kernel refuses BPF programs of control groups, or there is no hierarchy of version 2.",
    remedy: "Leave `by` out, or write `by: nftables`.",
    range: section.at("by"),
  };
}

function needsBpf(section: Section<Egress>, key: string, because: string): Diagnostic {
  return {
    code: "needs-bpf",
    severity: "error",
    summary: `\`${key}\` needs BPF, which this host does not have`,
    detail: `Packets are marked by nftables here: ${because}.`,
    remedy: `Take \`${key}\` away, or say the users or groups instead.`,
    range: section.at("match", key),
  };
}
