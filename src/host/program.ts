// Owns where the programs of the system are found that heddle runs.
import { accessSync, constants } from "node:fs";
import { constants as os } from "node:os";
import { delimiter, join } from "node:path";
import { HostError } from "./error.ts";

/** Directories where system programs live that the PATH of an ordinary user lacks. */
const SYSTEM_PATH = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/** Where programs are looked for: the PATH, without what is relative, then the system's directories. */
export function programPath(): string[] {
  return [...(process.env["PATH"] ?? "").split(delimiter), ...SYSTEM_PATH].filter((entry) => entry.startsWith("/"));
}

/** The absolute path of a program. Throws HostError (ENOENT), naming the Debian package, where there is none. */
export function findProgram(name: string, debianPackage: string, path: readonly string[] = programPath()): string {
  for (const directory of path) {
    const candidate = join(directory, name);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not in this one.
    }
  }
  const kernelMessage = `the program \`${name}\` is missing; install the package ${debianPackage}`;
  throw new HostError({ errno: os.errno.ENOENT, object: debianPackage, kernelMessage });
}
