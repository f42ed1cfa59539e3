// Owns the file that gives heddle's tables their names, so that `ip rule` reads well; and with it, a second memory of
// the numbers that were drawn, should the first be lost.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { emptyNumbers } from "../../plan/numbers.ts";
import type { Numbers } from "../../plan/numbers.ts";
import { readIfThere, writeWhole } from "./files.ts";

/** The file's name; iproute2 reads every rt_tables.d/*.conf. */
export const NAMES_FILE = "heddle.conf";

/** A table with its name. */
export interface NamedTable {
  id: number;
  /** Without blanks. */
  name: string;
}

const HEADER = `# Names of the tables that heddle drew, and the numbers that it remembers. heddle writes this file anew with
# every apply, and takes it away with \`heddle remove\`.
`;

/** The text of the file: a name a line, and behind each drawn number what it is for. */
export function namesText(tables: readonly NamedTable[], numbers: Numbers): string {
  const named = tables.map(({ id, name }) => `${id}\t${name}`);
  const remembered = Object.entries(numbers).flatMap(([pool, ofPool]) =>
    Object.entries(ofPool).map(([claim, number]) => `# ${pool} ${number} ${claim}`),
  );
  return `${HEADER}${[...named, ...remembered].map((line) => `${line}\n`).join("")}`;
}

/** The numbers that the text remembers. */
export function rememberedNumbers(text: string): Numbers {
  const numbers = emptyNumbers();
  for (const line of text.split("\n")) {
    const [, pool, number, claim] = /^# ([a-z]+) (\d{1,10}) (\S+\/\S+\/\S+)$/.exec(line) ?? [];
    if (pool === undefined || claim === undefined || !Object.hasOwn(numbers, pool)) continue;
    numbers[pool as keyof Numbers][claim] = Number(number);
  }
  return numbers;
}

/** Writes the file below iproute2's directory, or takes it away where there is nothing to name. */
export async function writeNamesFile(
  directory: string,
  tables: readonly NamedTable[],
  numbers: Numbers,
): Promise<void> {
  const path = join(directory, "rt_tables.d", NAMES_FILE);
  const nothing = tables.length === 0 && Object.values(numbers).every((ofPool) => Object.keys(ofPool).length === 0);
  const text = nothing ? undefined : namesText(tables, numbers);
  if (text === (await readIfThere(path))) return;
  if (text === undefined) await rm(path, { force: true });
  else await writeWhole(path, text);
}
