// Owns the start of the program and its end: the compile cache, errors that nobody expected, the exit code.
import { statSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import pkg from "../../package.json" with { type: "json" };

useCompileCache(fileURLToPath(new URL("compile-cache", import.meta.url)));
// Whoever reads may go away (`heddle apply | head`), or the disk behind it may be full: what was begun is finished all
// the same, and only the words are lost.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

const words = process.argv.slice(2);
try {
  const { runCommandLine } = await import("./program.ts");
  process.exitCode = await runCommandLine(words, pkg.version);
} catch (error) {
  const { explainFailure, failureJson } = await import("./failure.ts");
  if (words.includes("--json")) process.stdout.write(`${failureJson(error)}\n`);
  else process.stderr.write(explainFailure(error));
  process.exitCode = 1;
}

/**
 * Compiled code from last time, where it can be trusted: the code that runs as root comes from a directory that only
 * root can write to. It is made by the build, beside the bundle; anywhere else there is none.
 */
function useCompileCache(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return;
  const othersCanWrite = (found.mode & 0o022) !== 0;
  const ownersAreTrusted = found.uid === 0 || found.uid === process.geteuid?.();
  if (!othersCanWrite && ownersAreTrusted) enableCompileCache(directory);
}
