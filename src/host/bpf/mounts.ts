// Owns where bpffs and the cgroup v2 hierarchy are mounted, and mounting them where they are not.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { HostError } from "../error.ts";
import { parseMounts } from "../mounts.ts";
import type { Mount } from "../mounts.ts";
import { programPath } from "../program.ts";

/** Numbers by which file systems are known (include/uapi/linux/magic.h). */
const BPFFS = 0xcafe4a11;
const CGROUP2 = 0x63677270;

/** Where bpffs belongs, and where heddle puts one when that cannot be had. */
const BPFFS_PLACES = ["/sys/fs/bpf", "/run/heddle/bpf"];
/** Where a cgroup v2 hierarchy is mounted on a host that shows cgroups of version 1 only. */
const CGROUP_PLACE = "/run/heddle/cgroup2";

function mounts(type: string): Mount[] {
  return parseMounts(readFileSync("/proc/self/mountinfo", "utf8")).filter((mount) => mount.type === type);
}

/** Whether a file system of that kind is what one sees at the path: a mount may be hidden by another. */
function shows(path: string, magic: number): boolean {
  try {
    return statfsSync(path).type === magic;
  } catch {
    return false;
  }
}

/** Mounted bpffs that can be written to, heddle's places first; `subfolder` below one brings it before all others. */
export function findBpffs(subfolder: string): string | undefined {
  const found = mounts("bpf").filter(({ point, readOnly }) => !readOnly && shows(point, BPFFS));
  const points = [...new Set([...BPFFS_PLACES, ...found.map(({ point }) => point)])].filter((place) =>
    found.some(({ point }) => point === place),
  );
  return points.find((point) => existsSync(join(point, subfolder))) ?? points[0];
}

/** The same, mounted where there is none. Throws HostError. */
export async function needBpffs(subfolder: string): Promise<string> {
  const found = findBpffs(subfolder);
  if (found !== undefined) return found;
  let refused: unknown;
  for (const place of BPFFS_PLACES) {
    try {
      await mount("bpf", "mode=700", place);
      return place;
    } catch (error) {
      refused = error;
    }
  }
  throw refused;
}

/**
 * The cgroup v2 hierarchy from its root: /sys/fs/cgroup, /sys/fs/cgroup/unified on hybrid hosts, or mounted by heddle on
 * hosts that have version 1 only. In a container that cannot see the root, the top of what it sees. Throws HostError.
 */
export async function needCgroupRoot(): Promise<string> {
  const found = mounts("cgroup2").filter(({ point }) => shows(point, CGROUP2));
  // The root of the hierarchy is its inode 1 (kernfs), whatever a cgroup namespace calls it.
  const whole = found.find(({ point }) => statSync(point).ino === 1) ?? found.find(({ root }) => root === "/");
  if (whole) return whole.point;
  const [part] = found;
  if (part) return part.point;
  await mount("cgroup2", "", CGROUP_PLACE);
  return CGROUP_PLACE;
}

async function mount(type: string, options: string, place: string): Promise<void> {
  const words = ["-t", type, "-o", ["nosuid", "nodev", "noexec", ...(options ? [options] : [])].join(","), type, place];
  const path = programPath();
  try {
    mkdirSync(place, { recursive: true, mode: 0o755 });
    await promisify(execFile)("mount", words, { env: { PATH: path.join(delimiter), LC_ALL: "C" }, timeout: 30_000 });
  } catch (error) {
    const { code, stderr, message } = error as Error & { code?: string | number; stderr?: string };
    const missing = code === "ENOENT" && stderr === undefined;
    const kernelMessage = (stderr ?? message).trim().split("\n").at(-1) ?? "";
    const errno = missing ? constants.errno.ENOENT : constants.errno.EPERM;
    throw new HostError({ errno, object: `mount of ${type} at ${place}`, kernelMessage });
  }
}
