// Owns small state files: read with bounds, written whole or not at all.
import { constants } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** The text of a file, or undefined when there is none. Other failures throw. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Replaces a file so that a reader, or a start after a crash, sees the old text or the new one and nothing between:
 * written beside it, synchronised, renamed. Directories are made, readable by their owner alone where new.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  // Imported where it is needed: it takes Node longer to load than the rest of this takes to run.
  const { randomUUID } = await import("node:crypto");
  const beside = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  const file = await open(
    beside,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o644,
  );
  try {
    await file.writeFile(text, "utf8");
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
