// Owns the outline of the command line as plain values, read from the definitions that also parse it: what completions
// and the manual page are made from.
import type { Argument, Command, Option } from "commander";

/** What may stand in a value's place; "text" is what nobody can guess. */
export type ValueKind = "file" | "directory" | "link" | "user" | "group" | "text";

/** A value of an option or a command. */
export interface ValueOutline {
  /** "file", as it stands between < and >. */
  name: string;
  kind: ValueKind;
  /** The words that may stand there, where only some may; otherwise empty. */
  choices: readonly string[];
  required: boolean;
  /** Several may follow each other. */
  many: boolean;
  about: string;
}

export interface OptionOutline {
  /** "-o"; undefined where there is a long one only. */
  short?: string;
  /** "--output". */
  long: string;
  about: string;
  /** Absent for a switch. */
  value?: ValueOutline;
  /** The command does not run without it. */
  mandatory: boolean;
  /** What counts where it is left out; undefined where nothing does. */
  default?: string;
  /** The environment variable that stands in for it. */
  variable?: string;
}

export interface CommandOutline {
  /** "decode". */
  name: string;
  /** The words that lead here, without the program's name: ["rdma", "decode"]. */
  path: readonly string[];
  about: string;
  values: readonly ValueOutline[];
  /** Its own options; those of the program count everywhere. */
  options: readonly OptionOutline[];
  commands: readonly CommandOutline[];
}

/** The outline of a program or command, with the commands below it, and without what it hides. */
export function outlineOf(command: Command, path: readonly string[] = []): CommandOutline {
  const help = command.createHelp();
  const program = path.length === 0 ? [] : rootOf(command).options.map(({ long }) => long);
  const options = help.visibleOptions(command).filter(({ long }) => !program.includes(long) && long !== "--help");
  // Of what is visible, "help" is no command that was defined.
  const commands = help.visibleCommands(command).filter((one) => command.commands.includes(one));
  return {
    name: command.name(),
    path,
    about: command.description(),
    values: command.registeredArguments.map(valueOfArgument),
    options: options.map(outlineOption),
    commands: commands.map((one) => outlineOf(one, [...path, one.name()])),
  };
}

/** The commands that can be run or lead to others, each before those below it; the program itself first. */
export function everyCommand(outline: CommandOutline): CommandOutline[] {
  return [outline, ...outline.commands.flatMap(everyCommand)];
}

/** How an option or command is written: "--output <file>", "[number]". */
export function placeOf({ name, required, many }: ValueOutline): string {
  const inner = `${name}${many ? "..." : ""}`;
  return required ? `<${inner}>` : `[${inner}]`;
}

const KINDS: Readonly<Record<string, ValueKind>> = {
  file: "file",
  capture: "file",
  path: "file",
  directory: "directory",
  link: "link",
  user: "user",
  group: "group",
};

function outlineOption(option: Option): OptionOutline {
  const { short, long = "", description, mandatory, defaultValue, envVar } = option;
  const value = valueOfOption(option);
  const known: unknown = value ? defaultValue : undefined;
  return {
    ...(short === undefined ? {} : { short }),
    long,
    about: description,
    ...(value ? { value } : {}),
    mandatory,
    ...(typeof known === "string" || typeof known === "number" ? { default: String(known) } : {}),
    ...(envVar === undefined ? {} : { variable: envVar }),
  };
}

function valueOfOption({ flags, required, optional, variadic, argChoices }: Option): ValueOutline | undefined {
  if (!required && !optional) return undefined;
  const name = /[<[]([^>\].]+)/.exec(flags)?.[1] ?? "value";
  return { name, kind: KINDS[name] ?? "text", choices: argChoices ?? [], required, many: variadic, about: "" };
}

function valueOfArgument(argument: Argument): ValueOutline {
  const { required, variadic, description, argChoices } = argument;
  const name = argument.name();
  return { name, kind: KINDS[name] ?? "text", choices: argChoices ?? [], required, many: variadic, about: description };
}

function rootOf(command: Command): Command {
  return command.parent ? rootOf(command.parent) : command;
}
