// Owns `make tour`: runs the commands of docs/TOUR.md and README.md in labs, and writes what they said into the pages.
// Chapters whose hosts have users of their own stay as they are where this is not run by root.
import { readFileSync, writeFileSync } from "node:fs";
import { PAGES, putOutputs, readChapters, runChapter, withoutChance } from "./tour.ts";

const isRoot = process.geteuid?.() === 0;
for (const file of PAGES) {
  const page = readFileSync(file, "utf8");
  const chosen = readChapters(page, ".").filter((chapter) => {
    if (isRoot || !chapter.needsRoot) return true;
    process.stderr.write(`The chapter of ${chapter.lab} takes root, and is left as it is.\n`);
    return false;
  });
  const outputs = chosen.flatMap((chapter) => {
    process.stderr.write(`${file}: ${chapter.lab}…\n`);
    return runChapter(chapter, ".");
  });
  // What only chance made another stays as it is: otherwise every run would be a change.
  const changed = outputs.filter(({ from, to, text }) => withoutChance(page.slice(from, to)) !== withoutChance(text));
  writeFileSync(file, putOutputs(page, changed));
}
