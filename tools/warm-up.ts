// Owns the compiled code of a built program: runs it, and keeps what V8 compiled for it.
// Usage: node tools/warm-up.ts DIRECTORY NAME RUNS, where RUNS are lists of words as JSON
import { writeFileSync } from "node:fs";
import { loadProgram, programFiles } from "../src/cli/compiled.ts";

const [directory = "", name = "", runs = "[]"] = process.argv.slice(2);
const files = programFiles(directory, name);
const program = loadProgram(directory, name);
for (const words of JSON.parse(runs) as string[][]) {
  process.argv = [process.execPath, files.text, ...words];
  await program.run();
}
writeFileSync(files.code, program.code());
if (!loadProgram(directory, name).isWarm) throw new Error("V8 refuses the code that it has just made");
// What the program says of these runs is not the point.
process.exitCode = 0;
