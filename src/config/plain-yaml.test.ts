// The quick reader must say exactly what the library says, or nothing.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Places } from "./places.ts";
import { readPlainYaml } from "./plain-yaml.ts";
import { readYaml } from "./yaml.ts";

/** All that the library says of a text, in the form of what the quick reader says. */
function compare(text: string): "same" | "left to the library" {
  const plain = readPlainYaml(text, "f");
  if (!plain) return "left to the library";
  const outcome = readYaml(text, "f");
  if (!outcome.value) throw new Error(`the library refuses what was read quickly:\n${text}`);
  const places = new Map<string, Places | undefined>();
  for (const key of outcome.value.places.keys()) places.set(key, plain.place(stepsOf(key)));
  expect({ text, value: plain.value, places }).toEqual({ text, ...outcome.value });
  return "same";
}

function stepsOf(key: string): (string | number)[] {
  return (JSON.parse(key) as string[]).map((step) => (/^\d+$/.test(step) ? Number(step) : step));
}

const WORDS = [
  "ib0",
  "10.0.0.0/8",
  "fd00:16::1",
  "fd00::/64",
  "1",
  "007",
  "0x1f",
  "0o17",
  "1.5",
  "1e5",
  "true",
  "null",
  "~",

  "NO",
  "a:b",
  "a::",
  '"x y"',
  "'q'",
  '"a\\n"',
  "'it''s'",
  "-1",
  "2001-12-14",
  "9007199254740993",
  "ib*",
  "*a",
  "&a b",

  "[]",
  "{}",
  "a b",
  "a#b",
  "a #c",
  "12:30",
  "::1",
  "",
  "!t x",
  "| x",
  "80-90",
  ".5",
  "5.",
  "=",
  "<<",
  "é",
  "0",
  "-",
];
const word = fc.constantFrom(...WORDS);
const key = fc.constantFrom("a", "b", "c", "to", "x-y", "x.y", "true", "1", "<<", "__proto__", '"k"', "constructor");
const flow = fc.letrec<{ node: string; list: string; map: string }>((tie) => ({
  node: fc.oneof({ depthSize: "small", withCrossShrink: true }, word, tie("list"), tie("map")),
  list: fc
    .tuple(fc.array(tie("node"), { maxLength: 3 }), fc.constantFrom(", ", ",", " , ", ",  "))
    .map(([items, comma]) => `[${items.join(comma)}]`),
  map: fc
    .tuple(
      fc.array(fc.tuple(key, fc.constantFrom(": ", ":", ":  "), tie("node")), { maxLength: 3 }),
      fc.constantFrom("{", "{ "),
      fc.constantFrom("}", " }", ", }"),
    )
    .map(([entries, open, close]) => `${open}${entries.map((entry) => entry.join("")).join(", ")}${close}`),
})).node;
const tail = fc.constantFrom("", "", "", " ", "  # c", " #", "#x");
const line = fc
  .tuple(
    fc.nat(3).map((n) => " ".repeat(n * 2)),
    fc.constantFrom("", "", "", "", "- ", "-   ", "- - ", "-", "# "),
    fc.option(
      key.map((name) => `${name}:`),
      { nil: "" },
    ),
    fc.constantFrom(" ", "  ", ""),
    fc.option(flow, { nil: "" }),
    tail,
  )
  .map((parts) => parts.join(""));
const soup = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom("\n", "\n", "", "\n\n"))
  .map(([lines, end]) => lines.join("\n") + end);

/** Blocks as people write them, with comments and blank lines between. */
const tidy = fc.letrec<{ map: string[]; list: string[]; entry: string[]; item: string[] }>((tie) => {
  const deeper = (lines: readonly string[], by: string): string[] =>
    lines.map((text) => (text === "" ? "" : by + text));
  const between = fc.constantFrom<string[]>([], [], [], [""], ["# c"], ["", "  # d", ""]);
  const plain = fc.constantFrom("ib0", "10.0.0.0/8", "1", '"x"', "{ a: 1, b: [c, d] }", "[x, { y: 2 }]", "true  # c");
  return {
    entry: fc.oneof(
      { depthSize: "small" },
      fc.tuple(between, plain).map(([gap, value]) => [`: ${value}`, ...gap]),
      fc.tuple(tie("map"), fc.constantFrom("  ", "    ")).map(([lines, by]) => [":", ...deeper(lines, by)]),
      fc
        .tuple(tie("list"), fc.constantFrom("", "  "), fc.constantFrom(":", ": # c"))
        .map(([lines, by, colon]) => [colon, ...deeper(lines, by)]),
    ),
    map: fc
      .uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 3 })
      .chain((names) =>
        fc
          .tuple(...names.map((name) => tie("entry").map(([first = "", ...rest]) => [name + first, ...rest])))
          .map((all) => all.flat()),
      ),
    item: fc
      .oneof(
        { depthSize: "small" },
        plain.map((value) => [value]),
        tie("map"),
      )
      .map(([first = "", ...rest]) => [`- ${first}`, ...deeper(rest, "  ")]),
    list: fc.tuple(fc.array(tie("item"), { minLength: 1, maxLength: 3 })).map(([items]) => items.flat()),
  };
}).map;

describe("readPlainYaml", () => {
  it("says what the library says, or nothing, of lines thrown together", () => {
    fc.assert(
      fc.property(soup, (text) => void compare(text)),
      { numRuns: 3000 },
    );
  });

  it("says what the library says of tidy files, and reads most of them", () => {
    const seen = { same: 0, "left to the library": 0 };
    fc.assert(
      fc.property(tidy, (lines) => void seen[compare(`${lines.join("\n")}\n`)]++),
      { numRuns: 1000 },
    );
    expect(seen.same).toBeGreaterThan(100);
  });

  it.each([
    ["a file as people write it", "version: 1\n\n# fabric\nmultihome:\n  ib: { links: [ib0, ib1] }  # both\n"],
    [
      "a block list of mappings",
      "static:\n  a:\n    routes:\n    - to: fd00:16::/64\n      link: ib0\n    - to: default\n",
    ],
    ["hexadecimal marks", "a: { mark: 0x10, b: '0x10' }\n"],
  ])("reads %s", (_name, text) => {
    expect(compare(text)).toBe("same");
  });

  it.each([
    "a: 1\na: 2\n",
    "a:\n",
    "a: |\n  x\n",
    "a: &b 1\n",
    "---\na: 1\n",
    "a: 1",
    "\ta: 1\n",
    "a: b c\n",
    "a: 010\n",
    "",
    "- 1\n",
    "a: 1\r\n",
  ])("leaves %j to the library", (text) => {
    expect(compare(text)).toBe("left to the library");
  });
});
