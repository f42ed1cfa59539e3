// Owns the proof that the manual lists the keys of the file: each of them, with a sentence, as the schema has them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { ROLES } from "../../src/roles/index.ts";
import type { Role } from "../../src/roles/role.ts";
import { named, optional, described, wholeNumber } from "../../src/roles/fields.ts";
import { keyGroups, putKeys, renderKeys } from "./keys.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/CONFIG.md"), "utf8");

test("docs/CONFIG.md lists the keys as the schema has them; `make manual` writes them", () => {
  expect(page).toBe(putKeys(page, keyGroups(ROLES)));
});

test.each(ROLES.map((role) => [role.name, role] as const))("every key of %s has a sentence", (_name, role) => {
  const keys = keyGroups([role]).flatMap((group) => group.keys);
  expect(keys.length).toBeGreaterThan(1);
  expect(keys.filter(({ about }) => !/^\S.*[.!]$/s.test(about)).map(({ path }) => path)).toEqual([]);
});

test.each(ROLES.map(({ name }) => name))("docs/roles/%s.md tells of every key that stands in a section", (name) => {
  const text = readFileSync(join(root, `docs/roles/${name}.md`), "utf8");
  const keys = keyGroups(ROLES).find(({ title }) => title === name)?.keys ?? [];
  const untold = keys.map(({ path }) => path.split(".").at(-1)?.replace("[]", "") ?? "");
  expect(untold.filter((key) => !new RegExp(`\`[^\`]*\\b${key}\\b`).test(text))).toEqual([]);
});

describe("how keys are read from a schema", () => {
  const role = (schema: z.ZodMiniType): Role => ({
    name: "r",
    about: "A role.",
    schema,
    claims: () => [],
    desire: () => ({ diagnostics: [] }),
  });
  const inner = z.strictObject({ to: described("Where.", named("a place", z.string())) });

  test("one entry, or a list of them, is told once", () => {
    const schema = z.strictObject({ at: optional("At.", z.union([inner, z.array(inner)])) });
    expect(keyGroups([role(schema)])[1]?.keys).toEqual([
      { path: "at", required: false, takes: "a mapping; a list for several", about: "At." },
      { path: "at[].to", required: true, takes: "a place", about: "Where." },
    ]);
  });

  test("names that the author chooses stand as NAME; what a cell cannot hold is escaped", () => {
    const schema = z.strictObject({
      all: optional("All | some.", z.record(z.string(), inner)),
      n: optional("N.", z.record(z.string(), wholeNumber(1, 2))),
    });
    const text = renderKeys(keyGroups([role(schema)]).slice(1));
    expect(text.split("\n").slice(6)).toEqual([
      "| `all` | a mapping | All \\| some. |",
      "| `all.NAME.to` | a place | Where. **Required.** |",
      "| `n` | a mapping from names to: a whole number from 1 to 2 | N. |",
    ]);
  });

  test("the same field with another sentence elsewhere keeps both", () => {
    const field = named("a place", z.string());
    const schema = z.strictObject({ a: described("First.", field), b: described("Second.", field), c: field });
    expect(keyGroups([role(schema)])[1]?.keys.map(({ about }) => about)).toEqual(["First.", "Second.", ""]);
  });
});
