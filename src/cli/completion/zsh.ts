// Owns the completion script for zsh: a function for each command, of the words that _arguments understands
// (zshcompsys(1)).
import { everyCommand } from "../outline.ts";
import { quote } from "./quote.ts";
import type { CommandOutline, OptionOutline, ValueKind, ValueOutline } from "../outline.ts";

/** The script that zsh reads, as a file _heddle of its fpath or with `source`. */
export function zshCompletion(program: CommandOutline): string {
  return `#compdef heddle
# Completion of heddle for zsh, as \`heddle completion zsh\` writes it.

${everyCommand(program)
  .map((command) => commandFunction(program, command))
  .join("\n\n")}

_heddle_links() {
  local -a links=(/sys/class/net/*(N:t))
  compadd -a links
}

if [ "$funcstack[1]" = _heddle ]; then
  _heddle "$@"
else
  compdef _heddle heddle
fi
`;
}

function commandFunction(program: CommandOutline, command: CommandOutline): string {
  const options = command === program ? program.options : [...command.options, ...program.options];
  const specs = [...options.map(optionSpec), quote("(-h --help)") + "{-h,--help}" + quote("[tell what there is]")];
  if (command.commands.length === 0) {
    // Where a value that nobody can guess may stand or be left out, zsh would offer neither it nor options.
    const values = command.values.flatMap((value, index) =>
      value.kind === "text" && value.choices.length === 0
        ? []
        : [quote(`${valuePlace(value, index)}:${valueSpec(value)}`)],
    );
    return `${functionName(command)}() {\n  _arguments -s \\\n    ${[...specs, ...values].join(" \\\n    ")}\n}`;
  }
  const names = command.commands.map(({ name, about }) => `      ${quote(`${name}:${escape(about)}`)}`).join("\n");
  const below = command.commands.map((one) => `        ${one.name}) ${functionName(one)} ;;`).join("\n");
  return `${functionName(command)}() {
  local state line context curcontext=$curcontext
  local -A opt_args
  _arguments -C -s \\
    ${specs.join(" \\\n    ")} \\
    '1:command:->command' '*::value:->value'
  case $state in
    command)
      local -a commands=(
${names}
      )
      _describe command commands
      ;;
    value)
      case $line[1] in
${below}
      esac
      ;;
  esac
}`;
}

function functionName({ path }: CommandOutline): string {
  return ["_heddle", ...path].join("_");
}

function optionSpec({ short, long, about, value }: OptionOutline): string {
  const rest = `[${escape(about)}]${value ? `:${valueSpec(value)}` : ""}`;
  // What takes several values may be said several times as well.
  if (value?.many) return quote(`*${long}${rest}`);
  return short ? `${quote(`(${short} ${long})`)}{${short},${long}}${quote(rest)}` : quote(`${long}${rest}`);
}

function valuePlace({ required, many }: ValueOutline, index: number): string {
  if (many) return "*";
  return `${index + 1}${required ? "" : ":"}`;
}

const ACTIONS: Readonly<Record<ValueKind, string>> = {
  file: "_files",
  directory: "_files -/",
  link: "_heddle_links",
  user: "_users",
  group: "_groups",
  text: "",
};

function valueSpec({ name, kind, choices }: ValueOutline): string {
  return `${name}:${choices.length > 0 ? `(${choices.join(" ")})` : ACTIONS[kind]}`;
}

/** Text within a word of _arguments or _describe. */
function escape(text: string): string {
  return text.replace(/[[\]:\\]/g, String.raw`\$&`);
}
