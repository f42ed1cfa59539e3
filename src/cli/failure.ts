// Owns the last words: what is said of an error that no command expected.
import { HostError } from "../host/error.ts";

/** Text for a person. What the system refused is said in a line; a bug is said with its stack. */
export function explainFailure(error: unknown): string {
  if (error instanceof HostError) {
    const remedy = error.code === "EPERM" || error.code === "EACCES" ? "  Run heddle as root.\n" : "";
    return `error: ${error.message}\n${remedy}`;
  }
  const system = error instanceof Error ? (error as NodeJS.ErrnoException) : undefined;
  if (system?.code !== undefined && system.syscall !== undefined) {
    const remedy =
      system.code === "EPERM" || system.code === "EACCES"
        ? "  Run heddle as root, or give it a state directory of its own with --state.\n"
        : "";
    return `error: ${system.message}\n${remedy}`;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `error: heddle has a bug, please report it:\n${stack}\n`;
}
