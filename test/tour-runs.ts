// Owns the run of the tour's chapters: what docs/TOUR.md says is what the program says.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { putOutputs, readChapters, runChapter, withoutChance } from "../tools/manual/tour.ts";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/TOUR.md"), "utf8");

/** Makes a test of every chapter whose lab takes root, or of every one whose lab does not. */
export function testTour({ needsRoot }: { needsRoot: boolean }): void {
  const chapters = readChapters(page, root).filter((chapter) => chapter.needsRoot === needsRoot);
  describe("docs/TOUR.md says what `make tour` would write", () => {
    test.each(chapters.map((chapter) => [chapter.lab, chapter] as const))(
      "%s",
      { timeout: 180_000 },
      (_lab, chapter) => {
        const outputs = runChapter(chapter, root);
        expect(outputs.length).toBeGreaterThan(1);
        expect(withoutChance(putOutputs(page, outputs))).toBe(withoutChance(page));
      },
    );
  });
}
