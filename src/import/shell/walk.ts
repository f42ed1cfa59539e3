// Owns the way through a script: which commands it would run to set things up, with the values that can be known.
import { isDownWord, judgeTest, variableOf } from "./conditions.ts";
import type { Verdict } from "./conditions.ts";
import { baseName, cutItems } from "./items.ts";
import type { Item, Keyword, SimpleCommand } from "./items.ts";
import { literalText, readTokens } from "./words.ts";
import type { Word } from "./words.ts";

/** A word as it would reach a program. */
export interface Argument {
  text: string;
  /** False where only a running shell knows it; the text then shows what was written. */
  known: boolean;
  quoted: boolean;
}

/** A command that a script would run. */
export interface Run {
  words: Argument[];
  redirects: { operator: string; target?: string; document?: string }[];
  line: number;
  column: number;
  endColumn: number;
  /** Line of a condition that could not be judged and is taken to hold; said once for each condition. */
  doubt?: number;
  /** It stands in a condition: what it answers matters to the script, not what it does. */
  asks?: true;
}

interface Frame {
  kind: "if" | "case" | "loop";
  line: number;
  active: boolean;
  inCondition: boolean;
  /** A branch was taken, so that no other is. */
  taken: boolean;
  verdict: Verdict;
  restore?: { name: string; value: string | undefined };
  /** The script ends here unless the hook is called for this link. */
  unless?: { name: string; value: string; exits: boolean };
  subject?: Word;
  inPattern: boolean;
  patterns: string[];
  doubted: boolean;
}

/** Most commands that a script is unrolled into: loops in loops multiply. */
const MAX_RUNS = 10_000;

/** How much a verdict says; of several conditions in a row the one that says most decides. */
const WEIGHT: Record<Verdict["is"], number> = { true: 0, asking: 1, unknown: 2, unless: 3, bind: 4, false: 5 };

/** Programs that only look: a condition on them asks whether something stands already. */
const ASKING: ReadonlySet<string> = new Set("grep egrep whoami id true : command which ip iptables".split(" "));

/** The commands of a script in their order, loops unrolled. `variables` are those that are set before it. */
export function walkScript(text: string, firstLine = 1, variables: Iterable<[string, string]> = []): Run[] {
  const walk = new Walk(variables);
  walk.run(cutItems(readTokens(text.replaceAll("\r\n", "\n"), firstLine)));
  return walk.runs;
}

class Walk {
  readonly runs: Run[] = [];
  readonly #variables: Map<string, string>;
  readonly #frames: Frame[] = [];
  readonly #functions = new Set<string>();
  /** A test in front of && or ||, which decides about the next command only. */
  #guard: { verdict: Verdict; operator: string } | undefined;
  #ended = false;

  constructor(variables: Iterable<[string, string]>) {
    this.#variables = new Map(variables);
  }

  run(items: readonly Item[]): void {
    for (let i = 0; i < items.length && !this.#ended; i++) {
      const item = items[i] as Item;
      if (item.kind === "command") {
        this.#command(item);
        continue;
      }
      const next = items[i + 1];
      if (item.word === "for" && next?.kind === "command") {
        const end = matching(items, i, ["for", "while", "until"], "done");
        this.#forLoop(next.words, items.slice(i + 2, end));
        i = end;
      } else if (item.word === "case" && next?.kind === "command") {
        this.#open("case", item.line);
        this.#caseHead(next);
        i++;
      } else if (item.word === "function") {
        const end = matching(items, i, ["{"], "}");
        this.#functions.add(item.name ?? "");
        // What takes things down would undo what the rest sets up.
        if (!/^(?:do_|cmd_)?(?:stop|down|del|remove|clean|flush|tear)/.test(item.name ?? ""))
          this.run(items.slice(i + 1, end));
        i = end;
      } else this.#keyword(item.word, item.line);
    }
  }

