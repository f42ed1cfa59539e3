// Owns the proof of the pages for man(1): groff and mandoc take them without a complaint, and nothing is left out.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { everyCommand, outlineOf } from "../../src/cli/outline.ts";
import { defineProgram } from "../../src/cli/program.ts";
import { ROLES } from "../../src/roles/index.ts";
import { keyGroups } from "./keys.ts";
import { readBlocks } from "./markdown.ts";
import { commandTexts, manualPages } from "./pages.ts";
import { line, renderRoff } from "./roff.ts";

const root = join(import.meta.dirname, "../..");
const { program: definitions } = await defineProgram(["lab"], "0");
const program = outlineOf(definitions);
const pages = manualPages(program, "1.2.3", root);
const place = mkdtempSync(join(tmpdir(), "heddle-man-"));

beforeAll(() => {
  for (const { path, text } of pages) {
    mkdirSync(dirname(join(place, path)), { recursive: true });
    writeFileSync(join(place, path), text);
  }
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** A page as it is read, on lines that do not end. */
function read(path: string): string {
  const env = { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "10000", MANROFFOPT: "-c" };
  const text = execFileSync("man", ["-l", join(place, path)], {
    encoding: "utf8",
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return text.replaceAll(/.[\b]/g, "");
}

describe.each(pages.map(({ path }) => path))("%s", (path) => {
  test("groff has no warning", () => {
    const env = { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "80" };
    const words = ["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", join(place, path)];
    const { status, stderr } = spawnSync("man", words, { encoding: "utf8", env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("mandoc has no warning", () => {
    // A page has no date of its own: two builds of one version are equal.
    const said = spawnSync("mandoc", ["-T", "lint", "-W", "warning", join(place, path)], { encoding: "utf8" });
    const complaints = said.stdout.split("\n").filter((one) => one !== "" && !one.includes("missing date"));
    expect([complaints, said.stderr]).toEqual([[], ""]);
  });
});

test("there is a page for the program, the file and every role", () => {
  const names = ["man1/heddle.1", "man5/heddle.yaml.5", ...ROLES.map(({ name }) => `man7/heddle-${name}.7`)];
  expect(pages.map(({ path }) => path)).toEqual(expect.arrayContaining(names));
});

test("heddle(1) tells of every command and each of its options", () => {
  const text = read("man1/heddle.1");
  for (const { path, commands, options } of everyCommand(program).slice(1)) {
    if (commands.length > 0) continue;
    const part = new RegExp(`\\n +heddle ${path.join(" ")}[\\s\\S]*?(?=\\n {0,3}\\S|$)`).exec(text)?.[0] ?? "";
    for (const { long } of options) expect(part, path.join(" ")).toContain(long);
    expect(part.length, path.join(" ")).toBeGreaterThan(40);
  }
});

test("heddle.yaml(5) tells of every key", () => {
  const text = read("man5/heddle.yaml.5");
  for (const { keys } of keyGroups(ROLES)) for (const { path } of keys) expect(text).toContain(`\n       ${path}`);
});

test("docs/CLI.md has a row for each command, by itself or with those beside it, and for no other", () => {
  const rows = commandTexts(readBlocks(readFileSync(join(root, "docs/CLI.md"), "utf8")));
  const paths = everyCommand(program).map(({ path }) => path);
  const told = (path: readonly string[]): boolean =>
    path.some((_, index) => rows.has(path.slice(0, index + 1).join(" ")));
  const leaves = everyCommand(program).filter(({ commands }) => commands.length === 0);
  expect(leaves.filter(({ path }) => !told(path)).map(({ path }) => path)).toEqual([]);
  expect([...rows.keys()].filter((words) => !paths.some((path) => path.join(" ") === words))).toEqual([]);
});

describe("Markdown", () => {
  const targets: Record<string, string> = { "AGENT.md": "heddle-agent(7)", "adr/1.md": "docs/adr/1.md" };
  const page = (target: string): string | undefined => targets[target];

  test.each([
    ["a `-f` and **bold** and *it*", "a \\fB\\-f\\fR and \\fBbold\\fR and \\fIit\\fR"],
    ["[AGENT.md](AGENT.md), [why](adr/1.md)", "\\fBheddle\\-agent\\fR(7), why (docs/adr/1.md)"],
    ["[below](#there)", "below"],
    ["[the agent](AGENT.md)", "the agent (\\fBheddle\\-agent\\fR(7))"],
    ["`\\d` and ~ and ^", "\\fB\\ed\\fR and \\(ti and \\(ha"],
    [".TH x", "\\&.TH x"],
  ])("%s", (text, expected) => {
    expect(line(text, page)).toBe(expected);
  });

  test("lines that roff would take for its own are text", () => {
    expect(renderRoff(readBlocks("    .so /etc/passwd\n    'x\n"), page)).toContain("\\&.so /etc/passwd\n\\&'x\n");
    expect(renderRoff(readBlocks("- .x\n  y\n- z\n"), page)).toBe(".IP \\(bu 2\n\\&.x y\n.IP \\(bu 2\nz\n");
  });

  test("a table is a list of terms, with what its columns are about", () => {
    const text = "| key | | unless stated |\n|---|---|---|\n| `a` | One \\| two. | main |\n";
    expect(renderRoff(readBlocks(text), page)).toBe(".TP\n\\fBa\\fR\nOne | two.\n.br\n\\fIunless stated:\\fR main\n");
  });

  test("a fence that is not closed is told of", () => {
    expect(() => readBlocks("x\n\n```yaml\na: 1\n")).toThrow("the fence of line 3 is not closed");
  });
});
