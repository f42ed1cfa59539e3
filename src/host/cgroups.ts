// Owns what the kernel calls a control group, and where its directory is.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { parseCgroupKey } from "../model/owners.ts";
import type { WatchedPath } from "./file-watch.ts";
import { readIfThere } from "./ledger/files.ts";
import { parseMounts } from "./mounts.ts";
import type { Mount } from "./mounts.ts";

/** The ids of the control groups that are there, by their keys. */
export async function cgroupIds(keys: readonly string[]): Promise<Record<string, string>> {
  const ids: Record<string, string> = {};
  for (const [key, { top, path }] of await cgroupPlaces(keys)) {
    const id = await idOf(join(top, path));
    if (id !== undefined) ids[key] = id;
  }
  return ids;
}

/** Where the control groups of these keys are or will be; a key whose hierarchy is mounted nowhere is left out. */
export async function cgroupPlaces(keys: readonly string[]): Promise<Map<string, WatchedPath>> {
  const places = new Map<string, WatchedPath>();
  if (keys.length === 0) return places;
  const mounts = parseMounts((await readIfThere("/proc/self/mountinfo")) ?? "");
  for (const key of keys) {
    const { controller, path } = parseCgroupKey(key);
    const mount = mounts.find((one) => isHierarchy(one, controller));
    if (mount) places.set(key, { top: mount.point, path });
  }
  return places;
}

/** Whether a mount shows the hierarchy of a controller of version 1, or the one of version 2 where none is said. */
function isHierarchy({ type, options }: Mount, controller: string | undefined): boolean {
  if (controller === undefined) return type === "cgroup2";
  // One that has only a name ("name=systemd") tells the kernel no place among a task's control groups.
  return type === "cgroup" && options.includes(controller);
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
