// Owns the question who is behind a process: the user who logged in, whatever sudo made of him.
import { readFileSync } from "node:fs";

/** What the kernel says of a process that nobody logged in for: (uid_t) -1. */
const NOBODY = 4294967295;

/** User id of the login that a process belongs to (/proc/PID/loginuid, audit); undefined where there is none. */
export function loginOf(pid: number | "self"): number | undefined {
  try {
    const uid = Number(readFileSync(`/proc/${pid}/loginuid`, "utf8"));
    return Number.isInteger(uid) && uid !== NOBODY ? uid : undefined;
  } catch {
    return undefined;
  }
}
