// Proves what is taken for the key of a subnet administrator, and that what is not is told without it.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { readSmKey } from "./sm-key.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "heddle-key-"));
  path = join(folder, "sm.key");
  return () => rmSync(folder, { recursive: true, force: true });
});

function keyOf(text: string, mode = 0o600): bigint | { why: string } {
  writeFileSync(path, text, { mode });
  chmodSync(path, mode);
  return readSmKey(path);
}

test.each([
  ["1", 1n],
  ["0x1\n", 1n],
  ["0xFFFFFFFFFFFFFFFF\n", 2n ** 64n - 1n],
  ["18446744073709551615", 2n ** 64n - 1n],
])("%j is a key", (text, key) => {
  expect(keyOf(text)).toBe(key);
});

test.each(["", "0", "0x0", "18446744073709551616", "0x10000000000000000", "swordfish", "1 2", "9".repeat(70)])(
  "%j is none, and is not repeated",
  (text) => {
    expect(keyOf(text)).toEqual({ why: `${path} does not hold a number of 64 bits other than zero` });
  },
);

test("a key that others may read, a folder, and no file are refused", () => {
  expect(keyOf("1", 0o640)).toEqual({ why: `others than its owner may read ${path}: chmod 600 ${path}` });
  expect(readSmKey(folder)).toEqual({ why: `${folder} is no file` });
  expect(readSmKey(join(folder, "none"))).toEqual({ why: `${join(folder, "none")} cannot be read: ENOENT` });
});
