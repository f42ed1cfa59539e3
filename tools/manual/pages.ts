// Owns which pages man(1) shows, and what each is made from: the definitions of the command line, and the pages in docs/.
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { everyCommand, placeOf } from "../../src/cli/outline.ts";
import type { CommandOutline, OptionOutline } from "../../src/cli/outline.ts";
import { partBelow, readBlocks } from "./markdown.ts";
import type { Block } from "./markdown.ts";
import { line, pageHead, renderRoff, term } from "./roff.ts";
import type { PageOf } from "./roff.ts";

/** A page as man(1) finds it. */
export interface ManualPage {
  /** Below a directory of manuals: "man1/heddle.1". */
  path: string;
  text: string;
}

/** Pages of docs/ for those who change heddle, not for those who use it. */
const FOR_DEVELOPERS = new Set(["ARCHITECTURE", "BENCHMARKS", "TESTING"]);

/** All pages, from the outline of the command line and what stands in the checkout at `root`. */
export function manualPages(program: CommandOutline, version: string, root: string): ManualPage[] {
  const names = pageNames(root);
  return [...names].map(([file, page]) => {
    const { name, section } = page;
    const blocks = readBlocks(readFileSync(join(root, file), "utf8"));
    const pageOf = pageFinder(file, names);
    const text =
      file === COMMANDS ? commandsPage(program, version, blocks, pageOf) : topicPage(page, version, blocks, pageOf);
    return {
      path: `man${section}/${name}.${section}`,
      text: withoutIdleBreaks(`${text}${seeAlso(name, [...names.values()])}`),
    };
  });
}

/** A paragraph begins with a heading as it is. */
function withoutIdleBreaks(text: string): string {
  return text.replace(/^(\.S[HS] .*\n)\.PP\n/gm, "$1");
}

interface PageName {
  name: string;
  section: number;
  /** What stands behind the dash of its NAME, where that is not the page's title. */
  about?: string;
}

const COMMANDS = "docs/CLI.md";

function pageNames(root: string): Map<string, PageName> {
  const names = new Map<string, PageName>([
    [COMMANDS, { name: "heddle", section: 1 }],
    ["docs/CONFIG.md", { name: "heddle.yaml", section: 5, about: "the file that says what a host is for" }],
    ["lab/README.md", { name: "heddle-lab", section: 7 }],
  ]);
  for (const file of globSync(["docs/*.md", "docs/roles/*.md", "docs/from/*.md"], { cwd: root }).sort()) {
    const topic = basename(file, ".md");
    if (names.has(file) || FOR_DEVELOPERS.has(topic)) continue;
    const family = file.startsWith("docs/from/") ? "from-" : "";
    names.set(file, { name: `heddle-${family}${topic.toLowerCase()}`, section: 7 });
  }
  return names;
}

function pageFinder(from: string, names: ReadonlyMap<string, PageName>): PageOf {
  return (target) => {
    const [path = ""] = target.split("#");
    const file = join(from, "..", path);
    const found = names.get(file);
    if (path === "" || /^https?:/.test(target)) return undefined;
    return found ? `${found.name}(${found.section})` : file;
  };
}

/** A page of docs/: its title tells what it is about. */
function topicPage(page: PageName, version: string, blocks: readonly Block[], pageOf: PageOf): string {
  const [title, ...rest] = blocks;
  if (title?.kind !== "heading" || title.level !== 1) throw new Error(`${page.name} does not begin with its title`);
  const text = title.text.replace(/^[a-z]+: /, "").replaceAll("`", "");
  const about = page.about ?? text.charAt(0).toLowerCase() + text.slice(1);
  return `${pageHead(page.name, page.section, version, about)}.SH DESCRIPTION\n${renderRoff(rest, pageOf)}`;
}

/** Parts of docs/CLI.md that stand behind the commands. */
const PARTS = ["Exit codes", "Reading a plan", "JSON", "Completion"];

