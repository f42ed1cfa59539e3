// Owns the note beside a host's sockets in the folder of a model: which process has the host's place, and as which client
// of ibsim. ibsim does not see that a client was killed, and would refuse the place to the next one for ever.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where the note of a host is; nowhere (undefined) for a model that has a name instead of a folder. */
export function placeNote(folder: string, node: string): string | undefined {
  return folder.startsWith("@") ? undefined : join(folder, `${node}.client`);
}

/** The client that a process which is no more has left at ibsim; undefined where there is none. */
export function deadClient(path: string | undefined): number | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const [, pid, client] = /^(\d{1,10}) (\d{1,3})\n$/.exec(text) ?? [];
  return pid === undefined || isAlive(Number(pid)) ? undefined : Number(client);
}

/** Notes that this process has the place. */
export function writePlaceNote(path: string | undefined, client: number): void {
  if (path !== undefined) writeFileSync(path, `${process.pid} ${client}\n`);
}

export function removePlaceNote(path: string | undefined): void {
  if (path !== undefined) rmSync(path, { force: true });
}

/** Whether the process runs; one that has ended and waits for its parent does not (proc(5), state Z). */
function isAlive(pid: number): boolean {
  try {
    const [, state] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
    return state?.startsWith("Z") !== true;
  } catch {
    return false;
  }
}
