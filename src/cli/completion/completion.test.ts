// Owns the proof of the completion scripts, in the real shells: every command and every option is found by each of them.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXPORT_FORMATS } from "../../export/exported.ts";
import { everyCommand, outlineOf } from "../outline.ts";
import type { CommandOutline, OptionOutline } from "../outline.ts";
import { defineProgram } from "../program.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { zshCompletion } from "./zsh.ts";

const { program: definitions } = await defineProgram(["lab"], "0");
const program = outlineOf(definitions);
const commands = everyCommand(program);
const place = mkdtempSync(join(tmpdir(), "heddle-completion-"));

beforeAll(() => {
  writeFileSync(join(place, "bash"), bashCompletion(program));
  writeFileSync(join(place, "zsh"), zshCompletion(program));
  writeFileSync(join(place, "_heddle"), zshCompletion(program));
  writeFileSync(join(place, "fish"), fishCompletion(program));
  mkdirSync(join(place, "work/a folder"), { recursive: true });
  writeFileSync(join(place, "work/it's a file.yaml"), "");
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

function run(shell: string, words: readonly string[]): string {
  const env = { ...process.env, HOME: place, TERM: "dumb", HISTFILE: "" };
  const options = { encoding: "utf8", cwd: join(place, "work"), env, timeout: 25_000 } as const;
  const { status, stdout, stderr, error } = spawnSync(shell, words, options);
  if (error || status !== 0) throw new Error(`${shell} ended with ${status}: ${error?.message ?? ""}${stderr}`);
  return stdout;
}

/** What each line, whose words are apart, can be completed to at its last word: all in one run of the shell. */
type Complete = (lines: readonly (readonly string[])[]) => string[][];

const inBash: Complete = (lines) => {
  const asked = lines.map((words) => {
    const list = ["heddle", ...words].map((word) => `'${word}'`).join(" ");
    return `COMP_WORDS=(${list}); COMP_CWORD=${words.length}; _heddle; printf '%s\\n' "\${COMPREPLY[@]}"; echo END`;
  });
  return answers(run("bash", ["--norc", "-c", `source ../bash; ${asked.join("\n")}`]));
};

const inFish: Complete = (lines) => {
  const asked = lines.map((words) => `complete -C '${["heddle", ...words].join(" ")}'; echo END`);
  return answers(run("fish", ["--no-config", "-c", `source ../fish\n${asked.join("\n")}`])).map((found) =>
    found.map((line) => line.replace(/\t.*/, "")),
  );
};

function answers(output: string): string[][] {
  return output
    .split("END\n")
    .slice(0, -1)
    .map((text) => text.split("\n").filter((line) => line !== ""));
}

/** Types lines at a terminal, each when the one before is done; a function in heddle's place says what it was given. */
async function typeAtTerminal(shell: string, start: string, lines: readonly string[]): Promise<string[]> {
  const env = { ...process.env, HOME: place, TERM: "dumb", HISTFILE: "" };
  const terminal = spawn("script", ["-qec", shell, "/dev/null"], { cwd: join(place, "work"), env });
  const given: string[] = [];
  let output = "";
  terminal.stdin.write(`${start}\nheddle() { printf 'GIVEN<'; printf '[%s]' "$@"; printf '>\\n'; }\nheddle ready\n`);
  try {
    for await (const part of terminal.stdout.setEncoding("utf8") as AsyncIterable<string>) {
      output += part;
      for (let end; (end = /^GIVEN<(.*)>\r?\n/m.exec(output)); output = output.slice(end.index + end[0].length)) {
        given.push(end[1] ?? "");
        if (given.length > lines.length) return given.slice(1);
        terminal.stdin.write(`${lines[given.length - 1]}\n`);
      }
    }
    throw new Error(`${shell} ended after ${given.length} lines: ${output}`);
  } finally {
    terminal.kill();
  }
}

function optionsOf(command: CommandOutline): readonly OptionOutline[] {
  return command === program ? program.options : [...command.options, ...program.options];
}

describe.each([
  ["bash", inBash],
  ["fish", inFish],
] as const)("in %s", (shell, complete) => {
  test("every command is offered below the one that it belongs to", () => {
    const parents = commands.filter((command) => command.commands.length > 0);
    const found = complete(parents.map(({ path }) => [...path, ""]));
    expect(found.map((names) => names.sort())).toEqual(
      parents.map((parent) => parent.commands.map(({ name }) => name).sort()),
    );
  });

  test("every option is offered behind its command", () => {
    const found = complete(commands.map(({ path }) => [...path, "--"]));
    expect(found.map((names) => names.sort())).toEqual(
      commands.map((command) => ["--help", ...optionsOf(command).map(({ long }) => long)].sort()),
    );
  });

  test("values are completed by their kind, also behind options of the program and several of their own", () => {
    const found = complete([
      ["export", "--as", "n"],
      ["--json", "export", "--as", "ip"],
      ["--file", "x", "completion", "f"],
      ["explain", "--to", "192.0.2.1", "--iif", "l"],
      ["explain", "--user", "roo"],
      ["explain", "--group", "roo"],
      ["export", "-o", "a"],
      ["install", "--root", "a"],
      ["agent", "--look-every", ""],
    ]);
    const directory = shell === "bash" ? "a folder" : "a folder/";
    const [formats = [], more, shells, links, users, groups, ...rest] = found;
    expect(formats.sort()).toEqual(EXPORT_FORMATS.filter((name) => name.startsWith("n")).sort());
    expect(more).toEqual(["iproute2"]);
    expect(shells).toEqual(["fish"]);
    expect(links).toEqual(["lo"]);
    expect(users).toContain("root");
    expect(groups).toContain("root");
    expect(rest).toEqual([[directory], [directory], []]);
  });

  test("files are completed wherever one can stand, with what is odd in their names", () => {
    const places = [
      ["-f", "it"],
      ["plan", "--facts", "one.json", "it"],
      ["import", "one.sh", "two.sh", "it"],
      ["rdma", "decode", "--bad", "it"],
      ["lab", "run", "it"],
    ];
    const name = shell === "bash" ? "it's a file.yaml" : String.raw`it\'s\ a\ file.yaml`;
    expect(complete(places).map((names) => names.map((found) => found.replaceAll("\\", "")))).toEqual(
      places.map(() => [name.replaceAll("\\", "")]),
    );
  });
});

test("bash: --file=NAME, which it takes for three words", () => {
  expect(
    inBash([
      ["plan", "--out", "=", "it"],
      ["--file", "="],
    ]),
  ).toEqual([["it's a file.yaml"], expect.arrayContaining(["a folder", "it's a file.yaml"])]);
});

/** Shortest beginnings that no other one of the names has; names that are themselves such a beginning have none. */
function uniquely(names: readonly string[]): { typed: string; name: string }[] {
  return names.flatMap((name) => {
    const others = names.filter((other) => other !== name);
    const lengths = Array.from({ length: name.length }, (_, index) => index + 1);
    const length = lengths.find(
      (count) => count > 2 && !others.some((other) => other.startsWith(name.slice(0, count))),
    );
    return length === undefined || length === name.length ? [] : [{ typed: name.slice(0, length), name }];
  });
}

describe.each([
  ["bash", "bash --norc -i", "source ../bash"],
  ["zsh", "zsh -f -i", "autoload -U compinit; compinit -u -D; source ../zsh"],
  ["zsh, which finds the script by itself", "zsh -f -i", "fpath+=(..); autoload -U compinit; compinit -u -D"],
])("at a terminal with %s", (shell, start, load) => {
  const lines = commands.flatMap((command) => {
    const names = ["--help", ...optionsOf(command).map(({ long }) => long)];
    const below = command.commands.map(({ name }) => name);
    return [...uniquely(names), ...uniquely(below)].map(({ typed, name }) => ({
      typed: ["heddle", ...command.path, `${typed}\t`].join(" "),
      given: [...command.path, name].map((word) => `[${word}]`).join(""),
    }));
  });

  test("a tab completes commands and options, file names are quoted", { timeout: 60_000 }, async () => {
    expect(lines.length).toBeGreaterThan(100);
    const typed = [...lines.map((line) => line.typed), "heddle expo\t--as ipr\t-o a\t", "heddle rdma dec\tit\t"];
    const given = [
      ...lines.map((line) => line.given),
      "[export][--as][iproute2][-o][a folder]",
      "[rdma][decode][it's a file.yaml]",
    ];
    // zsh takes the slash behind a folder away when the line is done.
    const found = (await typeAtTerminal(start, load, typed)).map((one) => one.replace("a folder/]", "a folder]"));
    expect(found, shell).toEqual(given);
  });
});