function commandsPage(program: CommandOutline, version: string, blocks: readonly Block[], pageOf: PageOf): string {
  const said = commandTexts(blocks);
  const commands = everyCommand(program).filter(
    ({ path, commands: below }) => path.length > 0 && (below.length === 0 || said.has(path.join(" "))),
  );
  const about = "policy routing for hosts that stand in several fabrics at once";
  const parts = PARTS.map((title) =>
    renderRoff([{ kind: "heading", level: 2, text: title }, ...partBelow(blocks, title)], pageOf),
  );
  // What stands behind the table of commands, up to the first heading.
  const table = blocks.findIndex(({ kind }) => kind === "table");
  const heading = blocks.findIndex((block, index) => index > table && block.kind === "heading");
  return [
    pageHead("heddle", 1, version, about),
    `.SH SYNOPSIS\n\\fBheddle\\fR [\\fIoptions\\fR] \\fIcommand\\fR [\\fIoptions\\fR] [\\fIvalues\\fR]\n`,
    `.SH DESCRIPTION\n${line(program.about, pageOf)}\n${renderRoff(blocks.slice(table + 1, heading), pageOf)}`,
    `.SH OPTIONS\nThey may stand before and behind the command.\n${program.options.map((option) => optionText(option, pageOf)).join("")}`,
    ".SH COMMANDS\n",
    ...commands.map((command) => commandText(command, said, pageOf)),
    ...parts,
    `.SH FILES\n${FILES.map(([file, text]) => term(`\`${file}\``, text, pageOf)).join("")}`,
  ].join("");
}

const FILES = [
  ["/etc/heddle/heddle.yaml", "The file that says what this host is for."],
  ["/var/lib/heddle", "Drawn numbers, and the files that were confirmed."],
  ["/run/heddle", "What was changed since the start, and the agent's socket."],
  ["/etc/iproute2/rt_tables.d/heddle.conf", "Names of tables that heddle drew."],
] as const;

/** By the words of each command, what docs/CLI.md says of it. */
export function commandTexts(blocks: readonly Block[]): Map<string, string> {
  const table = blocks.find((block) => block.kind === "table");
  return new Map(
    (table?.rows ?? []).flatMap(([names = "", does = ""]) =>
      [...names.matchAll(/`([a-z]+(?: [a-z]+)*)/g)].map(([, name = ""]) => [name, does] as const),
    ),
  );
}

function commandText(command: CommandOutline, said: ReadonlyMap<string, string>, pageOf: PageOf): string {
  const words = command.path.join(" ");
  const below = command.commands.map(({ name }) => `\\fB${name}\\fR`).join(" | ");
  const values = [...command.values.map((value) => `\\fI${placeOf(value)}\\fR`), ...(below ? [`[${below}]`] : [])];
  const text = said.get(words) ?? command.about;
  const told = command.values
    .filter(({ about }) => about !== "")
    .map((value) => term(`*${placeOf(value)}*`, sentence(value.about), pageOf));
  const options = command.options.map((option) => optionText(option, pageOf));
  return `.SS "${words}"\n${[`\\fBheddle ${words}\\fR`, ...values].join(" ")}\n.PP\n${line(sentence(text), pageOf)}\n${[...told, ...options].join("")}`;
}

function optionText(option: OptionOutline, pageOf: PageOf): string {
  const { short, long, value, about, mandatory, variable } = option;
  const names = [...(short ? [short] : []), long].map((name) => `\`${name}\``).join(", ");
  const more = [
    ...(value && value.choices.length > 0 ? [`One of ${value.choices.map((word) => `\`${word}\``).join(", ")}.`] : []),
    ...(option.default === undefined ? [] : [`Unless stated: \`${option.default}\`.`]),
    ...(variable === undefined ? [] : [`The environment variable \`${variable}\` stands in for it.`]),
    ...(mandatory ? ["It has to be there."] : []),
  ];
  return term(`${names}${value ? ` *${placeOf(value)}*` : ""}`, [sentence(about), ...more].join(" "), pageOf);
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!]$/.test(begun) ? begun : `${begun}.`;
}

function seeAlso(name: string, names: readonly PageName[]): string {
  const others = names.filter((one) => one.name !== name);
  const sorted = others.sort((a, b) => a.section - b.section || a.name.localeCompare(b.name, "en"));
  const list = sorted.map((one) => `.BR ${one.name.replaceAll("-", "\\-")} (${one.section})`);
  return `.SH "SEE ALSO"\n${list.join(" ,\n")}\n`;
}
