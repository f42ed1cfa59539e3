// Owns what is read of Markdown: the few forms that the manual is written in.

/** A piece of a page. Text is Markdown's own within a line: code, bold, links. */
export type Block =
  | { kind: "heading"; level: number; text: string }
  | { kind: "paragraph"; text: string }
  | { kind: "list"; items: string[] }
  | { kind: "table"; head: string[]; rows: string[][] }
  | ({ kind: "code" } & CodeBlock);

/** A block between fences, or one that stands four spaces to the right. */
export interface CodeBlock {
  /** The first word behind the fence; empty where none stands. */
  language: string;
  /** What stands between the fences, with a line feed at its end. */
  text: string;
  /** The first line, from 1. */
  line: number;
}

/** The blocks of a page, in their order; comments are no part of it. */
export function readBlocks(page: string): Block[] {
  const lines = page.replace(/<!--[\s\S]*?-->/g, (comment) => comment.replace(/[^\n]/g, "")).split("\n");
  const blocks: Block[] = [];
  let at = 0;
  /** Takes lines as long as they fit. */
  const take = (fits: (line: string) => boolean): string[] => {
    const first = at;
    while (at < lines.length && fits(lines[at] ?? "")) at++;
    return lines.slice(first, at);
  };
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const [, marks, title] = /^(#+) (.*)$/.exec(line) ?? [];
    if (line.trim() === "") at++;
    else if (marks !== undefined && title !== undefined) {
      blocks.push({ kind: "heading", level: marks.length, text: title });
      at++;
    } else if (line.startsWith("```")) {
      at++;
      const begin = at;
      const text = take((one) => !one.startsWith("```"));
      if (at === lines.length) throw new Error(`the fence of line ${begin} is not closed`);
      at++;
      blocks.push({ kind: "code", language: /^```(\w*)/.exec(line)?.[1] ?? "", text: joined(text), line: begin });
    } else if (line.startsWith("    ")) {
      const begin = at + 1;
      const text = take((one) => one.startsWith("    ") || (one === "" && lines[at + 1]?.startsWith("    ") === true));
      blocks.push({ kind: "code", language: "", text: joined(text.map((one) => one.slice(4))), line: begin });
    } else if (line.startsWith("|")) {
      const [head = [], , ...rows] = take((one) => one.startsWith("|")).map(cells);
      blocks.push({ kind: "table", head, rows });
    } else if (/^(-|\d+\.) /.test(line)) {
      const items = take((one) => /^((-|\d+\.) | {2,}\S)/.test(one));
      const text = items.map((one) => (one.startsWith(" ") ? ` ${one.trim()}` : `\n${one.replace(/^(-|\d+\.) /, "")}`));
      blocks.push({ kind: "list", items: text.join("").slice(1).split("\n") });
    } else {
      const text = take((one) => one.trim() !== "" && !/^(#|```|\||- )/.test(one));
      blocks.push({ kind: "paragraph", text: text.map((one) => one.trim()).join(" ") });
    }
  }
  return blocks;
}

/** The blocks of code of a page. */
export function codeBlocks(page: string): CodeBlock[] {
  return readBlocks(page).filter((block) => block.kind === "code");
}

/** The part below a heading, up to the next one of its level. */
export function partBelow(blocks: readonly Block[], title: string): Block[] {
  const from = blocks.findIndex((block) => block.kind === "heading" && block.text === title);
  const heading = blocks[from];
  if (heading?.kind !== "heading") throw new Error(`there is no heading "${title}"`);
  const rest = blocks.slice(from + 1);
  const end = rest.findIndex((block) => block.kind === "heading" && block.level <= heading.level);
  return end < 0 ? rest : rest.slice(0, end);
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

/** The cells of a row; a bar with a backslash before it is none of its borders. */
function cells(row: string): string[] {
  return row
    .replace(/^\||\|\s*$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
}
