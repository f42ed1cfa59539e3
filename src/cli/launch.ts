// Owns the first lines that run of the built program (dist/heddle.cjs).
import { loadProgram } from "./compiled.ts";

/** Put in by the build: the name of the program's files, by their content. */
declare const PROGRAM_NAME: string;

void loadProgram(import.meta.dirname, PROGRAM_NAME).run();
