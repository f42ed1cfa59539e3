// Owns the filling in of variables, as far as their values can be known without running anything.
import { literalText } from "./words.ts";
import type { Word } from "./words.ts";

/** A word as it would reach a program. */
export interface Argument {
  text: string;
  /** False where only a running shell knows it; the text then shows what was written. */
  known: boolean;
  quoted: boolean;
}

/** Longest word that is followed, in UTF-16 code units: a variable that is put into itself grows without end. */
const MAX_WORD = 4096;

/** Takes `NAME=value` words in front of a command; alone, or behind export and its like, they are remembered. */
export function assign(words: readonly Word[], variables: Map<string, string>): number {
  const declares = ["export", "local", "readonly", "declare", "typeset"].includes(firstText(words));
  let at = declares ? 1 : 0;
  const found: [string, Argument | undefined][] = [];
  for (; at < words.length; at++) {
    const word = words[at] as Word;
    const [first, ...rest] = word.pieces;
    const match = first && "text" in first ? /^([A-Za-z_]\w*)=(.*)$/s.exec(first.text) : null;
    if (!match) break;
    const value = { ...word, pieces: [{ text: match[2] ?? "" }, ...rest], quoted: true };
    found.push([match[1] as string, expand(value, variables)[0]]);
  }
  if (at < words.length && !declares) return at;
  for (const [name, value] of found) {
    if (value?.known) variables.set(name, value.text);
    else variables.delete(name);
  }
  return declares ? words.length : at;
}

/** A word with its variables filled in; several where an unquoted variable holds blanks. */
export function expand(word: Word, variables: ReadonlyMap<string, string>): Argument[] {
  let text = "";
  let known = true;
  let splits = false;
  for (const piece of word.pieces) {
    if ("text" in piece) text += piece.text;
    else if ("opaque" in piece) {
      text += piece.opaque;
      known = false;
    } else {
      const value = variables.get(piece.variable);
      text += value ?? `$${piece.variable}`;
      if (value === undefined) known = false;
      else splits ||= !piece.quoted;
    }
    if (text.length > MAX_WORD) {
      text = `${text.slice(0, MAX_WORD)}…`;
      known = false;
      break;
    }
  }
  const parts = splits && !word.quoted ? text.split(/\s+/).filter((part) => part !== "") : [text];
  return parts.map((part) => ({ text: part, known, quoted: word.quoted }));
}

/** The first word, where it holds no expansion; "" otherwise. */
export function firstText(words: readonly Word[]): string {
  return (words[0] && literalText(words[0])) ?? "";
}
