// Owns what every command has in common: the global options, reading the file, and saying things.
import { readFileSync, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { Config } from "../config/config.ts";
import { besidePath } from "../host/beside.ts";
import type { Diagnostic, Outcome, SourceRange } from "../model/diagnostic.ts";
import { hasErrors } from "../model/diagnostic.ts";
import type { Texts } from "../model/texts.ts";
import { EXIT } from "./exit.ts";
import type { ExitCode } from "./exit.ts";
import { write } from "./output.ts";
import { renderDiagnostics } from "./render/diagnostics.ts";
import { painter } from "./render/style.ts";
import type { Paint } from "./render/style.ts";

/** Where the file is unless the command line says otherwise. */
export const DEFAULT_FILE = "/etc/heddle/heddle.yaml";

/** Larger files are refused unread, in bytes. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** The same of a file that it names: a million routes. */
const MAX_BESIDE_BYTES = 64 * 1024 * 1024;

/** The options that every command takes. */
export interface GlobalOptions {
  file: string;
  state?: string;
  json?: true;
  color: boolean;
  debug?: true;
}

/** What a command is run with. */
export class Context {
  readonly options: GlobalOptions;
  readonly paint: Paint;
  readonly #sources = new Map<string, string>();

  constructor(options: GlobalOptions) {
    this.options = options;
    this.paint = painter(1, options.color);
  }

  /** Results: to standard output. False when nobody reads them any more. */
  say(text: string): boolean {
    if (text === "") return true;
    return write(1, text.endsWith("\n") ? text : `${text}\n`);
  }

  /** Results for a program: one JSON value on one line. */
  sayJson(value: unknown): boolean {
    return this.say(JSON.stringify(value));
  }

  /** Progress and remarks: to standard error. */
  remark(text: string): void {
    write(2, text.endsWith("\n") ? text : `${text}\n`);
  }

  /** Diagnostics for a person: to standard error. With --json they are part of the result instead. */
  report(diagnostics: readonly Diagnostic[]): void {
    if (diagnostics.length === 0 || this.options.json) return;
    this.remark(renderDiagnostics(diagnostics, this.#sources, painter(2, this.options.color)));
  }

  /** Ends a command that cannot go on: the diagnostics for whoever reads, and the exit code. */
  fail(diagnostics: readonly Diagnostic[], exit: ExitCode = EXIT.failed, more: object = {}): ExitCode {
    if (this.options.json) this.sayJson({ ...more, diagnostics });
    this.report(diagnostics);
    return exit;
  }

  /** Remembers the text of a file that diagnostics may point to. */
  addSource(file: string, text: string): void {
    this.#sources.set(file, text);
  }

  /** What is said of a file that could not be read. */
  unreadable(file: string, error: unknown, remedy: string): Diagnostic {
    return unreadable(file, explain(error), remedy);
  }

  /** The texts of a file that was read, with those that it names, for whoever keeps them. */
  textsOf(file = this.options.file): Texts {
    const others = [...this.#sources].filter(([path]) => path !== file);
    return {
      file,
      text: this.#sources.get(file) ?? "",
      ...(others.length > 0 ? { beside: Object.fromEntries(others) } : {}),
    };
  }

  /** Checks a text in the file's place: the one that a saved plan was made of. */
  async takeTexts({ file, text, beside = {} }: Texts): Promise<{ config?: Config; diagnostics: Diagnostic[] }> {
    this.#sources.set(file, text);
    for (const [path, content] of Object.entries(beside)) this.#sources.set(path, content);
    // The YAML library and the schemas of the roles are a good part of the start, which `--help` does without.
    const [{ parseConfig }, { ROLES }] = await Promise.all([
      import("../config/config.ts"),
      import("../roles/index.ts"),
    ]);
    const { value, diagnostics } = parseConfig(text, file, ROLES, (name, range) => this.#readBeside(file, name, range));
    return value && !hasErrors(diagnostics) ? { config: value, diagnostics } : { diagnostics };
  }

  /** Reads a file that the configuration names, from its own directory; what was taken along is taken instead. */
  #readBeside(file: string, name: string, range: SourceRange): Outcome<{ file: string; text: string }> {
    const path = besidePath(file, name);
    const taken = this.#sources.get(path);
    if (taken !== undefined) return { value: { file: path, text: taken }, diagnostics: [] };
    const refuse = (detail: string): Outcome<never> => ({
      diagnostics: [{ ...unreadable(path, detail, "Check the path: it begins where this file is."), range }],
    });
    try {
      const found = statSync(path);
      if (!found.isFile()) return refuse("It is no file.");
      if (found.size > MAX_BESIDE_BYTES)
        return refuse(`It has ${found.size} bytes, at most ${MAX_BESIDE_BYTES} are read.`);
      const text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
      this.#sources.set(path, text);
      return { value: { file: path, text }, diagnostics: [] };
    } catch (error) {
      return refuse(explain(error));
    }
  }

  /** Reads and checks the file, or another one. `config` is absent when the diagnostics hold errors. */
  async readConfig(file = this.options.file): Promise<{ config?: Config; diagnostics: Diagnostic[] }> {
    let text: string;
    try {
      const { size } = await stat(file);
      if (size > MAX_FILE_BYTES) return { diagnostics: [unreadable(file, `It has ${size} bytes.`)] };
      text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file));
    } catch (error) {
      return { diagnostics: [unreadable(file, explain(error))] };
    }
    return this.takeTexts({ file, text });
  }
}

function unreadable(file: string, detail: string, remedy?: string): Diagnostic {
  remedy ??=
    file === DEFAULT_FILE ? "Write the file there, or say where it is with -f FILE." : "Check the path after -f.";
  return { code: "file-unreadable", severity: "error", summary: `${file} cannot be read`, detail, remedy };
}

function explain(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  switch (code) {
    case "ENOENT":
      return "There is no such file.";
    case "EACCES":
      return "You may not read it.";
    case "EISDIR":
      return "It is a directory.";
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return "It is not UTF-8 text.";
    default:
      return error instanceof Error ? `${error.message}.` : String(error);
  }
}
