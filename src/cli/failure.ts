// Owns the last words: what is said of an error that no command expected.
import { HostError } from "../host/error.ts";

/** Text for a person. What the system refused is said in a line; a bug is said with its stack. */
export function explainFailure(error: unknown): string {
  const { message, remedy, stack } = describe(error);
  const more = remedy ?? (stack === undefined ? undefined : `This is a bug in heddle, please report it:\n${stack}`);
  return `error: ${message}\n${more === undefined ? "" : `  ${more}\n`}`;
}

/** The same for a program: one JSON value with a diagnostic. */
export function failureJson(error: unknown): string {
  const { code, message, remedy, stack } = describe(error);
  const detail = stack === undefined ? {} : { detail: stack };
  const diagnostic = { code, severity: "error", summary: message, ...detail, ...(remedy ? { remedy } : {}) };
  return JSON.stringify({ diagnostics: [diagnostic] });
}

interface Failure {
  code: string;
  message: string;
  remedy?: string;
  /** Only of bugs. */
  stack?: string;
}

function describe(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: "bug", message: String(error), stack: "thrown without a stack" };
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof HostError || (code !== undefined && syscall !== undefined)) {
    // Words of the kernel say more than a guess would.
    const explained = error instanceof HostError && error.kernelMessage !== undefined;
    const denied = !explained && (code === "EPERM" || code === "EACCES");
    return { code: "system", message: error.message, ...(denied ? { remedy: "Run heddle as root." } : {}) };
  }
  return { code: "bug", message: error.message, stack: error.stack ?? error.message };
}
