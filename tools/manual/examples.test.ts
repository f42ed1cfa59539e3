// Owns the proof that every file that the manual shows can be used as it stands: the real parser reads it.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import type { Outcome, SourceRange } from "../../src/model/diagnostic.ts";
import { ROLES } from "../../src/roles/index.ts";
import { codeBlocks } from "./markdown.ts";

const root = join(import.meta.dirname, "../..");
const pages = ["README.md", ...globSync("docs/**/*.md", { cwd: root }).sort()];

/** Files that an example names are beside it in the reader's mind. */
const beside = (name: string, _range: SourceRange): Outcome<{ file: string; text: string }> => ({
  value: { file: name, text: "10.20.0.0/16 via 172.16.0.1 link ib0\n" },
  diagnostics: [],
});

const examples = pages.flatMap((page) =>
  codeBlocks(readFileSync(join(root, page), "utf8"))
    .filter(({ language }) => language === "yaml")
    .map(({ text, line }) => [`${page}:${line}`, text] as const),
);

test("there are examples", () => {
  expect(examples.length).toBeGreaterThan(5);
});

test.each(examples)("%s is a valid file", (place, text) => {
  const whole = /^version:/m.test(text) ? text : `version: 1\n${text}`;
  const { value, diagnostics } = parseConfig(whole, place, ROLES, beside);
  expect(diagnostics).toEqual([]);
  expect(value?.sections.length).toBeGreaterThan(0);
});

test("every role has an example on its page", () => {
  for (const { name } of ROLES) {
    const own = examples.filter(([place, text]) => place.startsWith(`docs/roles/${name}.md:`) && text.includes(name));
    expect(own, name).not.toEqual([]);
  }
});

describe("links of the manual", () => {
  const links = pages.flatMap((page) =>
    [...readFileSync(join(root, page), "utf8").matchAll(/\]\(([^)\s]+)\)/g)].map(
      ([, target = ""]) => [page, target] as const,
    ),
  );

  test.each(links.filter(([, target]) => !/^https?:/.test(target)))("of %s to %s lead somewhere", (page, target) => {
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? page : join(page, "..", path);
    if (path.endsWith("/")) return expect(globSync(`${file}*`, { cwd: root })).not.toEqual([]);
    const text = readFileSync(join(root, file), "utf8");
    if (anchor === undefined) return;
    const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => anchorOf(title));
    expect(anchors).toContain(anchor);
  });
});

/** How GitHub and GitLab name a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}
