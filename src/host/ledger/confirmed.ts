// Owns the files that were confirmed: what the boot and the agent load, and the history behind it.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { areSameTexts } from "../../model/texts.ts";
import { readIfThere, writeWhole } from "./files.ts";

/** Files that are kept… */
const MOST = 20;
/** …and how much text they may have together, the last one aside, in characters. */
const MOST_TEXT = 16 * 1024 * 1024;

const confirmedFile = z.object({
  version: z.literal(1),
  /** When, as ISO 8601 by the clock of the host. */
  at: z.string(),
  /** User id of whoever confirmed it: of the login, where the kernel knows that. */
  by: z.number(),
  /** Path that the text was read from, for messages. */
  file: z.string(),
  /** The text; absent where heddle was told to take everything away. */
  text: z.optional(z.string()),
  /** The texts of the files that it names, by path. */
  beside: z.optional(z.record(z.string(), z.string())),
  /** What it changed, in a line. */
  summary: z.string(),
});

/** What was confirmed, without its place in the history. */
export type Confirmation = Omit<z.output<typeof confirmedFile>, "version">;

/** One that is kept. Serial numbers rise, and are not given twice. */
export interface Confirmed extends Confirmation {
  serial: number;
}

/**
 * The confirmed files, below a folder that a reboot keeps: one file each, written whole, so that to confirm is one
 * rename. The highest number is what is in force.
 */
export class ConfirmedFiles {
  readonly #folder: string;

  /** `lib`: the folder of state that a reboot keeps. */
  constructor(lib: string) {
    this.#folder = join(lib, "confirmed");
  }

  /** All of them, the latest first, with a warning for each that cannot be read. */
  async list(): Promise<{ confirmed: Confirmed[]; diagnostics: Diagnostic[] }> {
    const confirmed: Confirmed[] = [];
    const diagnostics: Diagnostic[] = [];
    for (const serial of (await this.#serials()).toReversed()) {
      const entry = await this.#read(serial);
      if (entry) confirmed.push(entry);
      else diagnostics.push(unreadable(this.#path(serial)));
    }
    return { confirmed, diagnostics };
  }

  /** What is in force: the latest that can be read; undefined when nothing was ever confirmed. */
  async current(): Promise<{ confirmed?: Confirmed; diagnostics: Diagnostic[] }> {
    const diagnostics: Diagnostic[] = [];
    for (const serial of (await this.#serials()).toReversed()) {
      const confirmed = await this.#read(serial);
      if (confirmed) return { confirmed, diagnostics };
      diagnostics.push(unreadable(this.#path(serial)));
    }
    return { diagnostics };
  }

  /** Puts one into force. The same text again makes no new entry. Rejects where it cannot be written. */
  async add(confirmation: Confirmation): Promise<Confirmed> {
    const { confirmed: last } = await this.current();
    if (last && areSameTexts(last, confirmation) && last.file === confirmation.file) return last;
    const serials = await this.#serials();
    const serial = (serials.at(-1) ?? 0) + 1;
    await writeWhole(this.#path(serial), `${JSON.stringify({ version: 1, ...confirmation })}\n`);
    await this.#prune([...serials, serial]);
    return { serial, ...confirmation };
  }

  async #prune(serials: readonly number[]): Promise<void> {
    let text = 0;
    for (const [age, serial] of serials.toReversed().entries()) {
      if (age > 0) text += (await readIfThere(this.#path(serial)))?.length ?? 0;
      // What cannot be taken away now is tried again the next time.
      if (age >= MOST || text > MOST_TEXT) await rm(this.#path(serial), { force: true }).catch(() => {});
    }
  }

  async #read(serial: number): Promise<Confirmed | undefined> {
    try {
      const value: unknown = JSON.parse((await readIfThere(this.#path(serial))) ?? "");
      const result = confirmedFile.safeParse(value);
      if (!result.success) return undefined;
      const { version: _, ...confirmation } = result.data;
      return { serial, ...confirmation };
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** Rising. */
  async #serials(): Promise<number[]> {
    let names: string[];
    try {
      names = await readdir(this.#folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
    return names
      .flatMap((name) => /^(\d{1,15})\.json$/.exec(name)?.[1] ?? [])
      .map(Number)
      .toSorted((a, b) => a - b);
  }

  #path(serial: number): string {
    return join(this.#folder, `${String(serial).padStart(6, "0")}.json`);
  }
}

function unreadable(path: string): Diagnostic {
  return {
    code: "state-unreadable",
    severity: "warning",
    summary: `${path} cannot be read`,
    detail: "It is damaged or from a later version of heddle. The confirmed file before it takes its place.",
    remedy: "Apply the file again.",
  };
}
