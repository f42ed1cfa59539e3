// Owns the proof that the import rules of .oxlintrc.json bite, each of them, and that none is about rooms that are gone.
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeAll, expect, test } from "vitest";

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

/** The folders of the rooms that are pure, without time, chance and processes. */
const PURE = [
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
  "spread",
  "probes",
  "rdma/codec",
  "rdma/decode",
  "rdma/bridge",
];
const IMPURE = ["Date.now()", "Math.random()", "process.pid", "performance.now()", "setTimeout(() => 1, 1)"];

/** Files that break a rule each, by path. One run of the linter takes as long for all of them as for one. */
const probes = new Map<string, string>();

function probe(path: string, text: string): string {
  probes.set(path, text);
  return path;
}

const imports = rooms.flatMap((room) => {
  const files = room.files.join();
  return forbiddenBy(room).map((specifier, number) => {
    const path = probe(
      files.replace("**/*", `probe/probe${number}`).replace("/*.ts", `/probe${number}.ts`),
      `import { x } from "${specifier}";\nexport const y: number = x;\n`,
    );
    return { files, specifier, path };
  });
});
const impurities = IMPURE.flatMap((expression, number) =>
  PURE.map((room) => ({
    expression,
    room,
    path: probe(`src/${room}/impure${number}.ts`, `export const x: unknown = ${expression};\n`),
  })),
);

let found: Map<string, string[]>;
beforeAll(() => {
  const place = mkdtempSync(join(tmpdir(), "import-rules-"));
  try {
    cpSync(join(root, ".oxlintrc.json"), join(place, ".oxlintrc.json"));
    symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
    for (const [path, text] of probes) {
      mkdirSync(dirname(join(place, path)), { recursive: true });
      writeFileSync(join(place, path), text);
    }
    const run = spawnSync(join(root, "node_modules/.bin/oxlint"), ["--format=json", "src"], {
      cwd: place,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: { code: string; filename: string }[] };
    const byFile = Map.groupBy(diagnostics, ({ filename }) => filename);
    found = new Map([...byFile].map(([path, all]) => [path, all.map(({ code }) => code)]));
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

test("every probe is looked at on its own", () => {
  expect(probes.size).toBe(imports.length + impurities.length);
});

test.each(rooms.map((room) => room.files.join()))("%s is a room that there is", (files) => {
  expect(globSync(files, { cwd: root })).not.toEqual([]);
});

test.each(imports)("$files must not import $specifier", ({ specifier, path }) => {
  const name = /^\.\.\/(?:\.\.\/)?(\w+)\//.exec(specifier)?.[1];
  if (name !== undefined) {
    expect(globSync([`src/${name}/**/*.ts`, `src/{roles,rdma}/${name}/**/*.ts`], { cwd: root }), name).not.toEqual([]);
  }
  expect(found.get(path)).toEqual(["eslint(no-restricted-imports)"]);
});

test.each(impurities)("$room has no $expression", ({ path }) => {
  expect(found.get(path)).toHaveLength(1);
});
