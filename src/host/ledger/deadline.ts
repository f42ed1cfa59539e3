// Owns what is applied for a while only: the file, and when it is to be undone unless somebody confirms it.
import { rm } from "node:fs/promises";
import { uptime } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { readIfThere, writeWhole } from "./files.ts";

const pendingFile = z.object({
  version: z.literal(1),
  boot: z.string(),
  /** Tells it from any other. */
  token: z.string(),
  /** Milliseconds since the boot, a clock that nobody sets. */
  until: z.number(),
  file: z.string(),
  /** Absent where it asks for nothing. */
  text: z.optional(z.string()),
  /** The texts of the files that it names, by path. */
  beside: z.optional(z.record(z.string(), z.string())),
  by: z.number(),
  summary: z.string(),
});

/** A file that waits for its confirmation. */
export type Pending = Omit<z.output<typeof pendingFile>, "version" | "boot">;

/** Milliseconds since the boot, time asleep included. */
export function sinceBootMs(): number {
  return Math.round(uptime() * 1000);
}

/** The deadline of one network namespace. One from before a reboot is none: the boot loads what is confirmed. */
export class Deadline {
  readonly #path: string;
  readonly #boot: string;

  constructor(run: string, cookie: string, boot: string) {
    this.#path = join(run, `pending-${cookie}.json`);
    this.#boot = boot;
  }

  /** What waits; undefined when nothing does. A file that cannot be read is none: what is confirmed holds. */
  async read(): Promise<Pending | undefined> {
    const text = await readIfThere(this.#path);
    if (text === undefined) return undefined;
    try {
      const result = pendingFile.safeParse(JSON.parse(text));
      if (!result.success || result.data.boot !== this.#boot) return undefined;
      const { version: _1, boot: _2, ...pending } = result.data;
      return pending;
    } catch {
      return undefined;
    }
  }

  async write(pending: Pending): Promise<void> {
    await writeWhole(this.#path, `${JSON.stringify({ version: 1, boot: this.#boot, ...pending })}\n`);
  }

  async clear(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}