  #open(kind: Frame["kind"], line: number): void {
    const inCondition = kind !== "case";
    const verdict: Verdict = { is: "true" };
    const frame = { kind, line, active: true, inCondition, taken: false, verdict, inPattern: !inCondition };
    this.#frames.push({ ...frame, patterns: [], doubted: false });
  }

  #keyword(word: string, line: number): void {
    if (word === "if") return this.#open("if", line);
    if (word === "while" || word === "until") return this.#open("loop", line);
    const frame = this.#frames.at(-1);
    if (!frame) return;
    if (word === "then" || word === "do") this.#enter(frame);
    else if (word === "elif") {
      this.#leave(frame);
      Object.assign(frame, { inCondition: true, active: true, verdict: { is: "true" }, line });
    } else if (word === "else") {
      this.#leave(frame);
      frame.active = !frame.taken;
      if (frame.unless) this.#bind(frame, frame.unless.name, frame.unless.value);
    } else if (word === ";;") {
      if (frame.kind === "case") frame.inPattern = true;
    } else if (word === "fi" || word === "done" || word === "esac") {
      this.#leave(frame);
      this.#frames.pop();
      if (frame.unless?.exits) this.#variables.set(frame.unless.name, frame.unless.value);
    }
  }

  /** Begins the branch behind a condition. */
  #enter(frame: Frame): void {
    frame.inCondition = false;
    const { verdict } = frame;
    frame.active = verdict.is !== "false" && verdict.is !== "unless" && !frame.taken;
    if (verdict.is === "unless") frame.unless = { name: verdict.name, value: verdict.value, exits: false };
    if (verdict.is === "bind") this.#bind(frame, verdict.name, verdict.value);
    if (frame.active && verdict.is !== "bind") frame.taken = true;
  }

  #bind(frame: Frame, name: string, value: string): void {
    frame.restore = { name, value: this.#variables.get(name) };
    this.#variables.set(name, value);
  }

  #leave(frame: Frame): void {
    if (!frame.restore) return;
    const { name, value } = frame.restore;
    if (value === undefined) this.#variables.delete(name);
    else this.#variables.set(name, value);
    delete frame.restore;
  }

  #caseHead(command: SimpleCommand): void {
    const frame = this.#frames.at(-1) as Frame;
    const [subject, , ...patterns] = command.words;
    if (subject) frame.subject = subject;
    if (patterns.length > 0) this.#pattern(frame, { ...command, words: patterns });
  }

  #pattern(frame: Frame, command: SimpleCommand): void {
    frame.patterns.push(...command.words.map((word) => literalText(word) ?? "*"));
    if (command.after !== ")") return;
    const name = frame.subject && variableOf(frame.subject);
    const known = name === undefined ? undefined : this.#variables.get(name);
    const { patterns } = frame;
    frame.inPattern = false;
    frame.patterns = [];
    this.#leave(frame);
    if (known !== undefined) frame.active = patterns.includes(known) || (patterns.includes("*") && !frame.taken);
    else frame.active = !patterns.every(isDownWord) && !(patterns.includes("*") && frame.taken);
    if (frame.active) frame.taken = true;
    const [only] = patterns;
    const isEvent = patterns.some((text) => isDownWord(text) || text.includes("*"));
    if (frame.active && known === undefined && name !== undefined && only !== undefined && !isEvent)
      this.#bind(frame, name, only);
  }

  #forLoop(header: readonly Word[], body: readonly Item[]): void {
    const name = header[0] && literalText(header[0]);
    const values = header.slice(2).flatMap((word) => this.#expand(word));
    if (name === undefined) return;
    for (const { text, known } of values) {
      if (known) this.#variables.set(name, text);
      else this.#variables.delete(name);
      const depth = this.#frames.length;
      this.run(body);
      this.#frames.length = Math.min(this.#frames.length, depth);
    }
  }

  #command(command: SimpleCommand): void {
    const frame = this.#frames.at(-1);
    if (frame?.kind === "case" && frame.inPattern) return this.#pattern(frame, command);
    const verdict = judgeTest(command.words, this.#variables);
    if (frame?.inCondition) {
      frame.verdict = stronger(frame.verdict, verdict ?? { is: isAsking(command) ? "true" : "unknown" });
      if (verdict) return;
    } else if (verdict) {
      this.#guard = ["&&", "||"].includes(command.after) ? { verdict, operator: command.after } : undefined;
      return;
    }
    this.#guarded(command, frame);
  }

  #guarded(command: SimpleCommand, frame: Frame | undefined): void {
    const guard = this.#guard;
    this.#guard = undefined;
    const first = firstText(command.words);
    const ends = first === "exit" || first === "return";
    if (ends && frame?.unless && !frame.active) frame.unless.exits = true;
    if (!this.#frames.every(({ active }) => active)) return;
    const verdict = guard?.verdict;
    if (verdict?.is === "bind" || verdict?.is === "unless") {
      const only = (verdict.is === "bind") === (guard?.operator === "&&");
      // `[ "$IFACE" = ib0 ] || exit`: what follows is for this link.
      if (!only && ends) this.#variables.set(verdict.name, verdict.value);
      if (!only) return;
      const earlier = this.#variables.get(verdict.name);
      this.#variables.set(verdict.name, verdict.value);
      this.#emit(command);
      if (earlier === undefined) this.#variables.delete(verdict.name);
      else this.#variables.set(verdict.name, earlier);
      return;
    }
    if (verdict?.is === (guard?.operator === "&&" ? "false" : "true")) return;
    this.#emit(command);
  }

  #emit(command: SimpleCommand): void {
    const assigned = this.#assign(command.words);
    const words = command.words.slice(assigned).flatMap((word) => this.#expand(word));
    if (words.length === 0 && command.redirects.length === 0) return;
    // Where it is defined is where its commands were taken.
    if (this.#functions.has(words[0]?.text ?? "")) return;
    if (this.runs.length >= MAX_RUNS) this.#ended = true;
    const [start, end] = [command.words[assigned], command.words.at(-1)];
    const doubted = this.#frames.find(
      (frame) => frame.verdict.is === "unknown" && !frame.inCondition && !frame.doubted,
    );
    this.runs.push({
      words,
      redirects: command.redirects.map(({ operator, target, document }) => ({
        operator,
        ...(target
          ? {
              target: this.#expand(target)
                .map(({ text }) => text)
                .join(" "),
            }
          : {}),
        ...(document === undefined ? {} : { document }),
      })),
      line: start?.line ?? 1,
      column: start?.column ?? 1,
      endColumn: end && start && end.line === start.line ? end.column + end.width : (start?.column ?? 1) + 1,
      ...(doubted ? { doubt: doubted.line } : {}),
      ...(this.#frames.at(-1)?.inCondition ? { asks: true as const } : {}),
    });
    if (doubted && words[0]?.text.endsWith("ip")) doubted.doubted = true;
  }

  /** Takes `NAME=value` words in front of a command; alone, or behind export and its like, they are remembered. */
  #assign(words: readonly Word[]): number {
    const declares = ["export", "local", "readonly", "declare", "typeset"].includes(firstText(words));
    let at = declares ? 1 : 0;
    const found: [string, Argument | undefined][] = [];
    for (; at < words.length; at++) {
      const word = words[at] as Word;
      const [first, ...rest] = word.pieces;
      const match = first && "text" in first ? /^([A-Za-z_]\w*)=(.*)$/s.exec(first.text) : null;
      if (!match) break;
      const value = { ...word, pieces: [{ text: match[2] ?? "" }, ...rest], quoted: true };
      found.push([match[1] as string, this.#expand(value)[0]]);
    }
    if (at < words.length && !declares) return at;
    for (const [name, value] of found) {
      if (value?.known) this.#variables.set(name, value.text);
      else this.#variables.delete(name);
    }
    return declares ? words.length : at;
  }

  /** A word with its variables filled in; several where an unquoted variable holds blanks. */
  #expand(word: Word): Argument[] {
    let text = "";
    let known = true;
    let splits = false;
    for (const piece of word.pieces) {
      if ("text" in piece) text += piece.text;
      else if ("opaque" in piece) {
        text += piece.opaque;
        known = false;
      } else {
        const value = this.#variables.get(piece.variable);
        text += value ?? `$${piece.variable}`;
        if (value === undefined) known = false;
        else splits ||= !piece.quoted;
      }
    }
    const parts = splits && !word.quoted ? text.split(/\s+/).filter((part) => part !== "") : [text];
    return parts.map((part) => ({ text: part, known, quoted: word.quoted }));
  }
}

function firstText(words: readonly Word[]): string {
  return (words[0] && literalText(words[0])) ?? "";
}

function isAsking(command: SimpleCommand): boolean {
  const first = command.words.map((word) => baseName(literalText(word) ?? "")).find((text) => text !== "sudo");
  return ASKING.has(first ?? "");
}

function stronger(a: Verdict, b: Verdict): Verdict {
  return WEIGHT[b.is] > WEIGHT[a.is] ? b : a;
}

/** Index of the keyword that ends what begins at `from`; the last item where it is missing. */
function matching(items: readonly Item[], from: number, opening: readonly string[], closing: string): number {
  let depth = opening.includes((items[from] as Keyword).word) ? 0 : -1;
  for (let i = from; i < items.length; i++) {
    const item = items[i] as Item;
    if (item.kind !== "keyword") continue;
    if (opening.includes(item.word)) depth++;
    else if (item.word === closing && --depth <= 0) return i;
  }
  return items.length - 1;
}
