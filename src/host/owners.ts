// Owns the question who a name is: users and groups by the system's name service, control groups by the kernel.
import { execFile } from "node:child_process";
import type { OwnerNames, Owners } from "../model/owners.ts";
import { cgroupIds } from "./cgroups.ts";
import { findProgram } from "./program.ts";

/** Names in one question; a file may have thousands. */
const MOST_NAMES = 500;
/** An entry of a group may list thousands of members. */
const MOST_OUTPUT = 64 * 1024 * 1024;
/** A name service that does not answer, as a directory server that is down, must not hold up everything else. */
const MOST_MS = 10_000;

/** Looks all of them up. Those that are not known are left out. Throws HostError where there is no getent. */
export async function lookUpOwners(names: OwnerNames): Promise<Owners> {
  const [users, groups, cgroups] = await Promise.all([
    lookUp("passwd", names.users),
    lookUp("group", names.groups),
    cgroupIds(names.cgroups),
  ]);
  return { users, groups, cgroups };
}

/**
 * Ids by name. getent(1) asks whatever nsswitch.conf names, in a process of its own: modules of the name service are
 * never loaded here.
 */
async function lookUp(database: "passwd" | "group", names: readonly string[]): Promise<Record<string, number>> {
  const ids: Record<string, number> = {};
  for (let at = 0; at < names.length; at += MOST_NAMES) {
    const asked = names.slice(at, at + MOST_NAMES);
    Object.assign(ids, parseEntries(await ask(database, asked), asked));
  }
  // A directory may spell a name otherwise than it was asked for ("alice" for "alice@site"): then only one question tells.
  for (const name of names.filter((one) => !Object.hasOwn(ids, one))) {
    const id = /^[^:\n]*:[^:\n]*:(\d{1,10}):/.exec(await ask(database, [name]))?.[1];
    if (id !== undefined) ids[name] = Number(id);
  }
  return ids;
}

/** Lines of "name:password:id:…" (passwd(5), group(5)) whose names were asked for. */
export function parseEntries(text: string, asked: readonly string[]): Record<string, number> {
  const wanted = new Set(asked);
  const ids: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const [, name, id] = /^([^:]*):[^:]*:(\d{1,10}):/.exec(line) ?? [];
    if (name !== undefined && wanted.has(name) && !Object.hasOwn(ids, name)) ids[name] = Number(id);
  }
  return ids;
}

/** What getent prints; nothing where it knows none of the names, or no service answers in time. */
async function ask(database: string, names: readonly string[]): Promise<string> {
  const getent = findProgram("getent", "libc-bin");
  const options = { encoding: "utf8", maxBuffer: MOST_OUTPUT, timeout: MOST_MS, killSignal: "SIGKILL" } as const;
  return new Promise((resolve) => {
    // Exit code 2 says that some were not found; those that were are printed all the same.
    execFile(getent, [database, "--", ...names], { ...options, env: { LC_ALL: "C" } }, (_error, stdout) =>
      resolve(stdout),
    );
  });
}
