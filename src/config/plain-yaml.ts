// Owns the quick reading of files that are written in plain YAML: block mappings and lists, flow ones on one line, words,
// numbers and simple quotes, comments. It gives what the YAML library would, places included, thirty times sooner and
// without loading that; whatever is not certainly plain, and all that is wrong, it leaves to the library.
import { MAX_LENGTH, placeFinder } from "./places.ts";
import type { FileValue, Place } from "./places.ts";

/** Deeper nesting is left to the library. */
const MOST_LEVELS = 32;

const KEY = /[A-Za-z_][A-Za-z0-9_.-]{0,62}(?=:[ \n])/y;
/** A colon inside a word is one that a further character of the word follows. */
const WORD = /[A-Za-z0-9_/](?:[A-Za-z0-9_./+@%*=~^$-]|:(?=[A-Za-z0-9_./:]))*/y;
const QUOTED = /"[^"\\\n]*"|'[^'\n]*'/y;
/** What may follow on a line that is over: a comment needs a blank before it. */
const LINE_END = /(?: +#[^\n]*| *)\n/y;
const COMMENT = /#[^\n]*\n/y;

const NOT_PLAIN = /[^\n\x20-\x7e]/;
/** Words of YAML 1.2's core schema that are no text. */
const CONSTANTS: ReadonlyMap<string, unknown> = new Map(
  Object.entries({ null: null, Null: null, NULL: null, true: true, True: true, TRUE: true }).concat(
    Object.entries({ false: false, False: false, FALSE: false }),
  ),
);
const WHOLE = /^(?:0|[1-9][0-9]{0,14})$/;
const HEXADECIMAL = /^0x[0-9a-fA-F]{1,12}$/;
/** Numbers that are written in another way: the library knows what they are. */
const OTHER_NUMBER = /^(?:0[xo][0-9a-fA-F]+|[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)$/;

const NEWLINE = 0x0a;
const SPACE = 0x20;
const HASH = 0x23;
const COMMA = 0x2c;
const DASH = 0x2d;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const BRACE = 0x7b;
const BRACE_END = 0x7d;

/** Reads a file; undefined when it is not certainly plain. */
export function readPlainYaml(text: string, file: string): FileValue | undefined {
  if (text.length > MAX_LENGTH || !text.endsWith("\n") || NOT_PLAIN.test(text)) return undefined;
  try {
    const { value, place } = new PlainReader(text).read();
    return { value, place: placeFinder(value, place, text, file) };
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

class NotPlain extends Error {}

class PlainReader {
  readonly #text: string;
  /** Where the reader is: on a content line, at its first character or behind what has been read of it. */
  #at = 0;
  /** Columns before the content of the line; -1 at the end of the file. */
  #indent = -1;
  /** Where the line after the last content begins: the end of every block that ends with that content. */
  #blockEnd = 0;
  #level = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): { value: unknown; place: Place } {
    this.#toContent();
    if (this.#indent !== 0) throw new NotPlain();
    const place = emptyPlace(this.#at);
    const value = this.#blockMap(0, place);
    if (this.#at < this.#text.length) throw new NotPlain();
    return { value, place };
  }

  /** From the start of a line to the next content, over blank lines and comments. */
  #toContent(): void {
    const { length } = this.#text;
    let deepest = -1;
    for (;;) {
      let at = this.#at;
      while (this.#text.charCodeAt(at) === SPACE) at++;
      const indent = at - this.#at;
      this.#at = at;
      const next = this.#text.charCodeAt(at);
      if (next === NEWLINE) this.#at++;
      else if (next === HASH) {
        deepest = Math.max(deepest, indent);
        this.#skip(COMMENT);
      } else {
        this.#indent = at < length ? indent : -1;
        // A comment that stands deeper than what follows belongs to the block before it, or to one around that.
        if (deepest > this.#indent) throw new NotPlain();
        return;
      }
    }
  }

  #endLine(): void {
    if (!this.#skip(LINE_END)) throw new NotPlain();
    this.#blockEnd = this.#at;
    this.#toContent();
  }

  #blockMap(indent: number, place: Place): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    this.#enter();
    do {
      const start = this.#at;
      const key = this.#key(value);
      const keyEnd = this.#at++;
      this.#blanks();
      place.offsets.push(start, keyEnd);
      value[key] = this.#isLineOver() ? this.#nested(indent, place) : this.#inline(place, true);
    } while (this.#indent === indent && this.#text.charCodeAt(this.#at) !== DASH);
    this.#level--;
    place.end = this.#blockEnd;
    return value;
  }

  /** The block below a key. A list may stand as far to the left as its key. */
  #nested(indent: number, above: Place): unknown {
    if (!this.#skip(LINE_END)) throw new NotPlain();
    this.#toContent();
    const isList = this.#text.charCodeAt(this.#at) === DASH;
    if (this.#indent < indent || (this.#indent === indent && !isList)) throw new NotPlain();
    const place = emptyPlace(this.#at);
    const value = isList ? this.#blockList(this.#indent, place) : this.#blockMap(this.#indent, place);
    put(above, place);
    return value;
  }

  #blockList(indent: number, place: Place): unknown[] {
    const value: unknown[] = [];
    this.#enter();
    do {
      const dash = this.#at++;
      if (this.#text.charCodeAt(this.#at) !== SPACE) throw new NotPlain();
      this.#blanks();
      if (this.#isLineOver()) throw new NotPlain();
      if (matchLength(KEY, this.#text, this.#at) > 0) {
        const item = emptyPlace(this.#at);
        const column = indent + this.#at - dash;
        this.#indent = column;
        value.push(this.#blockMap(column, item));
        put(place, item);
      } else value.push(this.#inline(place, true));
    } while (this.#indent === indent && this.#text.charCodeAt(this.#at) === DASH);
    this.#level--;
    place.end = this.#blockEnd;
    return value;
  }

  /** A value that begins on this line and ends on it. */
  #inline(above: Place, last: boolean): unknown {
    const start = this.#at;
    let value: unknown;
    const first = this.#text.charCodeAt(start);
    if (first === BRACE || first === BRACKET) {
      const place = emptyPlace(start);
      value = first === BRACE ? this.#flowMap(place) : this.#flowList(place);
      place.end = this.#at;
      put(above, place);
    } else {
      value = this.#scalar();
      above.offsets.push(start, this.#at);
    }
    if (last) this.#endLine();
    return value;
  }

  #flowMap(place: Place): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    this.#flow(BRACE_END, () => {
      const start = this.#at;
      const key = this.#key(value);
      place.offsets.push(start, this.#at++);
      this.#blanks();
      value[key] = this.#inline(place, false);
    });
    return value;
  }

  #flowList(place: Place): unknown[] {
    const value: unknown[] = [];
    this.#flow(BRACKET_END, () => value.push(this.#inline(place, false)));
    return value;
  }

  #flow(close: number, readItem: () => void): void {
    this.#enter();
    this.#at++;
    for (;;) {
      this.#blanks();
      if (this.#text.charCodeAt(this.#at) === close) break;
      readItem();
      this.#blanks();
      const next = this.#text.charCodeAt(this.#at);
      if (next === close) break;
      if (next !== COMMA) throw new NotPlain();
      this.#at++;
    }
    this.#at++;
    this.#level--;
  }

  /** A key that is text and stands in its mapping once. */
  #key(value: Record<string, unknown>): string {
    const length = matchLength(KEY, this.#text, this.#at);
    const key = this.#text.slice(this.#at, this.#at + length);
    if (length === 0 || Object.hasOwn(value, key) || CONSTANTS.has(key) || key === "__proto__") throw new NotPlain();
    this.#at += length;
    return key;
  }

  #scalar(): unknown {
    const start = this.#at;
    if (this.#skip(QUOTED)) return this.#text.slice(start + 1, this.#at - 1);
    if (!this.#skip(WORD)) throw new NotPlain();
    const word = this.#text.slice(start, this.#at);
    const first = this.#text.charCodeAt(start);
    if (first < 0x30 || first > 0x39) return CONSTANTS.has(word) ? CONSTANTS.get(word) : word;
    if (WHOLE.test(word) || HEXADECIMAL.test(word)) return Number(word);
    if (OTHER_NUMBER.test(word)) throw new NotPlain();
    return word;
  }

  #isLineOver(): boolean {
    const next = this.#text.charCodeAt(this.#at);
    if (next === HASH) this.#at--;
    return next === NEWLINE || next === HASH;
  }

  #blanks(): void {
    while (this.#text.charCodeAt(this.#at) === SPACE) this.#at++;
  }

  #skip(pattern: RegExp): boolean {
    const length = matchLength(pattern, this.#text, this.#at);
    this.#at += length;
    return length > 0;
  }

  #enter(): void {
    if (++this.#level > MOST_LEVELS) throw new NotPlain();
  }
}

function matchLength(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex - at : 0;
}

function emptyPlace(start: number): Place {
  return { start, end: start, offsets: [], below: undefined };
}

/** Notes the place of a mapping or list as that of the value that was read last. */
function put(above: Place, place: Place): void {
  (above.below ??= new Map()).set(above.offsets.length, place);
  above.offsets.push(place.start, place.end);
}
