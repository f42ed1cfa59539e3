// Owns the numbers of users and groups by their names, as the host's own databases have them, directories of a site too.
import { execFile } from "node:child_process";

/** getent may ask a server. */
const MOST_MS = 10_000;

/** The number of a user or a group; a number is its own. Undefined where there is nobody of the name. */
export async function accountNumber(database: "passwd" | "group", name: string): Promise<number | undefined> {
  if (/^\d{1,10}$/.test(name)) return Number(name) <= 0xfffffffe ? Number(name) : undefined;
  // A name that begins with a hyphen would be an option.
  if (!/^[^-:\s][^:\s]{0,255}$/.test(name)) return undefined;
  return numberIn((await ask(database, name))?.split(":")[2]);
}

/** Groups of a user: the one that is a process's own after a login, and all of them. */
export interface UserGroups {
  own: number;
  all: number[];
}

/** The groups of a user by name or number; undefined where there is nobody of that, or the groups are not known. */
export async function groupsOf(user: string): Promise<UserGroups | undefined> {
  if (!/^[^-:\s][^:\s]{0,255}$/.test(user)) return undefined;
  const [name, , , group] = (await ask("passwd", user))?.split(":") ?? [];
  const own = numberIn(group);
  const listed = name === undefined ? undefined : await ask("initgroups", name);
  if (own === undefined || listed === undefined) return undefined;
  const others = listed
    .split(/\s+/)
    .slice(1)
    .flatMap((word) => numberIn(word) ?? []);
  return { own, all: [...new Set([own, ...others])] };
}

/** The first line of getent's answer. */
async function ask(database: "passwd" | "group" | "initgroups", key: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: MOST_MS, encoding: "utf8" } as const;
    execFile("getent", [database, key], options, (error, stdout) => resolve(error ? undefined : stdout.split("\n")[0]));
  });
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
