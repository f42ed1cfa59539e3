// Owns the build of the program: one bundle in dist/, with V8's compiled code beside it.
import { chmod, mkdir, rm } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { isBuiltin } from "node:module";
import { build } from "esbuild";
import type { Plugin } from "esbuild";

/**
 * Node's own modules, taken by a call instead of an import: an import makes a facade of the module, which reads all of
 * its properties, for which Node loads streams, workers and a terminal that nobody asked for (a sixth of the start).
 */
const ownModules: Plugin = {
  name: "own-modules",
  setup(builder) {
    builder.onResolve({ filter: /^(node:)?[a-z_]+(\/promises)?$/ }, ({ path, importer, kind }) => {
      const name = path.replace(/^node:/, "");
      // Imported where it is needed it costs nothing at the start, and gives its names as a module.
      if (!isBuiltin(name) || kind === "dynamic-import") return undefined;
      return { path: name, namespace: UNUSED.test(`${importer} ${name}`) ? "unused-module" : "own-module" };
    });
    builder.onLoad({ filter: /.*/, namespace: "own-module" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule("node:${path}");`,
    }));
    // Whatever is asked of it is a function that says so.
    builder.onLoad({ filter: /.*/, namespace: "unused-module" }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get: () => () => { throw new Error("${path} is not bundled"); } });`,
    }));
  },
};

/** Commander starts programs for commands that have one of their own, which heddle's have not. */
const UNUSED = /\/node_modules\/commander\/\S+ child_process$/;

await rm("dist", { recursive: true, force: true });
await build({
  entryPoints: { heddle: "src/cli/main.ts" },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  outExtension: { ".js": ".mjs" },
  chunkNames: "chunk-[hash]",
  minifySyntax: true,
  legalComments: "none",
  plugins: [ownModules],
  // Packages in CommonJS ask for Node's own modules by require, which an ES module does not have.
  banner: {
    js: 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);',
  },
});

// Node keeps compiled code by version and by user. It is made now, because later the place may not be writable. What is
// kept of a chunk are the functions that the first run to load it called, so the run that does the most comes first.
await mkdir("dist/compile-cache", { mode: 0o755 });
await chmod("dist/compile-cache", 0o755);
for (const words of [["plan", "-f", "tools/warm-up.yaml"], ["apply", "-f", "/dev/null"], ["schema"], ["--help"]]) {
  try {
    execFileSync(process.execPath, ["dist/heddle.mjs", ...words], { stdio: "ignore" });
  } catch {
    // What it says of these files is not the point.
  }
}
