// Owns the build of the program: one bundle in dist/, with V8's compiled code beside it.
import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { isBuiltin } from "node:module";
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
    builder.onResolve({ filter: /^(node:)?[a-z_]+(\/promises)?$/ }, ({ path, importer, kind }) => {
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
  legalComments: "none",
} as const satisfies BuildOptions;

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
const program = await build({
  ...shared,
  entryPoints: ["src/cli/main.ts"],
  plugins: [ownModules],
  define: { "import.meta.url": "moduleUrl" },
  banner: { js: "(function (module, moduleUrl) {" },
  footer: { js: "})" },
});
const text = program.outputFiles[0]?.contents ?? new Uint8Array();
const name = `program-${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
await writeFile(programFiles("dist", name).text, text);
execFileSync(process.execPath, ["tools/warm-up.ts", "dist", name], { stdio: ["ignore", "ignore", "pipe"] });

const launcher = await build({
  ...shared,
  entryPoints: ["src/cli/launch.ts"],
  define: { "import.meta.dirname": "__dirname", PROGRAM_NAME: JSON.stringify(name) },
});
await writeFile("dist/heddle.cjs", launcher.outputFiles[0]?.contents ?? "");
