// Owns the users of a lab's hosts: their passwd and group files, and how a command comes to run as one of them.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LabError } from "./lab-error.ts";
import type { HostPlace, User } from "./schema.ts";
import type { Topology } from "./topology.ts";

/** Lines of passwd and group that a host has beyond the machine's own. Pure. */
export function userFiles(topology: Topology, host: string): { passwd: string; group: string } | undefined {
  const place = topology.hosts[host];
  const users = Object.entries(place?.users ?? {});
  if (users.length === 0) return undefined;
  const groups: Record<string, number> = { ...topology.groups, ...place?.groups };
  for (const [name, user] of users) if (user.group === undefined) groups[name] ??= user.uid;
  const passwd = users.map(([name, user]) => `${name}:x:${user.uid}:${gidOf(name, user, groups)}:${name}:/:/bin/sh`);
  const group = Object.entries(groups).map(([name, gid]) => {
    const members = users.filter(([, user]) => user.groups?.includes(name)).map(([member]) => member);
    return `${name}:x:${gid}:${members.join(",")}`;
  });
  return { passwd: `${passwd.join("\n")}\n`, group: `${group.join("\n")}\n` };
}

function gidOf(name: string, user: User, groups: Readonly<Record<string, number>>): number {
  return groups[user.group ?? name] ?? user.uid;
}

/** Writes <folder>/<host>.passwd and .group: the lab's users first, then the machine's own. */
export async function writeUserFiles(topology: Topology, host: string, folder: string): Promise<void> {
  const own = userFiles(topology, host);
  if (!own) return;
  for (const kind of ["passwd", "group"] as const) {
    await writeFile(join(folder, `${host}.${kind}`), own[kind] + (await readFile(`/etc/${kind}`, "utf8")), {
      mode: 0o644,
    });
  }
}

/** Whether the host has users of its own, and with them all that confines.ts gives. */
export function hasUsers(host: HostPlace): boolean {
  return Object.keys(host.users ?? {}).length > 0;
}

/** Words before a command that make it run as the user, with the user's groups and without capabilities. */
export function becomeUserPrefix(topology: Topology, host: string, name: string): string[] {
  const place = topology.hosts[host];
  const user = place?.users?.[name];
  if (!user) throw new LabError(`host ${host} has no user ${name}`);
  const gid = gidOf(name, user, { ...topology.groups, ...place?.groups });
  const identity = [`--reuid=${user.uid}`, `--regid=${gid}`, "--init-groups"];
  return ["setpriv", ...identity, "--inh-caps=-all", "--pdeathsig=SIGKILL", "--"];
}

/** LabError unless this process may become other users: not in a user namespace that knows root alone. */
export async function assertOtherUsers(uid: number): Promise<void> {
  const map = await readFile("/proc/self/uid_map", "utf8");
  const known = map
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .some(([first = 0, , length = 0]) => uid >= first && uid < first + length);
  const groups = await readFile("/proc/self/setgroups", "utf8");
  if (known && groups.trim() === "allow") return;
  throw new LabError(`there is no uid ${uid} here, so nothing can run as it`, {
    remedy: "Commands as a user of the lab need real root: a user namespace of one's own has root alone.",
  });
}
