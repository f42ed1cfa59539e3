// Owns the state folder of a lab: what was made, so that another process can remove it whatever happened to this one.
//
//   <root>/<lab>/lab.json            written whole, before anything is made in the kernel
//   <root>/<lab>/hosts/<host>/       HEDDLE_STATE of the commands in that host
//   <root>/<lab>/hosts/<host>.yaml   its heddle.yaml, where the topology holds the text
//   <root>/<lab>/users/<host>.*      its passwd and group
//   <root>/<lab>/pins/<host>/        its BPF file system
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { LabError } from "./lab-error.ts";
import { LAB_NAME, stateRoot } from "./names.ts";

const recordSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  /** Absolute path of the topology file. */
  topology: z.string(),
  /** Environment of every process of this lab: HEDDLE_LAB=<id>. No other lab has it, of any user. */
  id: z.string(),
  namespaces: z.array(z.string()),
  /** Process that made the lab. It may be gone. */
  pid: z.int(),
  /** The lab ends with that process: one that outlived it was killed. */
  transient: z.optional(z.boolean()),
  /** Absent where no host has users, or this process may not make control groups (confines.ts). */
  confines: z.optional(z.strictObject({ cgroupRoot: z.string(), cgroups: z.string() })),
});

/** What lab.json holds. */
export type LabRecord = z.infer<typeof recordSchema>;

/** Folder of a lab. LabError when the name is not one: it becomes a path. */
export function labFolder(name: string): string {
  if (!LAB_NAME.test(name)) {
    throw new LabError(`"${name}" cannot be the name of a lab`, {
      remedy: "Use at most 31 lower-case letters, digits and hyphens.",
    });
  }
  return join(stateRoot(), name);
}

/** Makes the folder of a lab with its record, in one step. LabError when a lab of that name is there already. */
export async function createState(
  record: Omit<LabRecord, "version" | "id" | "pid" | "confines">,
  planConfines: (id: string) => Promise<LabRecord["confines"]>,
): Promise<LabRecord> {
  const id = `${record.name}/${randomUUID()}`;
  const confines = await planConfines(id);
  const whole: LabRecord = { version: 1, ...record, id, pid: process.pid, ...(confines && { confines }) };
  const folder = labFolder(record.name);
  const root = stateRoot();
  await mkdir(root, { recursive: true, mode: 0o755 });
  const draft = await mkdtemp(join(root, `.${record.name}.${process.pid}.`));
  try {
    await writeFile(join(draft, "lab.json"), `${JSON.stringify(whole, null, 2)}\n`);
    await mkdir(join(draft, "hosts"));
    await mkdir(join(draft, "users"));
    // mkdtemp keeps others out; commands that run as a lab's user need to reach their HEDDLE_STATE.
    await chmod(draft, 0o755);
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    throw new LabError(`the lab ${record.name} is there already`, {
      remedy: `Remove it with "heddle lab down --name ${record.name}", or give this one another --name.`,
      cause: error,
    });
  }
  return whole;
}

/** The record of a lab; undefined when there is no such lab. LabError when it cannot be read. */
export async function readState(name: string): Promise<LabRecord | undefined> {
  const path = join(labFolder(name), "lab.json");
  try {
    return recordSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new LabError(`cannot read ${path}`, {
      remedy: "It was made by another version; remove it by hand.",
      cause: error,
    });
  }
}

/** Names of the labs that are there, sorted. */
export async function listState(): Promise<string[]> {
  const names = await readFolder(stateRoot());
  return names.filter((name) => LAB_NAME.test(name)).toSorted();
}

/** Removes the folder of a lab and drafts of it that a killed process left. */
export async function removeState(name: string): Promise<void> {
  await rm(labFolder(name), { recursive: true, force: true });
  for (const entry of await readFolder(stateRoot())) {
    const [, lab, pid = ""] = entry.split(".");
    // A draft of a process that lives is a lab that is about to be.
    if (!entry.startsWith(".") || lab !== name || existsSync(`/proc/${pid}`)) continue;
    await rm(join(stateRoot(), entry), { recursive: true, force: true });
  }
}

/** Names in a folder; none when there is no such folder. */
export async function readFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
