// Owns the removal of a lab: its processes, namespaces and files, by whoever asks and however far it was built.
import { readFile } from "node:fs/promises";
import { must, waitFor } from "./child.ts";
import { removeConfines } from "./confines.ts";
import { LabError } from "./lab-error.ts";
import { NETNS_FOLDER } from "./names.ts";
import { readFolder, readState, removeState } from "./state.ts";

/** Removes a lab. True when there was something to remove; no lab of that name is no error. */
export async function takeDown(name: string): Promise<boolean> {
  const record = await readState(name);
  if (record) {
    await endProcesses(record.id);
    await removeConfines(record);
    const pinned = new Set(await readFolder(NETNS_FOLDER));
    const lines = record.namespaces.filter((namespace) => pinned.has(namespace)).map((ns) => `netns delete ${ns}\n`);
    if (lines.length > 0) await must(["ip", "-batch", "-"], { input: lines.join("") });
  }
  await removeState(name);
  return record !== undefined;
}

/** Ends every process that was started with HEDDLE_LAB=<id>, and waits until they are gone. */
async function endProcesses(id: string): Promise<void> {
  await waitFor(`the processes of the lab to end`, async () => {
    const pids = await processesOf(id);
    for (const pid of pids) endOne(pid);
    return pids.length === 0 ? true : undefined;
  });
}

function endOne(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EPERM") throw new LabError(`process ${pid} of the lab belongs to somebody else`, { cause: error });
    if (code !== "ESRCH") throw error;
  }
}

/** Pids of the processes of a lab. Never this process itself, should it run inside of one. */
export async function processesOf(id: string): Promise<number[]> {
  const mark = `HEDDLE_LAB=${id}`;
  const pids = (await readFolder("/proc")).filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        return (await readFile(`/proc/${pid}/environ`, "utf8")).split("\0").includes(mark) ? [Number(pid)] : [];
      } catch {
        return []; // It has ended meanwhile, or is another user's: then it is not the lab's.
      }
    }),
  );
  return found.flat();
}
