// Owns the completion script for bash (4.4 and later). It needs no other package.
import { everyCommand } from "../outline.ts";
import { quote } from "./quote.ts";
import type { CommandOutline, OptionOutline, ValueOutline } from "../outline.ts";

/** The script that bash reads. */
export function bashCompletion(program: CommandOutline): string {
  const commands = everyCommand(program);
  return `# Completion of heddle for bash, as \`heddle completion bash\` writes it.

# What may stand at a place: the words that lead there, then an option or the number of a value.
_heddle_value() {
  case "$1" in
${commands.flatMap((command) => valueCases(program, command)).join("\n")}
  esac
}

_heddle_options() {
  case "$1" in
${commands.map((command) => `    ${quote(key(command))}) echo ${quote(optionWords(program, command))} ;;`).join("\n")}
  esac
}

_heddle_commands() {
  case "$1" in
${commands
  .filter((command) => command.commands.length > 0)
  .map((command) => `    ${quote(key(command))}) echo ${quote(command.commands.map(({ name }) => name).join(" "))} ;;`)
  .join("\n")}
  esac
}

_heddle() {
  local current=\${COMP_WORDS[COMP_CWORD]} at= word value= count=0 i
  COMPREPLY=()
  # Bash takes the = of --file=NAME for a word of its own.
  [ "$current" != = ] || current=
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [ "$word" = = ]; then
      continue
    elif [[ $word = -?* ]]; then
      value=$(_heddle_value "$at $word")
    elif [ -n "$value" ]; then
      [[ $value = *... ]] || value=
    elif [[ " $(_heddle_commands "$at") " = *" $word "* ]]; then
      at="$at $word" count=0
    else
      count=$((count + 1))
    fi
  done
  if [[ $current = -* && ( -z $value || $value = *... ) ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_heddle_options "$at")" -- "$current")
    return
  fi
  if [ -z "$value" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_heddle_commands "$at")" -- "$current")
    value=$(_heddle_value "$at $count")
    [ -n "$value" ] || value=$(_heddle_value "$at *")
  fi
  case \${value%...} in
    file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    directory) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    user) mapfile -t COMPREPLY < <(compgen -u -- "$current") ;;
    group) mapfile -t COMPREPLY < <(compgen -g -- "$current") ;;
    link) mapfile -t COMPREPLY < <(compgen -W "$(cd /sys/class/net && echo *)" -- "$current") ;;
    =*) mapfile -t COMPREPLY < <(compgen -W "\${value#=}" -- "$current") ;;
  esac
}

complete -F _heddle heddle
`;
}

/** The words that lead to a command, each with a space before it. */
function key({ path }: CommandOutline): string {
  return path.map((word) => ` ${word}`).join("");
}

function valueCases(program: CommandOutline, command: CommandOutline): string[] {
  const options = withProgram(program, command).flatMap(({ short, long, value }) =>
    value ? [short, long].filter((name) => name !== undefined).map((name) => [name, value] as const) : [],
  );
  const values = command.values.map((value, index) => [value.many ? "*" : String(index), value] as const);
  return [...options, ...values].map(
    ([name, value]) => `    ${quote(`${key(command)} ${name}`)}) echo ${code(value)} ;;`,
  );
}

/** What the script calls a kind of value. */
function code({ kind, choices, many }: ValueOutline): string {
  return quote(`${choices.length > 0 ? `=${choices.join(" ")}` : kind}${many ? "..." : ""}`);
}

function optionWords(program: CommandOutline, command: CommandOutline): string {
  return [
    ...withProgram(program, command).flatMap(({ short, long }) => (short ? [short, long] : [long])),
    "--help",
  ].join(" ");
}

function withProgram(program: CommandOutline, command: CommandOutline): readonly OptionOutline[] {
  return command === program ? program.options : [...command.options, ...program.options];
}
