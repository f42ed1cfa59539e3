// Owns where the hierarchies of control groups are mounted, and what the kernel calls a control group.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { parseCgroupKey } from "../model/owners.ts";
import { readIfThere } from "./ledger/files.ts";

/** One hierarchy, as far as this process sees it. */
export interface CgroupMount {
  /**
   * Controllers of a hierarchy of version 1 ("freezer"), none of one that has only a name ("systemd"); absent for the one of
   * version 2.
   */
  controllers?: string[];
  /** Where its root is mounted, or the control group that this process takes for the root. */
  point: string;
}

/**
 * The hierarchies in /proc/self/mountinfo (proc_pid_mountinfo(5)). Where one is mounted more than once, the first mount
 * counts.
 */
export function cgroupMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split("\n")) {
    const [before, after] = line.split(" - ");
    const point = before?.split(" ")[4];
    const [type, , options] = after?.split(" ") ?? [];
    if (point === undefined || (type !== "cgroup" && type !== "cgroup2")) continue;
    const path = unescapePath(point);
    if (type === "cgroup2") mounts.push({ point: path });
    // A name tells the kernel no place among a task's control groups.
    else
      mounts.push({ point: path, controllers: (options ?? "").split(",").filter((one) => !one.startsWith("name=")) });
  }
  return mounts;
}

/** Spaces and the like are written as octal numbers. */
function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The ids of the control groups that are there, by their keys. */
export async function cgroupIds(keys: readonly string[]): Promise<Record<string, string>> {
  const ids: Record<string, string> = {};
  if (keys.length === 0) return ids;
  const mounts = cgroupMounts((await readIfThere("/proc/self/mountinfo")) ?? "");
  for (const key of keys) {
    const { controller, path } = parseCgroupKey(key);
    const mount = mounts.find(({ controllers }) =>
      controller === undefined ? controllers === undefined : controllers?.includes(controller),
    );
    const id = mount && (await idOf(join(mount.point, path)));
    if (id !== undefined) ids[key] = id;
  }
  return ids;
}

/** The kernel's id of a control group is the inode of its directory (kernfs_ino, 64-bit kernels from 5.5 on). */
async function idOf(directory: string): Promise<string | undefined> {
  try {
    const found = await stat(directory, { bigint: true });
    return found.isDirectory() ? String(found.ino) : undefined;
  } catch {
    return undefined;
  }
}
