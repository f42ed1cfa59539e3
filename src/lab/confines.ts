// Owns what a host with users has of its own besides its network: the files that name the users, and, where this process
// is real root, control groups and a BPF file system. To a program inside, its own control group is the root of all.
import { mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { must } from "./child.ts";
import { LabError } from "./lab-error.ts";
import { labFolder, readFolder, type LabRecord } from "./state.ts";

/** A control group below that of the host: parts of names, without "..". */
export const CGROUP_NAME = /^(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.@-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.@-]+)*$/;

/** What a lab has that is not in a network namespace; kept in its record, so that anybody can take it away. */
export interface Confines {
  /** Where control groups of version 2 are mounted. */
  cgroupRoot: string;
  /** Folder of the control groups of the lab's hosts. */
  cgroups: string;
}

/** Where the control groups of a lab will be; undefined where this process may not make any. */
export async function planConfines(id: string): Promise<Confines | undefined> {
  const [, unique = ""] = id.split("/");
  const map = (await readFile("/proc/self/uid_map", "utf8")).trim().split(/\s+/);
  if (process.geteuid?.() !== 0 || map[0] !== "0" || map[2] !== "4294967295") return undefined;
  const cgroupRoot = (await must(["findmnt", "-n", "-f", "-o", "TARGET", "-t", "cgroup2"])).trim();
  return { cgroupRoot, cgroups: join(cgroupRoot, `heddle-lab-${unique}`) };
}

/** Makes the control group and the BPF file system of a host. */
export async function buildConfines(record: LabRecord, host: string): Promise<void> {
  if (!record.confines) return;
  await mkdir(join(record.confines.cgroups, host), { recursive: true });
  const pins = pinsFolder(record.name, host);
  await mkdir(pins, { recursive: true });
  await must(["mount", "-t", "bpf", "bpf", pins]);
}

/** Takes away what buildConfines made, however far it came. The lab's processes have ended. */
export async function removeConfines(record: LabRecord): Promise<void> {
  if (!record.confines) return;
  // Programs that are pinned there end with it.
  for (const host of await readFolder(join(labFolder(record.name), "pins"))) {
    await must(["umount", "--quiet", pinsFolder(record.name, host)]).catch((error: unknown) => {
      if (!/not mounted/.test(String(error))) throw error;
    });
  }
  await removeGroups(record.confines.cgroups);
}

/** Control groups go from the innermost outwards. */
async function removeGroups(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!entries) return;
  for (const entry of entries) if (entry.isDirectory()) await removeGroups(join(directory, entry.name));
  await rmdir(directory);
}

function pinsFolder(lab: string, host: string): string {
  return join(labFolder(lab), "pins", host);
}

// The words of these scripts are arguments, never text of the script: nothing that a topology says is read by the shell.
const USERS = 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec "$@"';
const GROUPS =
  'mount --bind "$1" /sys/fs/bpf && echo 0 >"$2/cgroup.procs" && shift 2 && exec unshare --cgroup -- sh -c "$@"';
const INSIDE =
  'umount -l "$1" && mount -t cgroup2 none "$1" && { [ -z "$2" ] || { mkdir -p "$1/$2" && echo 0 >"$1/$2/cgroup.procs"; }; } && shift 2 && exec "$@"';

/**
 * Words before a command that let it see what its host has of its own, in a mount namespace of its own; `cgroup` is a
 * control group below the host's, made where it is not there. LabError where the lab has no control groups.
 */
export function confinesPrefix(record: LabRecord, host: string, cgroup: string | undefined): string[] {
  const users = join(labFolder(record.name), "users", host);
  const own = ["unshare", "--mount", "--", "sh", "-c", USERS, "sh", `${users}.passwd`, `${users}.group`];
  const { confines } = record;
  if (!confines) {
    if (cgroup === undefined) return own;
    throw new LabError(`host ${host} has no control groups, so nothing can run in ${cgroup}`, {
      remedy: "Control groups of the lab need real root.",
    });
  }
  const pins = pinsFolder(record.name, host);
  const groups = ["sh", "-c", GROUPS, "sh", pins, join(confines.cgroups, host), INSIDE];
  return [...own, ...groups, "sh", confines.cgroupRoot, cgroup ?? ""];
}
