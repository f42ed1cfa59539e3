// Owns `make tour`: runs the commands of docs/TOUR.md in labs, and writes what they said into the page. Chapters whose
// hosts have users of their own stay as they are where this is not run by root.
import { readFileSync, writeFileSync } from "node:fs";
import { putOutputs, readChapters, runChapter, withoutChance } from "./tour.ts";

const FILE = "docs/TOUR.md";
const page = readFileSync(FILE, "utf8");
const isRoot = process.geteuid?.() === 0;
const chosen = readChapters(page, ".").filter((chapter) => {
  if (isRoot || !chapter.needsRoot) return true;
  process.stderr.write(`The chapter of ${chapter.lab} takes root, and is left as it is.\n`);
  return false;
});
const outputs = chosen.flatMap((chapter) => {
  process.stderr.write(`${chapter.lab}…\n`);
  return runChapter(chapter, ".");
});
// What only chance made another stays as it is: otherwise every run would be a change.
const changed = outputs.filter(({ from, to, text }) => withoutChance(page.slice(from, to)) !== withoutChance(text));
writeFileSync(FILE, putOutputs(page, changed));
