// Owns the files that every export has: sysctl.d and the names of tables; and the comment that each file opens with.
import { namesText } from "../plan/names-text.ts";
import type { AddressSpec } from "../model/kinds.ts";
import type { Desired } from "../model/objects.ts";
import type { ExportedFile, ExportFormat, ExportInput } from "./exported.ts";

/** How each exported file can be known for one: it says so in its first lines. */
export const MARK = "Made by heddle";

/** The comment lines that a file opens with. */
export function header(format: ExportFormat, origin: string): string {
  // A path may hold anything, and a line break in it would end the comment.
  const file = origin.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "?");
  return `# ${MARK}: \`heddle export --as ${format}\`, from ${file}.\n# Do not edit: change that file and export it again.\n`;
}

/** Switches of the host and names of tables, which are the same whoever makes the routes. */
export function commonFiles(format: ExportFormat, input: ExportInput): ExportedFile[] {
  const { want, tables, numbers, origin } = input;
  const switches = want.objects.flatMap((object) => (object.kind === "sysctl" ? [object.spec] : []));
  const files: ExportedFile[] = [];
  if (switches.length > 0) {
    // With slashes, because names of links may have dots (sysctl.d(5)).
    const lines = switches.map(({ path, value }) => `${path} = ${value}\n`);
    files.push({ path: SYSCTL_FILE, mode: 0o644, text: header(format, origin) + lines.join("") });
  }
  // The numbers make a later export, when the host has these objects, draw the same ones.
  if (Object.values(numbers).some((ofPool) => Object.keys(ofPool).length > 0)) {
    const text = namesText(header(format, origin), tables, numbers);
    files.push({ path: "/etc/iproute2/rt_tables.d/heddle.conf", mode: 0o644, text });
  }
  return files;
}

/** Read by systemd-sysctl at boot, and once more for each link that appears (99-systemd.rules of udev). */
export const SYSCTL_FILE = "/etc/sysctl.d/90-heddle.conf";

/** The objects that a format has to say by itself. */
export function routingObjects(input: ExportInput): Desired[] {
  return input.want.objects.filter(({ kind }) => kind !== "sysctl");
}

/** "multihome/ib, static/s": the sections behind some objects, in the order of the file. */
export function ownersOf(objects: readonly Desired[]): string {
  return [...new Set(objects.flatMap(({ owners }) => owners))].join(", ");
}

/**
 * The addresses that a link has, or shall have, for formats that state a link as a whole; but not those that the kernel
 * gives by itself (link-local ones).
 */
export function addressesOn(link: string, input: ExportInput, objects: readonly Desired[]): AddressSpec[] {
  const present = input.links.find(({ name }) => name === link);
  // A link that is not there has those that the file gives it.
  if (!present) return objects.flatMap((object) => (object.kind === "address" ? [object.spec] : []));
  return present.addresses.filter(({ scope }) => scope === "global" || scope === "site");
}

/** The objects with the rules last, in the order in which they are asked, as people read them. */
export function rulesAsAsked(objects: readonly Desired[]): Desired[] {
  const rules = objects.filter((object) => object.kind === "rule");
  rules.sort((a, b) => a.spec.priority - b.spec.priority);
  return [...objects.filter(({ kind }) => kind !== "rule"), ...rules];
}
