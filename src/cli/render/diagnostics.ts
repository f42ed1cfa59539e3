// Owns how diagnostics look to a person: what, where with the line and a caret, why, and what to do.
import type { Diagnostic, Severity, SourceRange } from "../../model/diagnostic.ts";
import type { Paint } from "./style.ts";

const COLOUR = { error: "red", warning: "yellow", note: "cyan" } as const satisfies Record<Severity, string>;

/** Columns that a tab is shown as; the caret line gives it the same. */
const TAB = "    ";

/** Diagnostics that are shown; whoever has more mends these first. */
const MOST = 50;

/** Columns of a line that are shown around the place. */
const WINDOW = 120;

/** Diagnostics as text, the first fifty. `sources` holds the text of each file that one may point to. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: ReadonlyMap<string, string>,
  paint: Paint,
): string {
  const lines = new Map([...sources].map(([file, text]) => [file, text.split(/\r?\n/)]));
  const shown = diagnostics.slice(0, MOST).map((diagnostic) => renderOne(diagnostic, lines, paint));
  const rest = diagnostics.length - shown.length;
  return [...shown, ...(rest > 0 ? [`and ${rest} more\n`] : [])].join("\n");
}

/**
 * Text that a terminal shows and does not obey: control characters, which names of links and keys of files may hold,
 * become visible.
 */
export function harmless(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

function renderOne(diagnostic: Diagnostic, sources: ReadonlyMap<string, string[]>, paint: Paint): string {
  const { severity, summary, range, detail, remedy } = diagnostic;
  const lines = [`${paint(["bold", COLOUR[severity]], `${severity}:`)} ${paint("bold", harmless(summary))}`];
  if (range) {
    lines.push(`  ${harmless(range.file)}:${range.start.line}:${range.start.column}`);
    const text = sources.get(range.file)?.[range.start.line - 1];
    if (text !== undefined) lines.push(...renderPlace(text, range, COLOUR[severity], paint));
  }
  for (const sentence of [detail, remedy]) if (sentence !== undefined) lines.push(`  ${harmless(sentence)}`);
  return `${lines.join("\n")}\n`;
}

/** The line with carets below the place; of a long line, what stands around it. */
function renderPlace(
  whole: string,
  { start, end }: SourceRange,
  colour: "red" | "yellow" | "cyan",
  paint: Paint,
): string[] {
  const first = whole.length > WINDOW ? Math.max(0, start.column - 1 - WINDOW / 2) : 0;
  const text = whole.slice(first, first + WINDOW);
  const column = start.column - first;
  const [before, after] = [first > 0 ? "…" : "", first + WINDOW < whole.length ? "…" : ""];
  const width = end.line === start.line ? end.column - start.column : whole.length - start.column + 1;
  const carets = "^".repeat(Math.max(1, Math.min(width, text.trimEnd().length - column + 1)));
  const indent = `${before}${visible(text.slice(0, column - 1))}`.replace(/./gu, " ");
  const margin = String(start.line);
  return [
    `  ${paint("dim", `${margin} |`)} ${before}${visible(text)}${after}`,
    `  ${paint("dim", `${" ".repeat(margin.length)} |`)} ${indent}${paint(colour, carets)}`,
  ];
}

function visible(text: string): string {
  return harmless(text.replaceAll("\t", TAB));
}
