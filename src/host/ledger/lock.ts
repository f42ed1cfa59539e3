// Owns the one-writer rule: an advisory lock that the kernel drops when its holder dies, however it dies.
import { constants } from "node:fs";
import { open, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { tryLock } from "../native.ts";
import { makeStateFolder } from "./files.ts";

/** A lock that is held. */
export interface Lock {
  release(): Promise<void>;
}

/**
 * Where the locks are, whatever state directory is used: whose a route is does not depend on where heddle remembers
 * things, so neither does who may change it.
 */
const LOCKS = "/run/heddle";

/**
 * Takes the lock of a network namespace; undefined when somebody else holds it. Who cannot write to /run (an ordinary
 * user in a user namespace of its own) locks in the folder given instead.
 */
export async function lockNamespace(cookie: string, otherwise: string): Promise<Lock | undefined> {
  const name = `net-${cookie}.lock`;
  try {
    return await lockFile(join(LOCKS, name));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!["EACCES", "EPERM", "EROFS", "ENOENT"].includes(code)) throw error;
    return lockFile(join(otherwise, name));
  }
}

async function lockFile(path: string): Promise<Lock | undefined> {
  await makeStateFolder(dirname(path));
  for (;;) {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    if (!tryLock(file.fd)) {
      await file.close();
      return undefined;
    }
    // Whoever held it before may have removed the file between our open and our lock: then it locks nothing.
    const [locked, named] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
    if (named?.ino === locked.ino) {
      return {
        async release() {
          await unlink(path).catch(() => {});
          await file.close();
        },
      };
    }
    await file.close();
  }
}
