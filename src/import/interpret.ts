// Owns the meaning of commands: which of them make routing, and what is said of the others.
import type { SourceRange } from "../model/diagnostic.ts";
import { NotUnderstood } from "./commands/cursor.ts";
import { interpretIp } from "./commands/ip.ts";
import { readMarkChange } from "./commands/iptables.ts";
import type { OwnerMark } from "./commands/iptables.ts";
import type { Setup } from "./setup.ts";
import { baseName } from "./shell/items.ts";
import { walkScript } from "./shell/walk.ts";
import type { Argument } from "./shell/expand.ts";
import type { Run } from "./shell/walk.ts";
import { flow } from "./write.ts";

/** Commands that leave routing alone: nobody needs to hear of them. */
const SILENT: ReadonlySet<string> = new Set([
  ..."set exit return true false : echo printf logger sleep test [ [[ grep egrep awk sed cat whoami id date".split(" "),
  ..."break continue shift trap wait cd umask unset local export readonly read which command hash tee".split(" "),
]);

/** Words in front of a command that do not change what it does. */
const WRAPPERS: ReadonlySet<string> = new Set(["sudo", "exec", "nohup", "command", "env", "$", "doas", "setsid"]);

/** How deep `sh -c` may stand in `sh -c`. */
const MAX_DEPTH = 5;

/** Takes one command into the setup. `printed` is what the command before it printed, for `echo … | tee`. */
export function interpretRun(run: Run, setup: Setup, file: string, printed: string | undefined, depth = 0): void {
  const range: SourceRange = {
    file,
    start: { line: run.line, column: run.column },
    end: { line: run.line, column: run.endColumn },
  };
  const words = withoutWrappers(run.words);
  const text = words.map((word) => word.text).join(" ");
  const name = baseName(words[0]?.text ?? "");
  if (run.doubt !== undefined && name === "ip") {
    setup.say("note", "condition", `taken as if the condition on line ${run.doubt} held`, range);
  }
  if (takeWriting(run, words, name, setup, printed, range)) return;
  try {
    if (name === "ip") interpretIp(words, setup, range);
    else if (name === "iptables" || name === "ip6tables") takeMark(words, text, setup, range);
    else if (name === "sysctl")
      saySysctl(
        words.slice(1).filter((word) => !word.text.startsWith("-")),
        setup,
        range,
      );
    else if (/^(?:ba|da|k)?sh$/.test(name) && words[1]?.text === "-c" && words[2] && depth < MAX_DEPTH) {
      for (const inner of walkScript(words[2].text, run.line)) {
        interpretRun(
          { ...inner, line: run.line, column: run.column, endColumn: run.endColumn },
          setup,
          file,
          undefined,
          depth + 1,
        );
      }
    } else if (/^\d+$/.test(name) && words.length === 2) addTableName(`${name} ${words[1]?.text}`, setup);
    else if (!SILENT.has(name) && name !== "" && !run.asks)
      setup.say("warning", "not-understood", `not understood: ${text}`, range);
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    setup.say("warning", "not-understood", `not understood: ${text}`, range, explain(error, words, setup));
  }
}

/** `sudo -n /usr/bin/env ip …` is `ip …`. */
function withoutWrappers(words: readonly Argument[]): Argument[] {
  let at = 0;
  while (WRAPPERS.has(baseName(words[at]?.text ?? ""))) {
    at++;
    while (/^-|^[A-Za-z_]\w*=/.test(words[at]?.text ?? "")) at++;
  }
  return words.slice(at);
}

