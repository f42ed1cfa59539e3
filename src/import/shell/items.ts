// Owns the cutting of tokens into simple commands and keywords.
import { isRedirection, literalText } from "./words.ts";
import type { Operator, Token, Word } from "./words.ts";

/** Where a command's output goes or its input comes from. */
export interface Redirect {
  operator: string;
  target?: Word;
  document?: string;
}

/** A simple command with the operators on both sides of it ("" at the ends). */
export interface SimpleCommand {
  kind: "command";
  words: Word[];
  redirects: Redirect[];
  before: string;
  after: string;
}

/** A reserved word, or the head of a function's definition with its name. */
export interface Keyword {
  kind: "keyword";
  word: string;
  name?: string;
  line: number;
}

export type Item = SimpleCommand | Keyword;

const KEYWORDS: ReadonlySet<string> = new Set(
  "if then elif else fi for while until do done case esac { } ! time function".split(" "),
);

/** Words that begin a command where line breaks were lost. */
const BEGINNINGS: ReadonlySet<string> = new Set("echo exit set ip iptables ip6tables sysctl".split(" "));

/** The last part of a command's path: "ip" of "/usr/sbin/ip". */
export function baseName(text: string): string {
  return text.slice(text.lastIndexOf("/") + 1);
}

/** Cuts tokens into items. Every word is in exactly one of them. */
export function cutItems(tokens: readonly Token[]): Item[] {
  const items: Item[] = [];
  let command: SimpleCommand = { kind: "command", words: [], redirects: [], before: "", after: "" };
  const finish = (after: string): void => {
    if (command.words.length > 0 || command.redirects.length > 0) items.push({ ...command, after });
    command = { kind: "command", words: [], redirects: [], before: after, after: "" };
  };
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (token.kind === "operator") {
      if (isRedirection(token.text)) i += takeRedirect(command, token, tokens[i + 1]);
      else if (isFunction(command, token, tokens[i + 1])) {
        items.push({
          kind: "keyword",
          word: "function",
          name: literalText(command.words[0] as Word) ?? "",
          line: token.line,
        });
        command = { ...command, words: [] };
        i++;
      } else finish(token.text);
      if (token.text === ";;") items.push({ kind: "keyword", word: ";;", line: token.line });
      continue;
    }
    const text = token.quoted ? undefined : literalText(token);
    if (text !== undefined && KEYWORDS.has(text) && (command.words.length === 0 || token.together)) {
      if (command.words.length > 0) finish("\n");
      items.push({ kind: "keyword", word: text, line: token.line });
      continue;
    }
    if (text !== undefined && beginsAnother(command, token, baseName(text))) finish("\n");
    command.words.push(token);
  }
  finish("");
  return items;
}

function takeRedirect(command: SimpleCommand, operator: Operator, next: Token | undefined): number {
  const { text, document } = operator;
  const target = next?.kind === "word" ? next : undefined;
  command.redirects.push({
    operator: text,
    ...(target ? { target } : {}),
    ...(document === undefined ? {} : { document }),
  });
  return target ? 1 : 0;
}

/** "name ()": the head of a function. */
function isFunction(command: SimpleCommand, token: Operator, next: Token | undefined): boolean {
  return token.text === "(" && command.words.length === 1 && next?.kind === "operator" && next.text === ")";
}

/** Whether a word starts a further command though nothing separates the two: a copied text that lost its line breaks. */
function beginsAnother({ words }: SimpleCommand, word: Word, name: string): boolean {
  const [first, ...rest] = words;
  if (!first) return false;
  if (word.together && BEGINNINGS.has(name)) return true;
  if (name !== "ip" && name !== "iptables" && name !== "ip6tables") return false;
  const head = baseName(literalText(first) ?? "");
  // `echo ip route` prints it; `echo "adding routes" ip route add …` was two lines.
  if (head === "echo") return rest.length > 0 && rest.every(({ quoted }) => quoted);
  const elsewhere = rest.some((one) => ["netns", "vrf", "exec"].includes(literalText(one) ?? ""));
  return ["ip", "iptables", "ip6tables"].includes(head) && !elsewhere;
}

/** Index of the keyword that ends what begins at `from`; the last item where it is missing. */
export function matching(items: readonly Item[], from: number, opening: readonly string[], closing: string): number {
  let depth = opening.includes((items[from] as Keyword).word) ? 0 : -1;
  for (let i = from; i < items.length; i++) {
    const item = items[i] as Item;
    if (item.kind !== "keyword") continue;
    if (opening.includes(item.word)) depth++;
    else if (item.word === closing && --depth <= 0) return i;
  }
  return items.length - 1;
}
