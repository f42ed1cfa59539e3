// Owns the start of the program and its end: errors that nobody expected, the exit code.
import pkg from "../../package.json" with { type: "json" };
import { write } from "./output.ts";

/** Resolves when the command is done and its exit code is set. */
export const finished: Promise<void> = run(process.argv.slice(2));

async function run(words: readonly string[]): Promise<void> {
  try {
    const { runCommandLine } = await import("./program.ts");
    process.exitCode = await runCommandLine(words, pkg.version);
  } catch (error) {
    const { explainFailure, failureJson } = await import("./failure.ts");
    if (words.includes("--json")) write(1, `${failureJson(error)}\n`);
    else write(2, explainFailure(error));
    process.exitCode = 1;
  }
}
