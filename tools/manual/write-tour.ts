// Owns `make tour`: runs the commands of docs/TOUR.md in labs, and writes what they said into the page. Chapters whose
// hosts have users of their own stay as they are where this is not run by root.
import { readFileSync, writeFileSync } from "node:fs";
import { putOutputs, readChapters, runChapter } from "./tour.ts";

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
writeFileSync(FILE, putOutputs(page, outputs));
