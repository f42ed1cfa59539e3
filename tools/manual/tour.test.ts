// Owns the proof of how the tour is read and written; that what it shows is true is proven where labs can be run
// (test/tour-runs.ts).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { codeBlocks } from "./markdown.ts";
import { putOutputs, readChapters, withoutChance } from "./tour.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/TOUR.md"), "utf8");
const chapters = readChapters(page, root);

test("the tour has chapters, and every fence of commands is written by one", () => {
  expect(chapters.length).toBeGreaterThan(2);
  const fences = chapters.flatMap(({ pieces }) => pieces.flatMap(({ fence }) => (fence ? [fence] : [])));
  expect(fences.map(({ from, to }) => page.slice(from, to))).toEqual(
    codeBlocks(page)
      .filter(({ language }) => language === "console")
      .map(({ text }) => text),
  );
  for (const { from, to } of fences) expect(page.slice(from, to).trim()).not.toBe("");
});

test("a file that the tour shows is the one that a host of its lab has", () => {
  const configs = chapters.flatMap(({ lab }) => {
    const { hosts } = parse(readFileSync(join(root, lab), "utf8")) as { hosts: Record<string, { config?: string }> };
    return Object.values(hosts).flatMap(({ config }) => (config === undefined ? [] : [parse(config) as unknown]));
  });
  const shown = codeBlocks(page).filter(({ language }) => language === "yaml");
  expect(shown.length).toBeGreaterThanOrEqual(chapters.length);
  for (const { text } of shown) expect(configs).toContainEqual(parse(text));
});

const SMALL = `# T
<!-- lab: lab/seed-003.yaml -->
<!-- steps
- &a { run: "true", on: memserver34, show: true }
-->
\`\`\`console
old
\`\`\`
<!-- steps
- *a
-->
<!-- lab: lab/seed-001.yaml -->
`;

test("steps, anchors and fences are found, by chapters", () => {
  const step = { run: "true", on: "memserver34", show: true };
  const from = SMALL.indexOf("old");
  expect(readChapters(SMALL, root)).toEqual([
    {
      lab: "lab/seed-003.yaml",
      needsRoot: false,
      pieces: [{ steps: [step], fence: { from, to: from + 4 } }, { steps: [step] }],
    },
    { lab: "lab/seed-001.yaml", needsRoot: true, pieces: [] },
  ]);
  expect(putOutputs(SMALL, [{ from, to: from + 4, text: "new\n" }])).toBe(SMALL.replace("old", "new"));
});

test("chance is taken out, and nothing else", () => {
  const said = "✗  ping IPv4  16/20\n✓  tcp  20/20\nafter 12 ms at 2026-01-02T03:04:05.678Z, pid 77\nib1 49 %, next\n";
  expect(withoutChance(said)).toBe("✗ ping IPv# #/#\n✓  tcp  20/20\nafter # at #, pid #\nib1 # %, next\n");
  expect(withoutChance("172.16.0.0/16 unreachable")).toBe("172.16.0.0/16 unreachable");
});
