// Owns reading the key of a subnet administrator from its file. The key itself is in no message.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** No key is longer, with a line's end behind it. */
const MOST_BYTES = 64;
/** Rights of anybody but the owner. */
const OTHERS = 0o077;
const MOST = 2n ** 64n - 1n;

/** The key: a number of 64 bits, decimal or hexadecimal with 0x, other than zero; or why there is none. */
export function readSmKey(path: string): bigint | { why: string } {
  let descriptor: number | undefined;
  try {
    // What is no file could keep whoever opens it waiting.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = fstatSync(descriptor);
    if (!found.isFile()) return { why: `${path} is no file` };
    if ((found.mode & OTHERS) !== 0) return { why: `others than its owner may read ${path}: chmod 600 ${path}` };
    const bytes = Buffer.alloc(MOST_BYTES + 1);
    const text = bytes.toString("latin1", 0, readSync(descriptor, bytes)).trim();
    const key = /^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text) ? BigInt(text) : 0n;
    return key > 0n && key <= MOST ? key : { why: `${path} does not hold a number of 64 bits other than zero` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return { why: `${path} cannot be read: ${code}` };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
