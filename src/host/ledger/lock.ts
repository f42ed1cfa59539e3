// Owns the one-writer rule: an advisory lock that the kernel drops when its holder dies, however it dies.
import { constants } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { tryLock } from "../native.ts";

/** A lock that is held. */
export interface Lock {
  release(): Promise<void>;
}

/** Takes the lock of the file, which is made where it is missing; undefined when somebody else holds it. */
export async function lockExclusively(path: string): Promise<Lock | undefined> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  if (tryLock(file.fd)) return { release: () => file.close() };
  await file.close();
  return undefined;
}
