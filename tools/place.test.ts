// Owns the proof that what `make install` places is found by man and the shells, that nothing of it stays, and that the
// program finds what it needs.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const place = mkdtempSync(join(tmpdir(), "heddle-place-"));
/** A checkout with a program that says what it was asked, and pages. */
const checkout = join(place, "a checkout");
const image = join(place, "image");

beforeAll(() => {
  mkdirSync(join(checkout, "bin"), { recursive: true });
  writeFileSync(join(checkout, "bin/heddle"), '#!/bin/sh\necho "# script for $*"\n');
  chmodSync(join(checkout, "bin/heddle"), 0o755);
  cpSync(join(root, "tools/place.sh"), join(checkout, "tools/place.sh"));
  for (const page of ["man1/heddle.1", "man5/heddle.yaml.5", "man7/heddle-new.7"]) {
    mkdirSync(join(checkout, "dist/man", page, ".."), { recursive: true });
    writeFileSync(join(checkout, "dist/man", page), `.TH X 1\n.SH NAME\n${page} \\- a page\n`);
  }
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

function run(what: string): { status: number | null; stderr: string } {
  const env = { ...process.env, DESTDIR: image, PREFIX: "/usr/local" };
  const { status, stderr } = spawnSync(join(checkout, "tools/place.sh"), [what], { encoding: "utf8", env });
  return { status, stderr };
}

const placed = (): string[] =>
  globSync("**/*", { cwd: image, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(image.length))
    .sort();

test("placed once and again it is the same, with pages of before gone; taken away, nothing is left", () => {
  expect(run("place")).toEqual({ status: 0, stderr: "" });
  const files = placed();
  expect(files).toEqual([
    "/usr/local/bin/heddle",
    "/usr/local/share/bash-completion/completions/heddle",
    "/usr/local/share/fish/vendor_completions.d/heddle.fish",
    "/usr/local/share/man/man1/heddle.1",
    "/usr/local/share/man/man5/heddle.yaml.5",
    "/usr/local/share/man/man7/heddle-new.7",
    "/usr/local/share/zsh/site-functions/_heddle",
  ]);
  expect(readlinkSync(join(image, "usr/local/bin/heddle"))).toBe(join(checkout, "bin/heddle"));
  const shown = spawnSync("man", ["-M", join(image, "usr/local/share/man"), "-w", "heddle.yaml"], { encoding: "utf8" });
  expect(shown.stdout.trim()).toBe(join(image, "usr/local/share/man/man5/heddle.yaml.5"));
  writeFileSync(join(image, "usr/local/share/man/man7/heddle-old.7"), "");
  expect(run("place").status).toBe(0);
  expect(placed()).toEqual(files);
  expect(run("take-away")).toEqual({ status: 0, stderr: "" });
  expect(placed()).toEqual([]);
});

test("another word changes nothing", () => {
  expect(run("remove")).toMatchObject({ status: 64 });
});

test("the program is found by a link to it, a link to its folder, and from where it lies", () => {
  const own = join(place, "own");
  for (const folder of ["bin", "dist", "node_modules/.bin", "links"]) mkdirSync(join(own, folder), { recursive: true });
  cpSync(join(root, "bin/heddle"), join(own, "bin/heddle"));
  writeFileSync(join(own, "dist/heddle.cjs"), "");
  // Says what it was to run, as Node would resolve it: by the words of the path alone.
  writeFileSync(
    join(own, "node_modules/.bin/node"),
    '#!/bin/sh\nwhile [ "${1#--}" != "$1" ]; do shift; done\necho "$2 $1"\n',
  );
  chmodSync(join(own, "node_modules/.bin/node"), 0o755);
  symlinkSync(join(own, "bin/heddle"), join(own, "links/heddle"));
  symlinkSync(join(own, "bin"), join(place, "folder"));
  const started = (program: string, cwd = place): string => {
    const { stdout, stderr } = spawnSync(program, ["check"], { encoding: "utf8", cwd });
    const [word, text = ""] = stdout.trim().split(" ");
    return `${stderr}${word} ${resolve(cwd, text)}`;
  };
  const right = `check ${join(own, "dist/heddle.cjs")}`;
  expect(started(join(own, "bin/heddle"))).toBe(right);
  expect(started(join(own, "links/heddle"))).toBe(right);
  expect(started(join(place, "folder/heddle"))).toBe(right);
  expect(started("bin/heddle", own)).toBe(right);
  expect(started("./heddle", join(own, "bin"))).toBe(right);
  rmSync(join(own, "dist/heddle.cjs"));
  expect(started(join(own, "links/heddle"))).toContain(`run \`make build\` in ${own}\n`);
});
