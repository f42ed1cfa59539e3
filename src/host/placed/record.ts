// Owns the memory of an installation: which files heddle placed, and what was in them.
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { RECORD_FILE } from "../../model/placement.ts";
import type { InstallRecord } from "../../model/placement.ts";
import { readText } from "../picture/files.ts";
import { place } from "./place.ts";

const absolute = z.string().check(z.regex(/^\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\0]{1,400}$/));

const recordFile = z.object({
  version: z.literal(1),
  placed: z.array(
    z.union([
      z.object({ path: absolute, sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)) }),
      z.object({ path: absolute, link: z.string() }),
    ]),
  ),
  directories: z.array(absolute),
});

/** SHA-256 of a text, in hexadecimal. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** What was placed below the root; undefined where nothing was, "damaged" where the file cannot be understood. */
export async function readRecord(root: string): Promise<InstallRecord | "damaged" | undefined> {
  const text = await readText(root, RECORD_FILE);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = typeof text === "string" ? JSON.parse(text) : undefined;
  } catch {
    value = undefined;
  }
  const result = recordFile.safeParse(value);
  return result.success ? { placed: result.data.placed, directories: result.data.directories } : "damaged";
}

/** Remembers what was placed. */
export async function writeRecord(root: string, record: InstallRecord): Promise<void> {
  const text = `${JSON.stringify({ version: 1, ...record }, null, 2)}\n`;
  await place(root, { path: RECORD_FILE, mode: 0o644, text });
}

/** Forgets all of it. */
export async function forgetRecord(root: string): Promise<void> {
  await rm(join(root, RECORD_FILE), { force: true });
}
