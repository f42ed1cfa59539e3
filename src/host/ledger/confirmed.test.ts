// Owns the proof that confirmed files are kept in their order, bounded, and survive one that is damaged.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ConfirmedFiles } from "./confirmed.ts";
import { Deadline } from "./deadline.ts";

let place = "";
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-confirmed-"));
});
afterEach(() => rmSync(place, { recursive: true }));

const entry = (text?: string) => ({
  at: "2026-01-01T00:00:00.000Z",
  by: 0,
  file: "heddle.yaml",
  summary: "",
  ...(text === undefined ? {} : { text }),
});

test("nothing, then one, then the same again, then none", async () => {
  const files = new ConfirmedFiles(place);
  expect(await files.current()).toEqual({ diagnostics: [] });
  expect(await files.add(entry("a"))).toMatchObject({ serial: 1, text: "a" });
  expect(await files.add(entry("a"))).toMatchObject({ serial: 1 });
  expect(await files.add(entry())).toMatchObject({ serial: 2 });
  expect((await files.current()).confirmed).toEqual({ serial: 2, ...entry() });
  expect(await files.add(entry("a"))).toMatchObject({ serial: 3 });
  expect((await files.list()).confirmed.map(({ serial }) => serial)).toEqual([3, 2, 1]);
});

test("twenty are kept, and numbers are not given twice", async () => {
  const files = new ConfirmedFiles(place);
  for (let i = 1; i <= 25; i++) await files.add(entry(`file ${i}`));
  const { confirmed } = await files.list();
  expect(confirmed).toHaveLength(20);
  expect([confirmed[0]?.serial, confirmed.at(-1)?.serial]).toEqual([25, 6]);
});

test("large files make place for themselves, and the last one is kept however large", async () => {
  const files = new ConfirmedFiles(place);
  for (const name of ["a", "b", "c", "d"]) await files.add(entry(name.repeat(7_000_000)));
  expect((await files.list()).confirmed.map(({ serial }) => serial)).toEqual([4, 3, 2]);
});

test("one that is damaged is said, and the one before it holds", async () => {
  const files = new ConfirmedFiles(place);
  await files.add(entry("a"));
  for (const [name, text] of [
    ["000002.json", '{"version":1'],
    ["000003.json", '{"version":2,"text":"from later"}'],
    ["notes.txt", "nobody's"],
  ] as const) {
    writeFileSync(join(place, "confirmed", name), text);
  }
  const { confirmed, diagnostics } = await files.current();
  expect(confirmed?.text).toBe("a");
  expect(diagnostics.map(({ code }) => code)).toEqual(["state-unreadable", "state-unreadable"]);
  // The next one comes after the damaged ones, so that it holds.
  expect(await files.add(entry("b"))).toMatchObject({ serial: 4 });
  expect((await files.current()).confirmed?.text).toBe("b");
  expect(readdirSync(join(place, "confirmed"))).toContain("notes.txt");
});

test("a deadline is known on the boot that it was written on, and nowhere else", async () => {
  const pending = { token: "abcdefgh", until: 5000, file: "heddle.yaml", text: "a", by: 0, summary: "" };
  await new Deadline(place, "1", "this boot").write(pending);
  expect(await new Deadline(place, "1", "this boot").read()).toEqual(pending);
  expect(await new Deadline(place, "1", "another").read()).toBeUndefined();
  expect(await new Deadline(place, "2", "this boot").read()).toBeUndefined();
  writeFileSync(join(place, "pending-1.json"), "{");
  expect(await new Deadline(place, "1", "this boot").read()).toBeUndefined();
  await new Deadline(place, "1", "this boot").clear();
  await new Deadline(place, "1", "this boot").clear();
  expect(await new Deadline(place, "1", "this boot").read()).toBeUndefined();
});
