// Owns what it means that the kernel refused: one class for every failed effect, and the names of errno.
import { constants } from "node:os";

const NAMES = new Map<number, string>();
// The first name of a number wins, so that EAGAIN is not called EWOULDBLOCK.
for (const [name, number] of Object.entries(constants.errno)) if (!NAMES.has(number)) NAMES.set(number, name);
// Linux has one number for two names, and the kernel's is this one.
NAMES.set(constants.errno.EOPNOTSUPP, "EOPNOTSUPP");
// The kernel's own number that no C library has a name for (include/linux/errno.h).
NAMES.set(524, "ENOTSUPP");

/** Name of an errno, positive or negative: "ENOENT"; "E4711" for a number without one. */
export function errnoName(errno: number): string {
  const number = Math.abs(errno);
  return NAMES.get(number) ?? `E${number}`;
}

/** What is known of a failed effect. */
export interface Failure {
  /** Number of the error, positive or negative. */
  errno: number;
  /** What was being done to what, to stand in a sentence: "route 10.0.0.0/8 table 100". */
  object: string;
  /** The kernel's own words, where it had any. */
  kernelMessage?: string;
}

/** An effect on the host that failed: I/O, never a bug and never the operator's file. */
export class HostError extends Error {
  override name = "HostError";
  /** Positive, as in errno.h. */
  readonly errno: number;
  /** "ENOENT", as Node's own errors call it. */
  readonly code: string;
  readonly object: string;
  readonly kernelMessage?: string;

  constructor(failure: Failure) {
    const code = errnoName(failure.errno);
    super(`${failure.object}: ${code}${failure.kernelMessage === undefined ? "" : ` (${failure.kernelMessage})`}`);
    this.errno = Math.abs(failure.errno);
    this.code = code;
    this.object = failure.object;
    if (failure.kernelMessage !== undefined) this.kernelMessage = failure.kernelMessage;
  }
}
