// Owns the pieces of shell that exported scripts share: quoting, and functions that run ip(8).
import type { Desired } from "../model/objects.ts";
import { ipCommands } from "./ip-words.ts";

/** A word as the shell takes it for one, whatever it holds. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_.,:/@+=-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** Functions that makeLine's lines call, and the variable that they leave the outcome in. */
export const SHELL_FUNCTIONS = String.raw`failed=0

# One object that is refused, because its link is not there yet, keeps none of the others from being made.
make() {
  ip "$@" || failed=1
}

# A rule that is there already is no failure; ip has no other way to say so than these words.
rule() {
  said=$(ip "$@" 2>&1) && return
  case $said in *"File exists"*) return 0 ;; esac
  printf '%s\n' "$said" >&2
  failed=1
}
`;

/** The function that dropLine's lines call. */
export const SHELL_DROP = `# What is gone already need not be taken away.
drop() {
  ip "$@" 2>/dev/null || :
}
`;

/** Waits, five seconds at most, until the IPv6 addresses of a link can be used as sources. */
export const SHELL_SETTLE = `
# An IPv6 address can be a source once the probe for duplicates is over. Without a carrier there is none.
settle() {
  tries=0
  while [ "$tries" -lt 50 ] && [ -n "$(ip -6 address show dev "$1" tentative 2>/dev/null)" ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
}
`;

/** The line that makes an object; none for what ip(8) does not make. */
export function makeLine(object: Desired): string[] {
  const commands = ipCommands(object);
  return commands ? [line(commands.once ? "rule" : "make", commands.make)] : [];
}

/** The line that takes an object away. */
export function dropLine(object: Desired): string[] {
  const commands = ipCommands(object);
  return commands ? [line("drop", commands.drop)] : [];
}

function line(verb: string, words: readonly string[]): string {
  return [verb, ...words.map(shellWord)].join(" ");
}
