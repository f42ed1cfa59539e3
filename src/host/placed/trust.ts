// Owns the question whether root can run a program without running what somebody else put there.
import { lstat, realpath } from "node:fs/promises";
import { dirname } from "node:path";

/** The part of the program's path that others than root can change, and why; undefined when there is none. */
export async function findUntrusted(program: string): Promise<{ path: string; why: string } | undefined> {
  for (let path = await realpath(program); ; path = dirname(path)) {
    const { uid, mode } = await lstat(path);
    if (uid !== 0) return { path, why: `it belongs to the user ${uid}` };
    // In a directory with the sticky bit nobody takes the place of another's file.
    if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0) return { path, why: "others can write to it" };
    if (path === "/") return undefined;
  }
}
