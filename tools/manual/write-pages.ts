// Owns what the build writes for man(1): dist/man.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import pkg from "../../package.json" with { type: "json" };
import { outlineOf } from "../../src/cli/outline.ts";
import { defineProgram } from "../../src/cli/program.ts";
import { manualPages } from "./pages.ts";

const place = "dist/man";
const { program } = await defineProgram(["lab"], pkg.version);
await rm(place, { recursive: true, force: true });
for (const { path, text } of manualPages(outlineOf(program), pkg.version, ".")) {
  await mkdir(dirname(join(place, path)), { recursive: true });
  await writeFile(join(place, path), text);
}
