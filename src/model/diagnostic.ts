// Owns how heddle tells an operator what is wrong: collected, each with its place in the file and its remedy.

/** A place in a text, counted from 1. Columns count UTF-16 code units. */
export interface Position {
  line: number;
  column: number;
}

/** A stretch of a file; `end` is exclusive. */
export interface SourceRange {
  file: string;
  start: Position;
  end: Position;
}

export type Severity = "error" | "warning" | "note";

/** Something that the operator can act on. A bug is never a Diagnostic: it throws. */
export interface Diagnostic {
  /** Stable and greppable: "unknown-key". */
  code: string;
  severity: Severity;
  /** One line, without a full stop. */
  summary: string;
  /** Full sentences: what is wrong here and why it matters. */
  detail?: string;
  /** What to do about it, as a full sentence. */
  remedy?: string;
  /** Absent when no line of a file is to blame. */
  range?: SourceRange;
}

/** What a step of the pipeline gives: a value unless errors stood in the way, and everything there is to say. */
export interface Outcome<T> {
  value?: T;
  diagnostics: Diagnostic[];
}

/** In the order of the file, those without a place first. */
export function inOrderOfLines(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const nowhere = { line: 0, column: 0 };
  return diagnostics.toSorted((a, b) => {
    const [x, y] = [a.range?.start ?? nowhere, b.range?.start ?? nowhere];
    return x.line - y.line || x.column - y.column;
  });
}

/** Whether any of them is an error. */
export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === "error");
}
