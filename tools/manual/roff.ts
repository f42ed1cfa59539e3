// Owns how pages look to man(1): blocks of Markdown in the macros of man(7), as groff and mandoc know them.
import type { Block } from "./markdown.ts";

/**
 * Says what a link's target is: a page of the manual, "heddle-agent(7)", or a file of the sources, "docs/adr/0004-….md";
 * undefined for a place on the same page.
 */
export type PageOf = (target: string) => string | undefined;

/** The first lines of a page. `about` is the part behind the dash of its NAME. */
export function pageHead(name: string, section: number, version: string, about: string): string {
  return [
    `.TH ${argument(name.toUpperCase())} ${section} "" ${argument(`heddle ${version}`)} "heddle"`,
    // Neither hyphens nor stretched lines: names and paths are to be copied. Macros would switch hyphens on again.
    ".nr HY 0",
    ".nh",
    ".ad l",
    ".SH NAME",
    `${escape(name)} \\- ${escape(about)}`,
    "",
  ].join("\n");
}

/** Blocks as the text of a page; headings of the second level are its sections. */
export function renderRoff(blocks: readonly Block[], pageOf: PageOf): string {
  return blocks.map((block) => renderBlock(block, pageOf)).join("");
}

function renderBlock(block: Block, pageOf: PageOf): string {
  switch (block.kind) {
    case "heading": {
      const title = argument(plain(block.text));
      return block.level <= 2 ? `.SH ${title.toUpperCase()}\n` : `.SS ${title}\n`;
    }
    case "paragraph":
      return `.PP\n${line(block.text, pageOf)}\n`;
    case "code":
      return `.PP\n.RS 4\n.EX\n${block.text.trimEnd().split("\n").map(verbatim).join("\n")}\n.EE\n.RE\n`;
    case "list":
      return block.items.map((item) => `.IP \\(bu 2\n${line(item, pageOf)}\n`).join("");
    case "table":
      return block.rows.map((row) => renderRow(block.head, row, pageOf)).join("");
  }
}

/** A row as a term and what is said of it: columns side by side would leave no room for sentences. */
function renderRow(head: readonly string[], [term = "", ...rest]: readonly string[], pageOf: PageOf): string {
  const said = rest.flatMap((cell, index) => {
    if (cell === "") return [];
    const label = head[index + 1] ?? "";
    // What counts where nothing is stated, and the like, wants its heading; a single column does not.
    return [label === "" || rest.length === 1 || cell.startsWith("required") ? cell : `*${label}:* ${cell}`];
  });
  const body = said.length === 0 ? "\\&" : said.map((text) => line(text, pageOf)).join("\n.br\n");
  return `.TP\n${line(term, pageOf)}\n${body}\n`;
}

/** A term of a list with what is said of it, as options have it. */
export function term(words: string, said: string, pageOf: PageOf): string {
  return `.TP\n${line(words, pageOf)}\n${said === "" ? "\\&" : line(said, pageOf)}\n`;
}

/** Text within a line, from Markdown. */
export function line(text: string, pageOf: PageOf): string {
  const parts = text.matchAll(
    /`` ?(.+?) ?``|`([^`]+)`|\*\*(.+?)\*\*|\*([^*\s][^*]*)\*|\[((?:[^[\]]|`[^`]*`)+)\]\(([^)\s]+)\)|[\s\S]/g,
  );
  let out = "";
  for (const [whole, doubled, code, bold, italic, label, target] of parts) {
    const literal = doubled ?? code;
    // A long path may go on in the next line, at a slash.
    if (literal !== undefined) out += `\\fB${escape(literal).replaceAll("/", "/\\:")}\\fR`;
    else if (bold !== undefined) out += `\\fB${line(bold, pageOf).replace(/\\f[BIR]/g, "")}\\fR`;
    else if (italic !== undefined) out += `\\fI${escape(italic)}\\fR`;
    else if (label !== undefined && target !== undefined) out += link(label, target, pageOf);
    else out += escape(whole);
  }
  return /^[.']/.test(out) ? `\\&${out}` : out;
}

function link(label: string, target: string, pageOf: PageOf): string {
  const page = pageOf(target);
  const said = line(label, () => undefined);
  if (page === undefined) return said;
  if (!/\(\d\)$/.test(page)) return label.endsWith(".md") ? escape(page) : `${said} (${escape(page)})`;
  const named = page.replace(
    /^(.*)(\(\d\))$/,
    (_, name: string, section: string) => `\\fB${escape(name)}\\fR${section}`,
  );
  // "AGENT.md" is the name that a page has in the sources only.
  return /^`?[\w./-]+(\.md)?(#[\w-]*)?`?$/.test(label) && label.includes(".md") ? named : `${said} (${named})`;
}

/** What stands in a block of code. */
function verbatim(text: string): string {
  const safe = escape(text);
  return /^[.']/.test(safe) ? `\\&${safe}` : safe;
}

/** Text for roff: what it would take for its own, and the dash that is a minus in commands. */
function escape(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti");
}

function plain(text: string): string {
  return text.replaceAll("`", "");
}

/** One argument of a macro. */
function argument(text: string): string {
  return `"${escape(text).replaceAll('"', '""')}"`;
}
