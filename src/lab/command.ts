// Owns `heddle lab` on the command line: its commands, options and exit codes.
//
// Results (reports of scenarios, tables, lists, JSON) go to standard output; progress, complaints about the file and
// errors go to standard error.
import { InvalidArgumentError, type Command } from "commander";
import type { Diagnostic } from "../model/diagnostic.ts";
import { downCommand, listCommand, upCommand, type LabConsole } from "./command-stand.ts";
import { runCommand } from "./command-run.ts";
import { diagnosticText } from "./diagnostic-text.ts";
import { LAB_EXIT } from "./lab-exit.ts";
import { explainError, LabError } from "./lab-error.ts";
import { LAB_NAME } from "./names.ts";

export interface LabCommandOptions {
  /** Words that run this heddle inside a host; the default is how this process was started. */
  heddle?: readonly string[];
  /** Told the exit code; the default sets process.exitCode. */
  onExit?: (code: number) => void;
  /** Text of diagnostics for a person; the default is plain. */
  render?: (diagnostics: readonly Diagnostic[], source: { file: string; text: string }) => string;
}

interface RawOptions {
  name?: string;
  scenario?: string[];
  keep?: true;
  json?: true;
}

/** Adds `lab` with its commands to a program. */
export function registerLabCommand(program: Command, options: LabCommandOptions = {}): void {
  const lab = program
    .command("lab")
    .description("stand up hosts and fabrics in network namespaces, and run scenarios in them");
  const onExit = options.onExit ?? ((code: number) => (process.exitCode = code));
  const heddle = options.heddle ?? [process.execPath, ...process.execArgv, process.argv[1] ?? "heddle"];

  const act = async (
    command: Command,
    effect: (terminal: LabConsole, raw: RawOptions) => Promise<number>,
  ): Promise<void> => {
    const raw = command.optsWithGlobals<RawOptions>();
    const interrupted = new AbortController();
    let number = 0;
    const stop = (name: NodeJS.Signals): void => {
      number = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }[name as "SIGHUP" | "SIGINT" | "SIGTERM"];
      interrupted.abort(new LabError(`ended by ${name}`));
    };
    const terminal: LabConsole = {
      say: (text) => void process.stdout.write(`${text}\n`),
      remark: (text) => void process.stderr.write(`${text}\n`),
      render: options.render ?? diagnosticText,
      heddle,
      signal: interrupted.signal,
    };
    for (const name of ["SIGHUP", "SIGINT", "SIGTERM"] as const) process.on(name, stop);
    try {
      onExit(await effect(terminal, raw));
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      terminal.remark(`error: ${explainError(error)}`);
      onExit(number > 0 ? 128 + number : LAB_EXIT.failed);
    } finally {
      for (const name of ["SIGHUP", "SIGINT", "SIGTERM"] as const) process.off(name, stop);
    }
  };

  const named = (command: Command): Command =>
    command
      .option("--name <name>", "name of this instance, so that several stand side by side", labName)
      .option("--json", "results as JSON on standard output");

  named(lab.command("up <file>").description("stand a topology up and leave it standing (root)")).action(
    (file: string, _: unknown, command: Command) => act(command, (terminal, raw) => upCommand(terminal, file, raw)),
  );
  named(lab.command("run <file>").description("run scenarios, each in a fresh lab (anybody)"))
    .option("--scenario <name>", "run this one only (may be said several times)", collect)
    .option("--keep", "leave the lab of the last or the first failed scenario standing (root)")
    .action((file: string, _: unknown, command: Command) =>
      act(command, (terminal, raw) => runCommand(terminal, file, raw)),
    );
  named(lab.command("down [file]").description("remove a lab, however far it was built")).action(
    (file: string | undefined, _: unknown, command: Command) =>
      act(command, (terminal, raw) => downCommand(terminal, file, raw)),
  );
  named(lab.command("list [file]").description("list the labs that stand, or the scenarios of a file")).action(
    (file: string | undefined, _: unknown, command: Command) =>
      act(command, (terminal, raw) => listCommand(terminal, file, raw)),
  );
}

function labName(text: string): string {
  if (LAB_NAME.test(text)) return text;
  throw new InvalidArgumentError("Use at most 31 lower-case letters, digits and hyphens.");
}

function collect(name: string, names: string[] = []): string[] {
  return [...names, name];
}
