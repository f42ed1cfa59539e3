// Owns the choice of links: which of the host's links an entry of `links` means.
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { LinkFact } from "../../model/facts.ts";
import { prefixContains } from "../../model/ip.ts";
import type { Section } from "../role.ts";
import type { LinkChoice, Multihome } from "./schema.ts";

/** A link of the host that an entry chose. */
export interface ChosenLink {
  link: LinkFact;
  choice: LinkChoice;
  /** The entry's position in the list. */
  index: number;
}

/** The chosen links in the order of the entries, each once, and a warning for each entry that chooses none. */
export function chooseLinks(
  section: Section<Multihome>,
  links: readonly LinkFact[],
): { chosen: ChosenLink[]; diagnostics: Diagnostic[] } {
  const chosen: ChosenLink[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const [index, choice] of section.value.links.entries()) {
    const fitting = links.filter((link) => fits(link, choice)).sort((a, b) => byNumberedName(a.name, b.name));
    if (fitting.length === 0) diagnostics.push(nothingFits(section, choice, index, links));
    for (const link of fitting) {
      if (!chosen.some((present) => present.link.name === link.name)) chosen.push({ link, choice, index });
    }
  }
  return { chosen, diagnostics };
}

function fits(link: LinkFact, choice: LinkChoice): boolean {
  if (link.type === "loopback") return false;
  const { name, subnet, driver, guid } = choice;
  if (name !== undefined && ![link.name, ...(link.altNames ?? [])].some((own) => globMatches(name, own))) return false;
  if (driver !== undefined && !globMatches(driver, link.driver ?? "")) return false;
  if (guid !== undefined && portGuid(link) !== guid) return false;
  return (
    subnet === undefined ||
    link.addresses.some((address) => prefixContains(subnet, address.address.split("/")[0] ?? ""))
  );
}

/** The GUID of an IPoIB link's port: the last 8 of the 20 bytes of its hardware address (RFC 4391, 9.1.1). */
function portGuid(link: LinkFact): string | undefined {
  const bytes = link.hardwareAddress?.split(":");
  return bytes?.length === 20 ? bytes.slice(12).join("") : undefined;
}

/** Whether the text fits a pattern in which * stands for any characters and ? for one; without the blow-up of a regular expression. */
function globMatches(pattern: string, text: string): boolean {
  let [p, t, star, resume] = [0, 0, -1, 0];
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      resume = t;
    } else if (pattern[p] === "?" || pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      // The last star takes one character more.
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** ib2 before ib10. */
function byNumberedName(a: string, b: string): number {
  const [partsA, partsB] = [a, b].map((name) => name.split(/(\d+)/));
  for (let i = 0; i < Math.max(partsA?.length ?? 0, partsB?.length ?? 0); i++) {
    const [x, y] = [partsA?.[i] ?? "", partsB?.[i] ?? ""];
    if (x === y) continue;
    if (i % 2 === 1 && Number(x) !== Number(y)) return Number(x) - Number(y);
    return x < y ? -1 : 1;
  }
  return 0;
}

function nothingFits(
  section: Section<Multihome>,
  choice: LinkChoice,
  index: number,
  links: readonly LinkFact[],
): Diagnostic {
  const { gateway: _gateway, ...wanted } = choice;
  const said = Object.entries(wanted).map(([key, value]) => (key === "name" ? value : `${key} ${value}`));
  const names = links.filter((link) => link.type !== "loopback").map((link) => link.name);
  return {
    code: "waiting-link",
    severity: "warning",
    summary: `this host has no link ${said.join(" with ")}`,
    detail: names.length > 0 ? `Its links are ${names.join(", ")}.` : "It has no links at all.",
    remedy: "Correct the entry, or apply again when the link is there.",
    range: section.at("links", index),
  };
}
