// Owns a plain text form of diagnostics, with the line and a caret.
import type { Diagnostic } from "../model/diagnostic.ts";

/** "error: summary", place, line, caret, detail and remedy of each. */
export function diagnosticText(diagnostics: readonly Diagnostic[], source: { file: string; text: string }): string {
  const lines = source.text.split(/\r?\n/);
  return diagnostics.map((diagnostic) => oneText(diagnostic, lines)).join("\n");
}

function oneText({ severity, summary, detail, remedy, range }: Diagnostic, lines: readonly string[]): string {
  const text = [`${severity}: ${summary}`];
  if (range) {
    const { line, column } = range.start;
    text.push(`  ${range.file}:${line}:${column}`);
    const shown = lines[line - 1];
    if (shown !== undefined) {
      const margin = " ".repeat(String(line).length);
      text.push(`  ${line} | ${shown}`, `  ${margin} | ${shown.slice(0, column - 1).replace(/[^\t]/g, " ")}^`);
    }
  }
  for (const sentence of [detail, remedy]) if (sentence !== undefined) text.push(`  ${sentence}`);
  return text.join("\n");
}
