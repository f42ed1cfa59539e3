// Owns the proof that the import rules of .oxlintrc.json bite, each of them, and that none is about rooms that are gone.
import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

interface Override {
  files: string[];
  rules: Record<string, [string, ...unknown[]]>;
}

const root = join(import.meta.dirname, "..");
const { overrides } = JSON.parse(readFileSync(join(root, ".oxlintrc.json"), "utf8")) as { overrides: Override[] };
const rooms = overrides.filter((override) => "no-restricted-imports" in override.rules);

/** What stands in each alternative of a room's pattern: "/(plan|host)/" stands for plan and host. */
function forbiddenBy(override: Override): string[] {
  const [, options] = override.rules["no-restricted-imports"] as [string, { patterns: { regex: string }[] }];
  return options.patterns.flatMap(({ regex }) => {
    const names = /^\/\(([a-z|]+)\)\/$/.exec(regex)?.[1]?.split("|");
    if (names) return names.map((name) => `../../${name}/x.ts`);
    if (regex === "^node:") return ["node:fs"];
    if (regex === "^([^.]|\\.\\./)") return ["node:fs", "zod/mini", "../plan/x.ts"];
    throw new Error(`the test does not know how to break ${regex}`);
  });
}

/** Folders that are promised for later and may be named in a rule before they exist. */
const PROMISED = ["spread", "bridge"];

let place = "";
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "import-rules-"));
  cpSync(join(root, ".oxlintrc.json"), join(place, ".oxlintrc.json"));
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** The rules that a file with this text breaks. */
function lint(path: string, text: string): string[] {
  mkdirSync(dirname(join(place, path)), { recursive: true });
  writeFileSync(join(place, path), text);
  try {
    execFileSync(join(root, "node_modules/.bin/oxlint"), ["--format=json", path], { cwd: place, encoding: "utf8" });
    return [];
  } catch (error) {
    const { diagnostics } = JSON.parse((error as { stdout: string }).stdout) as { diagnostics: { code: string }[] };
    return diagnostics.map(({ code }) => code);
  }
}

describe.each(rooms.map((room) => [room.files.join(), room] as const))("%s", (files, room) => {
  test("is a room that there is", () => {
    expect(globSync(files, { cwd: root })).not.toEqual([]);
  });

  test.each(forbiddenBy(room))("must not import %s", (specifier) => {
    const name = /^\.\.\/(?:\.\.\/)?(\w+)\//.exec(specifier)?.[1];
    if (name !== undefined && !PROMISED.includes(name)) {
      expect(globSync([`src/${name}/**/*.ts`, `src/{roles,rdma}/${name}/**/*.ts`], { cwd: root }), name).not.toEqual(
        [],
      );
    }
    const path = files.replace("**/*", "probe/probe");
    expect(lint(path, `import { x } from "${specifier}";\nexport const y: number = x;\n`)).toEqual([
      "eslint(no-restricted-imports)",
    ]);
  });
});

test.each(["Date.now()", "Math.random()", "process.pid", "performance.now()", "setTimeout(() => 1, 1)"])(
  "pure rooms have no %s",
  (expression) => {
    for (const room of [
      "model",
      "config",
      "roles",
      "plan",
      "import",
      "export",
      "explain",
      "install",
      "doctor",
      "gateway",
      "probes",
      "rdma/codec",
      "rdma/decode",
    ]) {
      expect(lint(`src/${room}/impure.ts`, `export const x: unknown = ${expression};\n`)).toHaveLength(1);
    }
  },
);
