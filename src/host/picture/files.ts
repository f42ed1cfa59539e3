// Owns the reading of a host's configuration files for a diagnosis: bounded, plain files only, below a root.
import { constants } from "node:fs";
import { lstat, open, readdir, readlink, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PictureWishes } from "../../model/picture.ts";

/** Larger files are left out, in bytes. */
export const MOST_BYTES = 1024 * 1024;

/** Entries of a directory that are looked at; those after them, in the order of their names, are left out. */
export const MOST_ENTRIES = 500;

/** What was read of the files, and what could not be. */
export interface FilesSeen {
  files: Record<string, string>;
  unseen: { what: string; why: string }[];
}

/** Reads what is wished for below a root ("/" for the host's own files). What is not there is no trouble. */
export async function readFiles(root: string, wishes: PictureWishes): Promise<FilesSeen> {
  const seen: FilesSeen = { files: {}, unseen: [] };
  for (const path of wishes.texts) await keepText(root, path, seen);
  for (const directory of wishes.directories) {
    const names = await list(root, directory, seen);
    for (const name of names.filter((one) => one.endsWith(".conf"))) await keepText(root, `${directory}/${name}`, seen);
  }
  for (const path of wishes.markers) if (await isThere(join(root, path))) seen.files[path] = "";
  await keepEnabled(root, wishes, seen);
  return seen;
}

async function keepText(root: string, path: string, seen: FilesSeen): Promise<void> {
  const text = await readText(root, path);
  if (typeof text === "string") seen.files[path] = text;
  else if (text !== undefined) seen.unseen.push({ what: path, why: text.why });
}

/**
 * The text of a plain file below the root; undefined where there is none; why not where it cannot be read. A link to
 * /dev/null, as systemd hides a file by, is an empty text. Nothing but a plain file is ever opened: opening a device or
 * a FIFO can wait for ever, or do something.
 */
export async function readText(root: string, path: string): Promise<string | { why: string } | undefined> {
  const full = join(root, path);
  try {
    if (await isHidden(full)) return "";
    const place = await realpath(full);
    const inside = await realpath(root);
    if (inside !== "/" && !place.startsWith(`${inside}/`)) return { why: `It is a link out of ${root}.` };
    if (!(await stat(place)).isFile()) return { why: "It is not a plain file." };
    // Whatever takes its place now is not waited for, and not read unless it is a plain file too.
    const file = await open(
      place,
      constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY,
    );
    try {
      if (!(await file.stat()).isFile()) return { why: "It is not a plain file." };
      const buffer = Buffer.allocUnsafe(MOST_BYTES + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
        length += bytesRead;
        if (bytesRead === 0 || length > MOST_BYTES) break;
      }
      if (length > MOST_BYTES) return { why: `It has more than ${MOST_BYTES} bytes.` };
      return buffer.toString("utf8", 0, length);
    } finally {
      await file.close();
    }
  } catch (error) {
    return isAbsent(error) ? undefined : { why: explain(error) };
  }
}

/** Names in a directory below the root, in order and not more than MOST_ENTRIES; none where it cannot be read. */
export async function readNames(root: string, directory: string): Promise<string[]> {
  return list(root, directory, { files: {}, unseen: [] });
}

/** Names in a directory, in order; none where there is none. */
async function list(root: string, directory: string, seen: FilesSeen): Promise<string[]> {
  try {
    const names = (await readdir(join(root, directory))).sort();
    if (names.length > MOST_ENTRIES) seen.unseen.push({ what: directory, why: `It has ${names.length} entries.` });
    return names.slice(0, MOST_ENTRIES);
  } catch (error) {
    if (!isAbsent(error)) seen.unseen.push({ what: directory, why: explain(error) });
    return [];
  }
}

/** The links that `systemctl enable` made for the services; a service that is masked is not enabled by them. */
async function keepEnabled(root: string, wishes: PictureWishes, seen: FilesSeen): Promise<void> {
  const masked = new Set<string>();
  for (const service of wishes.services) {
    for (const directory of wishes.unitDirectories) {
      if (await isHidden(join(root, directory, service))) masked.add(service);
    }
  }
  for (const directory of wishes.unitDirectories) {
    const targets = (await list(root, directory, seen)).filter((name) => /\.(wants|requires)$/.test(name));
    for (const target of targets) {
      for (const service of wishes.services) {
        const path = `${directory}/${target}/${service}`;
        if (!masked.has(service) && (await isThere(join(root, path)))) seen.files[path] = "";
      }
    }
  }
}

/** Whether something is there, a link that leads nowhere too. */
export async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Whether it is a link to /dev/null. */
async function isHidden(path: string): Promise<boolean> {
  return readlink(path).then(
    (target) => target === "/dev/null",
    () => false,
  );
}

function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function explain(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EACCES" || code === "EPERM"
    ? "Only root may read it."
    : `It cannot be read (${code ?? String(error)}).`;
}
