// Owns the reading of a configuration whose texts were sent or kept: nothing is taken from the disk.
import type { Config } from "../config/config.ts";
import { parseConfig } from "../config/config.ts";
import { besidePath } from "../host/beside.ts";
import type { Outcome } from "../model/diagnostic.ts";
import type { Texts } from "../model/texts.ts";
import { ROLES } from "../roles/index.ts";

/** Reads and checks a configuration of which every text is at hand. */
export function parseTexts({ file, text, beside = {} }: Texts): Outcome<Config> {
  return parseConfig(text, file, ROLES, (name, range) => {
    const path = besidePath(file, name);
    const found = Object.hasOwn(beside, path) ? beside[path] : undefined;
    if (found !== undefined) return { value: { file: path, text: found }, diagnostics: [] };
    const summary = `${path} was not taken along when this was applied`;
    const remedy = "Apply the file again.";
    return { diagnostics: [{ code: "file-unreadable", severity: "error", summary, remedy, range }] };
  });
}

/** The texts by their paths, for messages that point into them. */
export function sourcesOf({ file, text, beside }: Texts): Record<string, string> {
  return { ...beside, [file]: text };
}
