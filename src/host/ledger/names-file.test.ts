// Owns the proof that names of tables are written for iproute2, and that numbers survive in them.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { rememberedNumbers } from "../../plan/names-text.ts";
import { emptyNumbers } from "../../plan/numbers.ts";
import { readTableNames } from "../table-names.ts";
import { writeNamesFile } from "./names-file.ts";

let place = "";
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-names-"));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const numbers = {
  ...emptyNumbers(),
  tables: { "multihome/ib/ib0": 7000, "multihome/ib/:unbound": 7001 },
  priorities: { "multihome/ib/rules": 7000 },
};
const tables = [
  { id: 7000, name: "heddle-ib-ib0" },
  { id: 7001, name: "heddle-ib-unbound" },
];
const file = (): string => readFileSync(join(place, "rt_tables.d/heddle.conf"), "utf8");

test("names stand as iproute2 reads them, and numbers come back", async () => {
  await writeNamesFile(place, tables, numbers);
  expect(file()).toContain("7000\theddle-ib-ib0\n7001\theddle-ib-unbound\n");
  expect(rememberedNumbers(file())).toEqual(numbers);
});

test("heddle's own names keep no number from being drawn: they are not read back as somebody else's", async () => {
  await writeNamesFile(place, tables, numbers);
  expect(await readTableNames([place])).toEqual({});
});

test("the file goes when there is nothing to name", async () => {
  await writeNamesFile(place, tables, numbers);
  await writeNamesFile(place, [], emptyNumbers());
  expect(readdirSync(join(place, "rt_tables.d"))).toEqual([]);
});

test("lines that somebody changed are passed over", () => {
  const text =
    "# tables x a/b/c\n# colours 5 a/b/c\n# tables 12 nonsense\n# tables 99999999999999 a/b/c\n# tables 12 a/b/c\n";
  expect(rememberedNumbers(text)).toEqual({ ...emptyNumbers(), tables: { "a/b/c": 12 } });
});
