// Owns the build of heddle: what is in dist/.
import { mkdir, rm } from "node:fs/promises";
import { bundleProgram } from "./bundle.ts";

/** Runs that change nothing: what V8 compiles for them is what most commands need. */
const RUNS = [
  ["plan", "-f", "tools/warm-up.yaml"],
  ["status", "-f", "tools/warm-up.yaml", "--json"],
  ["apply", "-f", "/dev/null"],
  ["--help"],
];

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
await bundleProgram("src/cli/main.ts", "dist/heddle.cjs", "dist", RUNS);
