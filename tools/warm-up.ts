// Owns the compiled code of the built program: runs what is run most, and keeps what V8 compiled for it.
// Usage: node tools/warm-up.ts DIRECTORY NAME
import { writeFileSync } from "node:fs";
import { loadProgram, programFiles } from "../src/cli/compiled.ts";

/** Runs that change nothing. What they say of these files is not the point. */
const RUNS = [["plan", "-f", "tools/warm-up.yaml"], ["apply", "-f", "/dev/null"], ["--help"]];

const [directory = "", name = ""] = process.argv.slice(2);
const files = programFiles(directory, name);
const program = loadProgram(directory, name);
for (const words of RUNS) {
  process.argv = [process.execPath, files.text, ...words];
  await program.run();
}
writeFileSync(files.code, program.code());
if (!loadProgram(directory, name).isWarm) throw new Error("V8 refuses the code that it has just made");
process.exitCode = 0;
