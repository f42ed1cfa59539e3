// Owns the proof that paths are heard of as they come, go and are written, whichever part of them does, and nothing else.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../../test/contract-steps.ts";
import { FileWatch } from "./file-watch.ts";
import type { WatchedPath } from "./file-watch.ts";

/** A folder, a watch, and what it told. */
function stand(): { top: string; watch: FileWatch; told: WatchedPath[] } {
  const top = mkdtempSync(join(tmpdir(), "heddle-watch-"));
  const told: WatchedPath[] = [];
  const watch = new FileWatch((path) => told.push(path));
  onTestFinished(() => {
    watch.close();
    rmSync(top, { recursive: true });
  });
  return { top, watch, told };
}

test("a path whose parts come one by one, go, and come again as others", async () => {
  const { top, watch, told } = stand();
  const paths = [{ top, path: "a/b" }];
  expect(watch.attend(paths)).toEqual({ anew: true, whole: true });
  expect(watch.attend(paths)).toEqual({ anew: false, whole: true });
  mkdirSync(join(top, "a"));
  await until(async () => told.length > 0);
  expect(told[0]).toEqual(paths[0]);
  // What came into it before it was watched is not told, so that the watch says that it is new.
  expect(watch.attend(paths).anew).toBe(true);
  for (const damage of [() => mkdirSync(join(top, "a/b")), () => rmSync(join(top, "a"), { recursive: true })]) {
    told.length = 0;
    damage();
    await until(async () => told.length > 0);
  }
  mkdirSync(join(top, "a"));
  await until(async () => watch.attend(paths).anew);
  told.length = 0;
  mkdirSync(join(top, "a/b"));
  await until(async () => told.length > 0);
});

test("what nobody asked for is not told, and what is asked for later is", async () => {
  const { top, watch, told } = stand();
  watch.attend([{ top, path: "asked" }]);
  writeFileSync(join(top, "other"), "");
  watch.attend([
    { top, path: "asked" },
    { top, path: "other" },
  ]);
  // The marker: it comes after everything else.
  writeFileSync(join(top, "asked"), "");
  await until(async () => told.some(({ path }) => path === "asked"));
  expect(told.some(({ path }) => path === "other")).toBe(false);
  writeFileSync(join(top, "other"), "again");
  await until(async () => told.some(({ path }) => path === "other"));
});

test("it says when it cannot watch: the top is missing", () => {
  const { top, watch } = stand();
  expect(watch.attend([{ top: join(top, "missing"), path: "a" }])).toEqual({ anew: false, whole: false });
});
