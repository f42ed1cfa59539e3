// Owns how the findings of a diagnosis look to a person and to a program.
import type { Finding } from "../../doctor/finding.ts";
import type { Severity } from "../../model/diagnostic.ts";
import type { HostPicture } from "../../model/picture.ts";
import type { Paint } from "./style.ts";

const COLOUR = { error: "red", warning: "yellow", note: "cyan" } as const satisfies Record<Severity, string>;

const SEVERITIES = ["error", "warning", "note"] as const satisfies readonly Severity[];

/** All findings, in their order, and a line that counts them. */
export function renderFindings(findings: readonly Finding[], picture: HostPicture, paint: Paint): string {
  const counts = countFindings(findings);
  const looked = [
    several(picture.links.length, "link"),
    several(picture.routes.length, "route"),
    several(picture.rules.length, "rule"),
  ].join(", ");
  if (findings.length === 0) return `${paint("green", "Nothing found")}: ${looked}.\n`;
  const last =
    counts.error + counts.warning === 0
      ? `${paint("green", "No errors, no warnings")}, ${several(counts.note, "note")}: ${looked}.`
      : `${SEVERITIES.map((severity) => several(counts[severity], severity)).join(", ")}: ${looked}.`;
  return `${findings.map((finding) => renderFinding(finding, paint)).join("\n")}\n${last}\n`;
}

function renderFinding({ severity, code, summary, found, consequence, remedy }: Finding, paint: Paint): string {
  const lines = [
    `${paint(["bold", COLOUR[severity]], `${severity}:`)} ${paint("bold", summary)} ${paint("dim", `[${code}]`)}`,
    ...found.map((line) => `  - ${line}`),
    `  ${consequence}`,
    `  ${paint("green", "Remedy:")} ${remedy.text}`,
  ];
  if (remedy.config !== undefined) lines.push(`    ${paint("dim", "in heddle.yaml:")}`, ...indent(remedy.config));
  if (remedy.file) lines.push(`    ${paint("dim", `in ${remedy.file.path}:`)}`, ...indent(remedy.file.text));
  if (remedy.commands) lines.push(`    ${paint("dim", "as root:")}`, ...indent(remedy.commands.join("\n")));
  return lines.map((line) => `${line}\n`).join("");
}

function indent(text: string): string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `      ${line}`);
}

/** How many there are of each severity. */
export function countFindings(findings: readonly Finding[]): Record<Severity, number> {
  const count = (severity: Severity): number => findings.filter((finding) => finding.severity === severity).length;
  return { error: count("error"), warning: count("warning"), note: count("note") };
}

function several(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
