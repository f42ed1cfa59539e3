// Owns the format `networkd`: for each link a drop-in of its .network file, or a whole one where it has none.
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Desired } from "../model/objects.ts";
import { addressesOn, header, routingObjects } from "./common.ts";
import type { ExportedFile, ExportInput } from "./exported.ts";
import { assignHomes } from "./home.ts";
import { addressSection, networkdSections } from "./networkd-words.ts";

/** Where administrators' files for networkd are; a drop-in here counts for a file of the same name anywhere. */
const DIRECTORY = "/etc/systemd/network";

/** The files, with what is to be said about them. */
export function exportNetworkd(input: ExportInput): { files: ExportedFile[]; diagnostics: Diagnostic[] } {
  const files: ExportedFile[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const [link, objects] of assignHomes(routingObjects(input)).byLink) {
    const base = baseName(input.site.networkd[link]);
    if (base === undefined || base === wholeName(link)) {
      files.push(wholeFile(input, link, objects));
      diagnostics.push(statedWhole(link, objects));
      continue;
    }
    const sharing = Object.entries(input.site.networkd)
      .filter(([other, file]) => other !== link && baseName(file) === base)
      .map(([other]) => other);
    if (sharing.length > 0) diagnostics.push(sharedFile(link, base, sharing, objects));
    files.push(dropIn("networkd", input.origin, base, objects));
  }
  return { files, diagnostics };
}

/** A drop-in of the .network file with that name. */
export function dropIn(
  format: "networkd" | "netplan",
  origin: string,
  base: string,
  objects: readonly Desired[],
): ExportedFile {
  const path = `${DIRECTORY}/${base}.d/heddle.conf`;
  return { path, mode: 0o644, text: `${header(format, origin)}${networkdSections(objects)}` };
}

function wholeFile(input: ExportInput, link: string, objects: readonly Desired[]): ExportedFile {
  const addresses = addressesOn(link, input, objects).map(addressSection).join("");
  const others = networkdSections(objects.filter(({ kind }) => kind !== "address"));
  const text = `${header("networkd", input.origin)}\n[Match]\nName=${link}\n${addresses}${others}`;
  return { path: `${DIRECTORY}/${wholeName(link)}`, mode: 0o644, text };
}

function wholeName(link: string): string {
  return `70-heddle-${link}.network`;
}

function baseName(path: string | undefined): string | undefined {
  return path?.slice(path.lastIndexOf("/") + 1);
}

function statedWhole(link: string, objects: readonly Desired[]): Diagnostic {
  const range = objects[0]?.from[0];
  return {
    code: "export-whole-link",
    severity: "note",
    summary: `networkd has no .network file for ${link} here, so the export has a whole one`,
    detail:
      "It states the addresses that the link has now. What else the link needs (DHCP, gateways, DNS) is not in it.",
    remedy: "Look it over; or write a .network file for the link first, and export a drop-in of that.",
    ...(range === undefined ? {} : { range }),
  };
}

function sharedFile(link: string, base: string, others: readonly string[], objects: readonly Desired[]): Diagnostic {
  const range = objects[0]?.from[0];
  return {
    code: "export-shared-file",
    severity: "error",
    summary: `${link} shares its .network file with ${others.join(", ")}`,
    detail: `What is added to ${base} for one of them would be made for each of them.`,
    remedy: `Give ${link} a .network file of its own, whose name sorts before ${base}, and export again.`,
    ...(range === undefined ? {} : { range }),
  };
}
