// Owns the completion script for fish: a line for each command, option and value.
import { everyCommand } from "../outline.ts";
import type { CommandOutline, OptionOutline, ValueKind, ValueOutline } from "../outline.ts";

/** The script that fish reads. */
export function fishCompletion(program: CommandOutline): string {
  const commands = everyCommand(program);
  const taking = new Set(
    commands.flatMap(({ options }) => options.filter(({ value }) => value).flatMap(({ short, long }) => [short, long])),
  );
  const paths = commands.slice(1).map(({ path }) => quote(path.join(" ")));
  return `# Completion of heddle for fish, as \`heddle completion fish\` writes it.

# Whether the words so far are those of a command.
function __heddle_at
    set -l at
    set -l skip no
    for word in (commandline -opc)[2..-1]
        if test $skip = yes
            set skip no
        else if string match -q -- '-*' $word
            contains -- $word ${[...taking]
              .filter((name) => name !== undefined)
              .map(quote)
              .join(" ")}; and set skip yes
        else if contains -- (string join -- ' ' $at $word) ${paths.join(" ")}
            set at $at $word
        end
    end
    test "$at" = "$argv"
end

complete -c heddle -f
${program.options.map((option) => optionLine(undefined, option)).join("\n")}
complete -c heddle -s h -l help -d 'tell what there is'
${commands.flatMap((command) => commandLines(program, command)).join("\n")}
`;
}

function commandLines(program: CommandOutline, command: CommandOutline): string[] {
  const below = command.commands.map(
    ({ name, about }) => `complete -c heddle -n ${at(command)} -a ${quote(name)} -d ${quote(about)}`,
  );
  const options = command === program ? [] : command.options.map((option) => optionLine(command, option));
  const values = command.values
    .map((value) => [value, completing(value)] as const)
    .filter(([, words]) => words !== "")
    .map(
      ([value, words]) =>
        `complete -c heddle -n ${at(command)} ${words}${value.about ? ` -d ${quote(value.about)}` : ""}`,
    );
  // Of an option that takes several values, fish knows the first one only.
  const more = command.options
    .filter(({ value }) => value?.many)
    .map(
      ({ long, value }) =>
        `complete -c heddle -n ${at(command, `; and __fish_contains_opt ${long.slice(2)}`)} ${value ? completing(value) : ""}`,
    );
  return [...below, ...options, ...values, ...more];
}

function optionLine(command: CommandOutline | undefined, { short, long, about, value }: OptionOutline): string {
  const names = [...(short ? [`-s ${short.slice(1)}`] : []), `-l ${long.slice(2)}`];
  const taken = value ? ["-x", completing(value)].filter((word) => word !== "") : [];
  // Files are what fish offers where -x does not forbid it.
  if (value?.kind === "file") taken.splice(0, taken.length, "-r", "-F");
  return [
    "complete -c heddle",
    ...(command ? [`-n ${at(command)}`] : []),
    ...names,
    ...taken,
    `-d ${quote(about)}`,
  ].join(" ");
}

function at({ path }: CommandOutline, more = ""): string {
  return quote(`${path.length === 0 ? "__heddle_at ''" : `__heddle_at ${path.join(" ")}`}${more}`);
}

const COMPLETING: Readonly<Record<ValueKind, string>> = {
  file: "-F",
  directory: "-a '(__fish_complete_directories)'",
  link: "-a '(path basename /sys/class/net/*)'",
  user: "-a '(__fish_complete_users)'",
  group: "-a '(__fish_complete_groups)'",
  text: "",
};

function completing({ kind, choices }: ValueOutline): string {
  return choices.length > 0 ? `-a ${quote(choices.join(" "))}` : COMPLETING[kind];
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", String.raw`\\`).replaceAll("'", String.raw`\'`)}'`;
}
