// Owns files that heddle puts below a root for others to read: whole or not at all, with their mode.
import { constants } from "node:fs";
import { mkdir, open, realpath, rename, rm } from "node:fs/promises";
import { constants as os } from "node:os";
import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { HostError } from "../error.ts";

/** A file to be put somewhere. */
export interface PlacedFile {
  /** Absolute, below the root. */
  path: string;
  /** Permission bits, whatever the umask. */
  mode: number;
  text: string;
}

/**
 * Puts a file below a root, with the directories that are missing on the way. A reader sees the old text or the new one.
 * Refuses, with a HostError, to follow symbolic links out of the root, as an image's /etc may have them.
 */
export async function placeFile(root: string, file: PlacedFile): Promise<void> {
  const path = join(root, file.path);
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const [inside, folder] = [await realpath(root), await realpath(dirname(path))];
  if (inside !== "/" && folder !== inside && !folder.startsWith(`${inside}/`)) {
    throw new HostError({ errno: os.errno.EXDEV, object: path, kernelMessage: `its folder leads out of ${root}` });
  }
  const beside = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const handle = await open(beside, flags, 0o600);
    try {
      await handle.writeFile(file.text, "utf8");
      await handle.chmod(file.mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