/** Commands that write a table's name or a sysctl into a file. */
function takeWriting(
  run: Run,
  words: readonly Argument[],
  name: string,
  setup: Setup,
  printed: string | undefined,
  range: SourceRange,
): boolean {
  const redirect = run.redirects.find(({ operator, target }) => operator.includes(">") && target !== undefined);
  const target = name === "tee" ? words.slice(1).find(({ text }) => !text.startsWith("-"))?.text : redirect?.target;
  if (target === undefined) return false;
  const document = run.redirects.find((one) => one.document !== undefined)?.document;
  const content = document ?? (name === "tee" ? printed : printedBy(words)) ?? "";
  if (/\/rt_tables(?:\.d\/[^/]*)?$/.test(target)) {
    for (const line of content.split("\n")) addTableName(line, setup);
    return true;
  }
  if (!target.startsWith("/proc/sys/")) return false;
  const key = target.slice("/proc/sys/".length).replaceAll("/", ".");
  saySysctl([{ text: `${key}=${content.trim()}`, known: true, quoted: false }], setup, range);
  return true;
}

/** What `echo` or `printf` prints; undefined for anything else. */
export function printedBy(words: readonly Argument[]): string | undefined {
  const name = baseName(words[0]?.text ?? "");
  if (name !== "echo" && name !== "printf") return undefined;
  const said = words.slice(1).filter(({ text }, i) => i > 0 || !/^-[neE]+$/.test(text));
  return said
    .map(({ text }) => text)
    .join(" ")
    .replaceAll("\\n", "\n")
    .replaceAll("\\t", "\t");
}

/** "201 alinat"; numbers that every host has are no names. */
function addTableName(line: string, setup: Setup): void {
  const match = /^\s*(0x[0-9a-f]{1,8}|\d{1,10})\s+([^\s#]+)/i.exec(line);
  const id = Number(match?.[1]);
  if (match?.[2] !== undefined && id > 0 && id <= 0xffffffff && (id < 253 || id > 255)) setup.names.set(match[2], id);
}

function saySysctl(words: readonly Argument[], setup: Setup, range: SourceRange): void {
  for (const { text } of words) {
    const detail = "The role static has no sysctls. Keep it where it is, or in /etc/sysctl.d.";
    setup.say("note", "sysctl", `sets a sysctl: ${text}`, range, detail);
  }
}

function takeMark(words: readonly Argument[], text: string, setup: Setup, range: SourceRange): void {
  const change = readMarkChange(words);
  if (!change) {
    if (words.some((word) => ["-L", "-S", "-C", "--list", "--check"].includes(word.text))) return;
    setup.say("note", "packet-filter", `left to the packet filter: ${text}`, range);
  } else if (change.change === "flush") setup.marks = [];
  else {
    const same = (mark: OwnerMark): boolean => JSON.stringify(mark) === JSON.stringify(change.mark);
    setup.marks = setup.marks.filter((mark) => !same(mark));
    if (change.change === "add") setup.marks.push(change.mark);
  }
}

/** Why, and what the command would give with the word that was likely meant. */
function explain(error: NotUnderstood, words: readonly Argument[], setup: Setup): string {
  const { corrected } = error;
  const why = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`;
  if (!corrected) return `${why}.`;
  const fixed = words.map((word) =>
    word.text === wordAt(words, corrected.index) ? { ...word, text: corrected.text } : word,
  );
  const entry = tryAgain(fixed, setup);
  return `${why}. ip refuses the command as it is${entry === undefined ? "" : `. With the other word it would be: ${entry}`}.`;
}

/** The misspelled word: the cursor counts from behind `ip rule add`. */
function wordAt(words: readonly Argument[], index: number): string | undefined {
  const verb = words.findIndex(({ text }) => /^(?:a|add|d|del|delete|r|replace|append|change|prepend)$/.test(text));
  return words[verb + 1 + index]?.text;
}

function tryAgain(words: readonly Argument[], setup: Setup): string | undefined {
  const trial = setup.empty();
  try {
    interpretIp(words, trial, { file: "", start: { line: 1, column: 1 }, end: { line: 1, column: 1 } });
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined;
    throw error;
  }
  const [entry] = [...trial.rules, ...trial.routes];
  return entry && flow(entry);
}
