// Owns the way through a script: which commands it would run to set things up, with the values that can be known.
import { isAsking, isDownWord, judgeTest, stronger, variableOf } from "./conditions.ts";
import type { Verdict } from "./conditions.ts";
import { assign, expand, firstText } from "./expand.ts";
import type { Argument } from "./expand.ts";
import { cutItems, matching } from "./items.ts";
import type { Item, SimpleCommand } from "./items.ts";
import { literalText, readTokens } from "./words.ts";
import type { Word } from "./words.ts";

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

/** Most steps that a script is followed for: loops in loops multiply. */
const MAX_STEPS = 100_000;

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
  #steps = 0;
  #ended = false;

  constructor(variables: Iterable<[string, string]>) {
    this.#variables = new Map(variables);
  }

  run(items: readonly Item[]): void {
    for (let i = 0; i < items.length && !this.#ended; i++) {
      const item = items[i] as Item;
      if (++this.#steps > MAX_STEPS) return this.#end();
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

  /** The rest is not followed, which has to be said. */
  #end(): void {
    this.#ended = true;
    const words = [{ text: "(loops that go on for too long; what follows is not read)", known: true, quoted: true }];
    this.runs.push({ words, redirects: [], line: this.runs.at(-1)?.line ?? 1, column: 1, endColumn: 2 });
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
    const values = header.slice(2).flatMap((word) => expand(word, this.#variables));
    if (name === undefined) return;
    for (const { text, known } of values) {
      if (this.#ended) return;
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
    const assigned = assign(command.words, this.#variables);
    const words = command.words.slice(assigned).flatMap((word) => expand(word, this.#variables));
    if (words.length === 0 && command.redirects.length === 0) return;
    // Where it is defined is where its commands were taken.
    if (this.#functions.has(words[0]?.text ?? "")) return;
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
              target: expand(target, this.#variables)
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
}
