// Owns writing to standard output and standard error, without the streams that Node would load for it.
import { fstatSync, writeSync } from "node:fs";

/** Standard output, standard error. */
export type Descriptor = 1 | 2;

/** How long to wait for a reader whose pipe is full and does not block, in milliseconds. */
const RETRY_MS = 2;

/**
 * Writes the whole text. Whoever reads may go away (`heddle apply | head`), or the disk behind it may be full: what was
 * begun is finished all the same, and only the words are lost. False when they are: whoever only writes may end then.
 */
export function write(descriptor: Descriptor, text: string): boolean {
  const bytes = Buffer.from(text);
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
  return true;
}

/** Whether it may be a terminal: a device of characters, as /dev/null is too. */
export function maybeTerminal(descriptor: Descriptor): boolean {
  try {
    return fstatSync(descriptor).isCharacterDevice();
  } catch {
    return false;
  }
}
