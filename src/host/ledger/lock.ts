// Owns the one-writer rule: an advisory lock that the kernel drops when its holder dies, however it dies.
import { constants } from "node:fs";
import { open, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { tryLock } from "../native.ts";
import { makeStateFolder, readIfThere } from "./files.ts";

/** Who holds a lock: a command for a moment, an agent for life. */
export type Holder = "command" | "agent";

/** A lock that is held. */
export interface Lock {
  /** The socket of an agent that holds it. */
  readonly socket: string;
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
export async function lockNamespace(
  cookie: string,
  otherwise: string,
  holder: Holder = "command",
): Promise<Lock | undefined> {
  return lockIn(otherwise, (folder) => lockFile(folder, lockPath(folder, cookie), cookie, holder));
}

/**
 * Takes the lock of those who say which member has which bucket in a network namespace: one of them at a time, whether
 * an agent or a command. Undefined when somebody else holds it.
 */
export async function lockController(cookie: string, otherwise: string): Promise<Pick<Lock, "release"> | undefined> {
  return lockIn(otherwise, (folder) => lockFile(folder, join(folder, `spread-${cookie}.lock`), cookie, "command"));
}

/** Locks where the locks are, or in the other folder where this user cannot write there. */
async function lockIn(otherwise: string, lock: (folder: string) => Promise<Lock | undefined>) {
  try {
    return await lock(LOCKS);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!["EACCES", "EPERM", "EROFS", "ENOENT"].includes(code)) throw error;
    return lock(otherwise);
  }
}

/**
 * Whether an agent held the lock last: the file says so until the next holder writes into it, so it is asked only of a
 * lock that is known to be held.
 */
export async function isHeldByAgent(cookie: string, otherwise: string): Promise<boolean> {
  for (const folder of [LOCKS, otherwise]) {
    const text = await readIfThere(lockPath(folder, cookie)).catch(() => undefined);
    if (text !== undefined) return text.startsWith("agent");
  }
  return false;
}

/** Where the socket of an agent may be, in the order in which to try. `otherwise` as in lockNamespace. */
export function agentSockets(cookie: string, otherwise: string): string[] {
  return [...new Set([LOCKS, otherwise])].map((folder) => socketPath(folder, cookie));
}

function lockPath(folder: string, cookie: string): string {
  return join(folder, `net-${cookie}.lock`);
}

function socketPath(folder: string, cookie: string): string {
  return join(folder, `agent-${cookie}.sock`);
}

async function lockFile(folder: string, path: string, cookie: string, holder: Holder): Promise<Lock | undefined> {
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
      // On a full disk the lock holds all the same; who asks takes the holder for a command.
      await file.truncate(0).catch(() => {});
      await file.write(`${holder} ${process.pid}\n`, 0).catch(() => {});
      return {
        socket: socketPath(folder, cookie),
        async release() {
          await unlink(path).catch(() => {});
          await file.close();
        },
      };
    }
    await file.close();
  }
}
