// Owns the reading of shell text into words and operators, with their places. Nothing is ever run.
//
// As much of POSIX sh (and bash) as start-up scripts are written in: quotes, comments, continued lines, here-documents,
// variables. What only a running shell knows (command substitution, arithmetic) is kept as opaque.

/** A part of a word. */
export type Piece = { text: string } | { variable: string; quoted: boolean } | { opaque: string };

/** A word as it is written. */
export interface Word {
  kind: "word";
  pieces: Piece[];
  /** Any part of it stands in quotes. */
  quoted: boolean;
  line: number;
  column: number;
  /** Characters of the word as written. */
  width: number;
  /** On a first line that is a whole script, whose line breaks were lost. */
  together: boolean;
}

/** An operator: "\n", ";", ";;", "&&", "||", "|", "&", "(", ")", or a redirection such as ">>". */
export interface Operator {
  kind: "operator";
  text: string;
  line: number;
  column: number;
  /** The text of a here-document. */
  document?: string;
}

export type Token = Word | Operator;

const OPERATORS = /^(?:\d*(?:<<-|<<<|<<|>>|>&|<&|>\||>|<)|&>>|&>|;;|&&|\|\||\|&|[;|&()\n])/;
const REDIRECTION = /[<>]/;

/** Whether an operator sends something somewhere; the word behind it says where. */
export function isRedirection(text: string): boolean {
  return REDIRECTION.test(text);
}

/** All words and operators of a text. Never fails: an open quote ends with the text. */
export function readTokens(text: string, firstLine = 1): Token[] {
  return new Reader(text, firstLine).read();
}

class Reader {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  /** Here-documents whose text begins behind the end of this line. */
  readonly #awaited: { operator: Operator; tabs: boolean }[] = [];
  #at = 0;
  #line: number;
  #lineStart = 0;
  #together = false;

  constructor(text: string, firstLine: number) {
    this.#text = text;
    this.#line = firstLine;
  }

  read(): Token[] {
    this.#skipInterpreter();
    while (this.#at < this.#text.length) {
      const rest = this.#text.slice(this.#at, this.#at + 8);
      if (rest.startsWith("\\\n")) this.#newline(2);
      else if (/^[^\S\n]/.test(rest)) this.#at++;
      else if (rest.startsWith("#")) this.#skipLine();
      else if (!this.#operator(rest)) this.#word();
    }
    return this.#tokens;
  }

  /** "#!/bin/bash -e" says nothing; what stands behind it on the same line is a script without its line breaks. */
  #skipInterpreter(): void {
    const match = /^#![ \t]*(?:\S*\/env[ \t]+)?[^ \t\n]+(?:[ \t]+-[^ \t\n]+)*[ \t]*/.exec(this.#text);
    if (!match) return;
    this.#at = match[0].length;
    this.#together = this.#text[this.#at] !== "\n" && this.#at < this.#text.length;
  }

  #skipLine(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #newline(length: number): void {
    this.#at += length;
    this.#line++;
    this.#lineStart = this.#at;
    this.#together = false;
  }

  #operator(rest: string): boolean {
    const text = OPERATORS.exec(rest)?.[0];
    if (text === undefined) return false;
    const operator: Operator = { kind: "operator", text, line: this.#line, column: this.#column() };
    this.#tokens.push(operator);
    if (text === "\n") {
      this.#newline(1);
      for (const { operator: waiting, tabs } of this.#awaited.splice(0))
        waiting.document = this.#document(waiting, tabs);
      return true;
    }
    this.#at += text.length;
    if (/<<-?$/.test(text)) this.#awaited.push({ operator, tabs: text.endsWith("-") });
    return true;
  }

  /** The lines up to the word that stands behind the operator. */
  #document(operator: Operator, tabs: boolean): string {
    const word = this.#tokens[this.#tokens.indexOf(operator) + 1];
    const end = word?.kind === "word" ? literalText(word) : undefined;
    const lines: string[] = [];
    while (this.#at < this.#text.length) {
      const stop = this.#text.indexOf("\n", this.#at);
      const line = this.#text.slice(this.#at, stop < 0 ? undefined : stop);
      if (stop < 0) this.#at = this.#text.length;
      else this.#newline(line.length + 1);
      if ((tabs ? line.replace(/^\t+/, "") : line) === end) break;
      lines.push(line);
    }
    return lines.join("\n");
  }

  #word(): void {
    const word: Word = {
      kind: "word",
      pieces: [],
      quoted: false,
      line: this.#line,
      column: this.#column(),
      width: 0,
      together: this.#together,
    };
    const start = this.#at;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at] as string;
      if (/[\s;&|<>()]/.test(char)) break;
      if (char === "'") this.#quote(word, "'");
      else if (char === '"') this.#quote(word, '"');
      else this.#piece(word, false);
    }
    word.width = this.#at - start;
    this.#tokens.push(word);
  }

  #quote(word: Word, mark: "'" | '"'): void {
    word.quoted = true;
    word.pieces.push({ text: "" });
    this.#at++;
    while (this.#at < this.#text.length && this.#text[this.#at] !== mark) {
      if (mark === '"') this.#piece(word, true);
      else this.#literal(word);
    }
    this.#at++;
  }

  /** One character, escape or expansion. */
  #piece(word: Word, quoted: boolean): void {
    const rest = this.#text.slice(this.#at);
    if (rest.startsWith("\\\n")) return this.#newline(2);
    if (rest.startsWith("\\") && (!quoted || /^\\["\\$`]/.test(rest))) {
      this.#at++;
      return this.#literal(word);
    }
    const variable = /^\$(?:\{(\w+)\}|([A-Za-z_]\w*|\d|[@*#?$!]))/.exec(rest);
    if (variable) {
      word.pieces.push({ variable: variable[1] ?? variable[2] ?? "", quoted });
      this.#at += variable[0].length;
      return;
    }
    const length = opaqueLength(rest);
    if (length === 0) return this.#literal(word);
    word.pieces.push({ opaque: rest.slice(0, length) });
    for (const char of rest.slice(0, length)) if (char === "\n") this.#line++;
    this.#at += length;
  }

  #literal(word: Word): void {
    const char = this.#text[this.#at] ?? "";
    const last = word.pieces.at(-1);
    if (last && "text" in last) last.text += char;
    else word.pieces.push({ text: char });
    if (char === "\n") this.#newline(1);
    else this.#at++;
  }

  #column(): number {
    return this.#at - this.#lineStart + 1;
  }
}

/** How long an expansion is that only a running shell can do: $(…), $((…)), ${…}, `…`; 0 where there is none. */
function opaqueLength(rest: string): number {
  if (rest.startsWith("`")) return closing(rest, "`");
  if (!/^\$[({]/.test(rest)) return 0;
  const [open, close] = rest[1] === "(" ? ["(", ")"] : ["{", "}"];
  let depth = 0;
  for (let i = 1; i < rest.length; i++) {
    if (rest[i] === open) depth++;
    else if (rest[i] === close && --depth === 0) return i + 1;
  }
  return rest.length;
}

function closing(rest: string, mark: string): number {
  const end = rest.indexOf(mark, 1);
  return end < 0 ? rest.length : end + 1;
}

/** The text of a word that holds no expansion; undefined for one that does. */
export function literalText(word: Word): string | undefined {
  let text = "";
  for (const piece of word.pieces) {
    if (!("text" in piece)) return undefined;
    text += piece.text;
  }
  return text;
}
