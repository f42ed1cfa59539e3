// Owns the going through the words of a command: what is a keyword of it, and what was meant by one that is none.
import { nearest } from "../../model/nearest.ts";
import type { Argument } from "../shell/expand.ts";

/** A command that cannot be taken as it is written, and why, for a person. */
export class NotUnderstood extends Error {
  /** The word that was meant, where a typing mistake is likely: the command with it can be tried. */
  readonly corrected?: { index: number; text: string };
  constructor(message: string, corrected?: { index: number; text: string }) {
    super(message);
    if (corrected !== undefined) this.corrected = corrected;
  }
}

/** The words of a command, taken one by one. */
export class Cursor {
  readonly #words: readonly Argument[];
  #at = 0;

  constructor(words: readonly Argument[]) {
    this.#words = words;
  }

  get done(): boolean {
    return this.#at >= this.#words.length;
  }

  /** The next word without taking it; "" at the end. */
  get peek(): string {
    return this.#words[this.#at]?.text ?? "";
  }

  /** Takes the next word. Throws NotUnderstood where there is none, or only a running shell knows it. */
  next(what: string): string {
    const word = this.#words[this.#at];
    if (!word) throw new NotUnderstood(`${what} is missing at its end`);
    if (!word.known) throw new NotUnderstood(`what ${word.text} stands for is not known`);
    this.#at++;
    return word.text;
  }

  /** Takes the word behind a keyword as a whole number. */
  number(what: string, last = 0xffffffff): number {
    return readNumber(this.next(what), what, last);
  }

  /** The word that was taken last is none that may stand there. */
  strange(tool: string, known: Iterable<string>): NotUnderstood {
    const index = this.#at - 1;
    const text = this.#words[index]?.text ?? "";
    const meant = nearest(text, known);
    const message = `"${text}" is no word of ${tool}`;
    return meant === undefined
      ? new NotUnderstood(message)
      : new NotUnderstood(`${message}; "${meant}" is likely meant`, { index, text: meant });
  }
}

/** A whole number as C's strtoul reads it with base 0, which iproute2 and iptables do: 0x10 and 020 are 16. */
export function parseNumber(text: string): number | undefined {
  if (/^0[0-7]{1,11}$/.test(text)) return Number.parseInt(text, 8);
  return /^(?:0x[0-9a-f]{1,8}|0|[1-9]\d{0,9})$/i.test(text) ? Number(text) : undefined;
}

/** The same, up to a last one. Throws NotUnderstood. */
export function readNumber(text: string, what: string, last = 0xffffffff): number {
  const value = parseNumber(text);
  if (value === undefined || value > last) throw new NotUnderstood(`"${text}" is no ${what}`);
  return value;
}

/** The keyword that a word is or begins: iproute2 takes abbreviations, the first of the list winning. */
export function keywordOf<K extends string>(word: string, keywords: readonly K[]): K | undefined {
  return keywords.find((one) => one === word) ?? keywords.find((one) => word.length > 1 && one.startsWith(word));
}
