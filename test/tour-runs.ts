// Owns the run of the tours' chapters: what docs/TOUR.md and README.md say is what the program says.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PAGES, putOutputs, readChapters, runChapter, withoutChance } from "../tools/manual/tour.ts";

const root = join(import.meta.dirname, "..");

/** Makes a test of every chapter whose lab takes root, or of every one whose lab does not. */
export function testTour({ needsRoot }: { needsRoot: boolean }): void {
  const all = PAGES.flatMap((file) => {
    const page = readFileSync(join(root, file), "utf8");
    return readChapters(page, root).map((chapter) => ({ file, lab: chapter.lab, page, chapter }));
  });
  describe("pages say what `make tour` would write", () => {
    test.each(all.filter(({ chapter }) => chapter.needsRoot === needsRoot))(
      "$file: $lab",
      { timeout: 180_000 },
      ({ page, chapter }) => {
        const outputs = runChapter(chapter, root);
        expect(outputs).not.toEqual([]);
        expect(withoutChance(putOutputs(page, outputs))).toBe(withoutChance(page));
      },
    );
  });
}
