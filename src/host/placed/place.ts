// Owns what heddle puts below a root for others to read: files and symbolic links, whole or not at all.
import { constants } from "node:fs";
import { lstat, mkdir, open, readlink, realpath, rename, rm, rmdir, symlink } from "node:fs/promises";
import { constants as os } from "node:os";
import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { HostError } from "../error.ts";
import { readText } from "../picture/files.ts";
import type { Placement, Standing } from "../../model/placement.ts";

/**
 * Puts a file or a link below a root, with the directories that are missing on the way. A reader sees what was there or
 * what is new. Refuses, with a HostError, to follow links out of the root, as an image's /etc may have them.
 */
export async function place(root: string, placement: Placement): Promise<void> {
  const path = join(root, placement.path);
  await makeDirectories(root, dirname(placement.path));
  const beside = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    if ("link" in placement) await symlink(placement.link, beside);
    else await writeNew(beside, placement.text, placement.mode);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(path, flags, 0o600);
  try {
    await handle.writeFile(text, "utf8");
    // Whatever the umask is.
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The directories that are missing for these paths, the outer ones first; as paths below the root. */
export async function missingDirectories(root: string, paths: readonly string[]): Promise<string[]> {
  const missing = new Set<string>();
  for (const path of paths) {
    for (let directory = dirname(path); directory !== "/"; directory = dirname(directory)) {
      if (missing.has(directory) || (await isThere(join(root, directory)))) break;
      missing.add(directory);
    }
  }
  return [...missing].toSorted();
}

/** What stands at a path below the root. Files too large to be heddle's, and what cannot be read, are "other". */
export async function readStanding(root: string, path: string): Promise<Standing> {
  const full = join(root, path);
  let mode: number;
  try {
    const found = await lstat(full);
    if (found.isSymbolicLink()) return { link: await readlink(full) };
    if (!found.isFile()) return "other";
    mode = found.mode & 0o7777;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  const text = await readText(root, path);
  return typeof text === "string" ? { text, mode } : "other";
}

/** Takes a file or link away, and directories where they are empty. */
export async function takeAway(root: string, path: string): Promise<void> {
  await checkInside(root, dirname(join(root, path)));
  await rm(join(root, path), { force: true });
}

/** Takes directories away that are empty, the inner ones first. */
export async function takeAwayEmpty(root: string, directories: readonly string[]): Promise<void> {
  for (const directory of directories.toReversed()) {
    await rmdir(join(root, directory)).catch((error: NodeJS.ErrnoException) => {
      // Somebody else has something there, or has taken it away already.
      if (!["ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR", "EBUSY"].includes(error.code ?? "")) throw error;
    });
  }
}

async function makeDirectories(root: string, directory: string): Promise<void> {
  const full = join(root, directory);
  if (await isThere(full)) return checkInside(root, full);
  if (directory === "/") {
    await mkdir(full, { recursive: true, mode: 0o755 });
    return;
  }
  await makeDirectories(root, dirname(directory));
  await mkdir(full, { mode: 0o755 });
}

async function checkInside(root: string, directory: string): Promise<void> {
  const [inside, found] = [await realpath(root), await realpath(directory)];
  if (inside === "/" || found === inside || found.startsWith(`${inside}/`)) return;
  throw new HostError({ errno: os.errno.EXDEV, object: directory, kernelMessage: `it leads out of ${root}` });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}
