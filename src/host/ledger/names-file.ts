// Owns the file in which heddle's tables have their names (plan/names-text.ts).
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { NamedTable } from "../../plan/name-tables.ts";
import { namesText } from "../../plan/names-text.ts";
import type { Numbers } from "../../plan/numbers.ts";
import { readIfThere, writeWhole } from "./files.ts";

/** The file's name; iproute2 reads every rt_tables.d/*.conf. */
export const NAMES_FILE = "heddle.conf";

const HEADER = `# Names of the tables that heddle drew, and the numbers that it remembers. heddle writes this file anew with
# every apply, and takes it away with \`heddle remove\`.
`;

/** Writes the file below iproute2's directory, or takes it away where there is nothing to name. */
export async function writeNamesFile(
  directory: string,
  tables: readonly NamedTable[],
  numbers: Numbers,
): Promise<void> {
  const path = join(directory, "rt_tables.d", NAMES_FILE);
  const nothing = tables.length === 0 && Object.values(numbers).every((ofPool) => Object.keys(ofPool).length === 0);
  const text = nothing ? undefined : namesText(HEADER, tables, numbers);
  if (text === (await readIfThere(path))) return;
  if (text === undefined) await rm(path, { force: true });
  else await writeWhole(path, text);
}
