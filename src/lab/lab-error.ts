// Owns the error that the lab throws when the machine, not the topology, stands in the way.
import type { SourceRange } from "../model/diagnostic.ts";

/** A command of the lab failed, or a condition did not come. The message is for people; `remedy` says what to do. */
export class LabError extends Error {
  override readonly name = "LabError";
  readonly remedy: string | undefined;
  /** The part of the topology that the kernel refused. */
  readonly range: SourceRange | undefined;

  constructor(message: string, options: { remedy?: string; range?: SourceRange; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.remedy = options.remedy;
    this.range = options.range;
  }
}

/** "file:3:5" of a range. */
export function placeText(range: SourceRange): string {
  return `${range.file}:${range.start.line}:${range.start.column}`;
}

/** The message of whatever was thrown, with the place and the remedy of a LabError. */
export function explainError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof LabError)) return error.message;
  const place = error.range ? `${placeText(error.range)}: ` : "";
  return `${place}${error.message}${error.remedy === undefined ? "" : `\n${error.remedy}`}`;
}
