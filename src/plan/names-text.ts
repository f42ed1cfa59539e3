// Owns the text of the file that gives heddle's tables their names, so that `ip rule` reads well; and with it, a second
// memory of the numbers that were drawn, should the first be lost.
import type { NamedTable } from "./name-tables.ts";
import { emptyNumbers } from "./numbers.ts";
import type { Numbers } from "./numbers.ts";

/** The text: comment lines of the caller's, a name a line, and behind each drawn number what it is for. */
export function namesText(header: string, tables: readonly NamedTable[], numbers: Numbers): string {
  const named = tables.map(({ id, name }) => `${id}\t${name}`);
  const remembered = Object.entries(numbers).flatMap(([pool, ofPool]) =>
    Object.entries(ofPool).map(([claim, number]) => `# ${pool} ${number} ${claim}`),
  );
  return `${header}${[...named, ...remembered].map((line) => `${line}\n`).join("")}`;
}

/** The numbers that the text remembers. */
export function rememberedNumbers(text: string): Numbers {
  const numbers = emptyNumbers();
  for (const line of text.split("\n")) {
    const [, pool, number, claim] = /^# ([a-z]+) (\d{1,10}) (\S+\/\S+\/\S.{0,99})$/.exec(line) ?? [];
    if (pool === undefined || claim === undefined || !Object.hasOwn(numbers, pool)) continue;
    numbers[pool as keyof Numbers][claim] = Number(number);
  }
  return numbers;
}
