// Owns the build of the program: one bundle in dist/, with V8's compiled code beside it.
import { chmod, mkdir, rm } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { build } from "esbuild";

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
  // Packages in CommonJS ask for Node's own modules by require, which an ES module does not have.
  banner: {
    js: 'import { createRequire as heddleRequire } from "node:module"; const require = heddleRequire(import.meta.url);',
  },
});

// Node keeps compiled code by version and by user. It is made now, because later the place may not be writable.
await mkdir("dist/compile-cache", { mode: 0o755 });
await chmod("dist/compile-cache", 0o755);
for (const words of [["--help"], ["check", "-f", "/dev/null"], ["plan", "-f", "tools/warm-up.yaml"]]) {
  try {
    execFileSync(process.execPath, ["dist/heddle.mjs", ...words], { stdio: "ignore" });
  } catch {
    // What it says of these files is not the point.
  }
}
