// Owns small state files: read with bounds, written whole or not at all, in folders that nobody else can write to.
import { constants, readFileSync } from "node:fs";
import { lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { constants as os } from "node:os";
import { dirname } from "node:path";
import { HostError } from "../error.ts";

/**
 * The text of a file, or undefined when there is none. Rejects for other failures. These files are few, small or in
 * memory, and read at once: each turn of Node's threads, of which a reading takes four, costs as much as the reading.
 */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/**
 * Makes a folder for state, with at most two missing ones above it, and refuses one that others could write to: what
 * heddle reads there decides what it does as root. Throws HostError.
 */
export async function makeStateFolder(path: string, missingAbove = 2): Promise<void> {
  // Not mkdir's own recursion, which does not end in places like /proc.
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (error) {
    if (isErrno(error, "ENOENT") && missingAbove > 0) {
      await makeStateFolder(dirname(path), missingAbove - 1);
      return makeStateFolder(path, 0);
    }
    if (!isErrno(error, "EEXIST")) throw error;
  }
  const found = await lstat(path);
  const trusted = found.uid === 0 || found.uid === process.geteuid?.();
  if (found.isDirectory() && trusted && (found.mode & 0o022) === 0) return;
  // A folder above, such as /tmp, is nobody's to judge; what stands in it is.
  if (missingAbove < 2 && found.isDirectory()) return;
  const why = found.isDirectory() ? "others can write to it" : "it is no folder";
  throw new HostError({ errno: os.errno.EPERM, object: `state folder ${path}`, kernelMessage: why });
}

/**
 * Replaces a file so that a reader, or a start after a crash, sees the old text or the new one and nothing between:
 * written beside it, synchronised, renamed.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  await makeStateFolder(dirname(path));
  // Imported where it is needed: it takes Node longer to load than the rest of this takes to run.
  const { randomUUID } = await import("node:crypto");
  const beside = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(beside, flags, 0o644);
    try {
      await file.writeFile(text, "utf8");
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
