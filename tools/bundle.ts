// Owns how sources become a program: one file of text, V8's compiled code beside it, and a launcher that runs them.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readdir, rm, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { basename, join } from "node:path";
import { build } from "esbuild";
import type { BuildOptions, Plugin } from "esbuild";
import { programFiles } from "../src/cli/compiled.ts";

/**
 * Node's own modules, each taken when something of it is first used: a command does without most of what it may need
 * (nft's processes, say), and Node takes milliseconds to load it.
 */
const ownModules: Plugin = {
  name: "own-modules",
  setup(builder) {
    builder.onResolve({ filter: /^(node:)?[a-z0-9_]+(\/promises)?$/ }, ({ path, importer, kind }) => {
      const name = path.replace(/^node:/, "");
      if (!isBuiltin(name)) return undefined;
      if (UNUSED.test(`${importer} ${name}`)) return { path: name, namespace: "unused-module" };
      return { path: name, namespace: kind === "require-call" ? "own-module" : "own-module-when-used" };
    });
    // Who asks by a call gets the thing itself: it may be a class.
    builder.onLoad({ filter: /.*/, namespace: "own-module" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule("node:${path}");`,
    }));
    builder.onLoad({ filter: /.*/, namespace: "own-module-when-used" }, ({ path }) => {
      const own = process.getBuiltinModule(`node:${path}`) ?? {};
      const names = Object.keys(own).filter((name) => name !== "default");
      const getters = names.map((name) => `get ${name}() { return own().${name}; }`).join(",\n");
      return {
        contents: `let loaded; const own = () => loaded ??= process.getBuiltinModule("node:${path}");
          module.exports = { __esModule: true, get default() { return own(); }, ${getters} };`,
      };
    });
    // Whatever is asked of it is a function that says so.
    builder.onLoad({ filter: /.*/, namespace: "unused-module" }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get: () => () => { throw new Error("${path} is not bundled"); } });`,
    }));
  },
};

/** Commander starts programs for commands that have one of their own, which heddle's have not. */
const UNUSED = /\/node_modules\/commander\/\S+ child_process$/;

const shared = {
  bundle: true,
  write: false,
  format: "cjs",
  platform: "node",
  target: "node24",
  minifySyntax: true,
  minifyWhitespace: true,
  // Node shows the line of an error that nobody caught.
  lineLimit: 160,
  legalComments: "none",
} as const satisfies BuildOptions;

/**
 * Makes the program of `entry`, which exports `finished`, in a directory that is there, and its launcher. `runs` are
 * command lines that change nothing: what V8 compiles while they are run is kept.
 */
export async function bundleProgram(
  entry: string,
  launcher: string,
  directory: string,
  runs: readonly (readonly string[])[],
): Promise<void> {
  const text = await bundle({
    entryPoints: [entry],
    plugins: [ownModules],
    define: { "import.meta.url": "moduleUrl" },
    banner: { js: "(function (module, moduleUrl) {" },
    footer: { js: "})" },
  });
  const kind = `${basename(entry, ".ts")}-`;
  for (const file of await readdir(directory)) if (file.startsWith(kind)) await rm(join(directory, file));
  const name = `${kind}${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
  await writeFile(programFiles(directory, name).text, text);
  const warmUp = ["tools/warm-up.ts", directory, name, JSON.stringify(runs)];
  execFileSync(process.execPath, warmUp, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  const define = { "import.meta.dirname": "__dirname", PROGRAM_NAME: JSON.stringify(name) };
  await writeFile(launcher, await bundle({ entryPoints: ["src/cli/launch.ts"], define }));
}

async function bundle(options: BuildOptions): Promise<Uint8Array> {
  const { outputFiles } = await build({ ...shared, ...options, write: false });
  const [file] = outputFiles;
  if (!file) throw new Error("the bundler made nothing");
  return file.contents;
}
