// Owns the proof of docs/from/: what `heddle import` makes of the scripts on a page is what the page says.
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { draftFromScripts } from "../../src/import/scripts.ts";
import { writeDraft } from "../../src/import/write.ts";
import { readBlocks } from "./markdown.ts";
import { markedBlocks } from "./marked-blocks.ts";

const folder = join(import.meta.dirname, "../../docs/from");
const pages = globSync("*.md", { cwd: folder }).sort();

test("there are pages", () => {
  expect(pages.length).toBeGreaterThan(1);
});

describe.each(pages)("%s", (name) => {
  const page = readFileSync(join(folder, name), "utf8");

  test("shows a file, what stands in its place, and the way back", () => {
    expect(markedBlocks(page, "file").length).toBeGreaterThan(0);
    const titles = readBlocks(page).flatMap((block) => (block.kind === "heading" ? [block.text] : []));
    expect(titles).toEqual(expect.arrayContaining(["Line by line", "To go over", "Back"]));
  });

  test("says what the import writes", () => {
    const scripts = markedBlocks(page, "script");
    const imported = markedBlocks(page, "imported");
    expect(imported).toHaveLength(scripts.length > 0 ? 1 : 0);
    if (scripts.length === 0) return;
    const draft = draftFromScripts(
      scripts.map(({ word, text }) => ({ file: word, text })),
      {},
    );
    const [, entries] = writeDraft(draft).split(/^(?=version: 1$)/m);
    expect(entries?.split("\n\n")[0]?.trimEnd(), basename(name)).toBe(imported[0]?.text.trimEnd());
  });
});
