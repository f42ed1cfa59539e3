// Owns the question who a name is: users and groups by the system's name service, control groups by the kernel.
import { execFile } from "node:child_process";
import { LAST_ID } from "../model/owners.ts";
import type { OwnerNames, Owners } from "../model/owners.ts";
import { cgroupIds } from "./cgroups.ts";
import { findProgram } from "./program.ts";

/** Names in one question; a file may have thousands. */
const MOST_NAMES = 500;
/** An entry of a group may list thousands of members. */
const MOST_OUTPUT = 64 * 1024 * 1024;
/** A name service that does not answer, as a directory server that is down, must not hold up everything else. */
const MOST_MS = 10_000;

/** For how long an answer is believed: a directory server is not asked anew at every look of an agent. */
const BELIEVED_MS = 60_000;
/** After how long a name that nobody knew is asked for again: the name service may have come up. */
const ASK_AGAIN_MS = 5000;

type Database = "passwd" | "group";

/** A look-up that remembers what it was told, and asks anew after a while. Control groups are looked at every time. */
export function ownersLookUp(): (names: OwnerNames, anew?: "anew") => Promise<Owners> {
  const known = { passwd: new Map<string, Told>(), group: new Map<string, Told>() };
  const look = async (database: Database, names: readonly string[]): Promise<Record<string, number>> => {
    const told = known[database];
    const learn = async (asked: readonly string[]): Promise<void> => {
      const found = asked.length > 0 ? await lookUp(database, asked) : {};
      for (const name of asked) {
        const id = Object.hasOwn(found, name) ? found[name] : undefined;
        told.set(name, { id, until: performance.now() + (id === undefined ? ASK_AGAIN_MS : BELIEVED_MS) });
      }
    };
    const now = performance.now();
    const stale = names.filter((name) => (told.get(name)?.until ?? Infinity) <= now);
    // A repair does not wait for a directory server that is down: what was told before holds until the answer is here.
    for (const name of stale) told.set(name, { id: told.get(name)?.id, until: now + BELIEVED_MS });
    void learn(stale).catch(() => {});
    await learn(names.filter((name) => !told.has(name)));
    return Object.fromEntries(
      names.flatMap((name) => {
        const id = told.get(name)?.id;
        return id === undefined ? [] : [[name, id] as const];
      }),
    );
  };
  return async (names, anew) => {
    if (anew) for (const told of Object.values(known)) told.clear();
    const [users, groups, cgroups] = await Promise.all([
      look("passwd", names.users),
      look("group", names.groups),
      cgroupIds(names.cgroups),
    ]);
    return { users, groups, cgroups };
  };
}

interface Told {
  id: number | undefined;
  /** In the milliseconds of performance.now(). */
  until: number;
}

/**
 * Ids by name. getent(1) asks whatever nsswitch.conf names, in a process of its own: modules of the name service are
 * never loaded here. Throws HostError where there is no getent.
 */
async function lookUp(database: Database, names: readonly string[]): Promise<Record<string, number>> {
  const ids: Record<string, number> = {};
  let strange = false;
  for (let at = 0; at < names.length; at += MOST_NAMES) {
    const asked = names.slice(at, at + MOST_NAMES);
    const text = await ask(database, asked);
    const entries = parseEntries(text, asked);
    strange ||= text.split("\n").filter((line) => line !== "").length > Object.keys(entries).length;
    Object.assign(ids, entries);
  }
  // A directory may spell a name otherwise than it was asked for ("alice" for "alice@site"): then only one question tells.
  const left = strange ? names.filter((name) => !Object.hasOwn(ids, name)) : [];
  for (const name of left) {
    const id = parseEntry(await ask(database, [name]))?.id;
    if (id !== undefined) ids[name] = id;
  }
  return ids;
}

const ENTRY = /^([^:\n]*):[^:\n]*:(\d{1,10}):/;

/** Name and id of the first line; undefined where it is none, or its id cannot be anybody's. */
function parseEntry(text: string): { name: string; id: number } | undefined {
  const [, name, id] = ENTRY.exec(text) ?? [];
  return name === undefined || Number(id) > LAST_ID ? undefined : { name, id: Number(id) };
}

/** Lines of "name:password:id:…" (passwd(5), group(5)) whose names were asked for. */
export function parseEntries(text: string, asked: readonly string[]): Record<string, number> {
  const wanted = new Set(asked);
  const ids: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const entry = parseEntry(line);
    if (entry && wanted.has(entry.name) && !Object.hasOwn(ids, entry.name)) ids[entry.name] = entry.id;
  }
  return ids;
}

/** What getent prints; nothing where it knows none of the names, or no service answers in time. */
async function ask(database: Database, names: readonly string[]): Promise<string> {
  const getent = findProgram("getent", "libc-bin");
  const options = { encoding: "utf8", maxBuffer: MOST_OUTPUT, timeout: MOST_MS, killSignal: "SIGKILL" } as const;
  return new Promise((resolve) => {
    // Exit code 2 says that some were not found; those that were are printed all the same.
    execFile(getent, [database, "--", ...names], { ...options, env: { LC_ALL: "C" } }, (_error, stdout) =>
      resolve(stdout),
    );
  });
}
