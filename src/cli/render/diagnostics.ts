// Owns how diagnostics look to a person: what, where with the line and a caret, why, and what to do.
import type { Diagnostic, Severity } from "../../model/diagnostic.ts";
import type { Paint } from "./style.ts";

const COLOUR = { error: "red", warning: "yellow", note: "cyan" } as const satisfies Record<Severity, string>;

/** Columns that a tab is shown as; the caret line gives it the same. */
const TAB = "    ";

/** All diagnostics as text. `sources` holds the text of each file that one may point to. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: ReadonlyMap<string, string>,
  paint: Paint,
): string {
  return diagnostics.map((diagnostic) => renderOne(diagnostic, sources, paint)).join("\n");
}

function renderOne(diagnostic: Diagnostic, sources: ReadonlyMap<string, string>, paint: Paint): string {
  const { severity, summary, range, detail, remedy } = diagnostic;
  const lines = [`${paint(["bold", COLOUR[severity]], `${severity}:`)} ${paint("bold", summary)}`];
  if (range) {
    const { file, start, end } = range;
    lines.push(`  ${file}:${start.line}:${start.column}`);
    const text = sources.get(file)?.split(/\r?\n/)[start.line - 1];
    if (text !== undefined) {
      const margin = String(start.line);
      const width = end.line === start.line ? end.column - start.column : text.length - start.column + 1;
      const indent = expandTabs(text.slice(0, start.column - 1)).replace(/./gu, " ");
      lines.push(`  ${paint("dim", `${margin} |`)} ${expandTabs(text)}`);
      const carets = "^".repeat(Math.max(1, Math.min(width, text.trimEnd().length - start.column + 1)));
      lines.push(`  ${paint("dim", `${" ".repeat(margin.length)} |`)} ${indent}${paint(COLOUR[severity], carets)}`);
    }
  }
  for (const sentence of [detail, remedy]) if (sentence !== undefined) lines.push(`  ${sentence}`);
  return `${lines.join("\n")}\n`;
}

function expandTabs(text: string): string {
  return text.replaceAll("\t", TAB);
}
