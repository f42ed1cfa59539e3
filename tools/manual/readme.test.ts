// Owns the proof that README.md is one screen, and tells of what there is and of nothing else.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { outlineOf } from "../../src/cli/outline.ts";
import { defineProgram } from "../../src/cli/program.ts";
import { ROLES } from "../../src/roles/index.ts";
import { readBlocks } from "./markdown.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "README.md"), "utf8");
const blocks = readBlocks(page);
const { program } = await defineProgram([], "0");
const commands = outlineOf(program).commands.map(({ name }) => name);

/** Words in code of a table's first column. */
function firstColumn(title: string): string[] {
  const table = blocks.find((block) => block.kind === "table" && block.head[0] === title);
  if (table?.kind !== "table") throw new Error(`README.md has no table of each ${title}`);
  return table.rows.flatMap(([first = ""]) => [...first.matchAll(/`([a-z]+)`/g)].map(([, word = ""]) => word));
}

test("it is one screen, and begins with what to type", () => {
  // What is seen of it: the tour's steps stand in comments.
  expect(page.replaceAll(/<!--[\s\S]*?-->\n/g, "").split("\n").length).toBeLessThanOrEqual(64);
  const [title, code] = blocks;
  expect(title).toMatchObject({ kind: "heading", text: "heddle" });
  expect(code).toMatchObject({ kind: "code", text: expect.stringMatching(/^make demo .*\nmake test .*\n$/) as string });
});

test("it tells of every role", () => {
  expect(firstColumn("role").sort()).toEqual(ROLES.map(({ name }) => name).sort());
});

test("it tells of no command that there is not", () => {
  const told = firstColumn("command");
  expect(told.length).toBeGreaterThan(10);
  expect(told.filter((name) => !commands.includes(name))).toEqual([]);
});

test("what it says of make is in the Makefile", () => {
  const makefile = readFileSync(join(root, "Makefile"), "utf8");
  const targets = [...page.matchAll(/\bmake ([a-z-]+)/g)].map(([, target = ""]) => target);
  expect(targets.length).toBeGreaterThan(4);
  for (const target of targets) expect(makefile).toMatch(new RegExp(`^${target}:`, "m"));
});
