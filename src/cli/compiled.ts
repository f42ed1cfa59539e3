// Owns how the built program is loaded: its text, and beside it what V8 compiled of it when it was built.
//
// Node's own compile cache keeps a file as it is right after it was read, before most of its functions were called and
// compiled (docs/adr/0040-how-the-program-starts.md). What is kept here was taken after whole runs of the program.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";

/** The program, loaded but not begun. */
export interface CompiledProgram {
  /** Runs it once, with the words of `process.argv`; resolves when its exit code is set. */
  run(): Promise<void>;
  /** What V8 has compiled of it by now. */
  code(): Buffer;
  /** Whether V8 took the code that was kept; it refuses that of another version of itself, and compiles anew. */
  isWarm: boolean;
}

/** What the text of the program is: one expression, a function (tools/build.ts wraps the bundle so). */
type ProgramText = (module: { exports: unknown }, moduleUrl: string) => void;

/** The file of the program's text, and of its code. `name` tells one build from another, which V8 does not. */
export function programFiles(directory: string, name: string): { text: string; code: string } {
  return { text: resolve(directory, `${name}.js`), code: resolve(directory, `${name}.code`) };
}

/** Loads the program from the directory of the bundle. Throws when its text is not there. */
export function loadProgram(directory: string, name: string): CompiledProgram {
  const files = programFiles(directory, name);
  const cachedData = readIfThere(files.code);
  // The bundler writes ASCII only, of which Latin-1 is the reading that checks nothing.
  const script = new Script(readFileSync(files.text, "latin1"), {
    filename: files.text,
    ...(cachedData ? { cachedData } : {}),
  });
  return {
    async run() {
      const module = { exports: {} as { finished?: Promise<void> } };
      const program = script.runInThisContext() as ProgramText;
      program(module, pathToFileURL(files.text).href);
      await module.exports.finished;
    },
    code: () => script.createCachedData(),
    isWarm: cachedData !== undefined && script.cachedDataRejected === false,
  };
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
