// Owns the proof that no text, however odd, makes the reader throw or hang.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ROLES } from "../roles/index.ts";
import { parseConfig } from "./config.ts";

const read = (text: string) => parseConfig(text, "heddle.yaml", ROLES);

describe("hostile texts", () => {
  test.each([
    ["brackets", `version: 1\nx: ${"[".repeat(200_000)}`],
    ["braces", `version: 1\nx: ${"{a: ".repeat(100_000)}`],
    ["dashes", `version: 1\nx:\n  ${"- ".repeat(50_000)}`],
    ["question marks", `version: 1\n${"? ".repeat(50_000)}`],
    ["indentation", `version: 1\n${Array.from({ length: 2000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")}`],
  ])("nested %s are refused", (_name, text) => {
    expect(read(text).diagnostics).toMatchObject([{ summary: "the file is nested too deeply" }]);
  });

  test("a file of eight megabytes is refused unread", () => {
    expect(read("#".repeat(9 * 1024 * 1024)).diagnostics).toMatchObject([{ summary: "the file is too large" }]);
  });

  test("whatever is put together from YAML's signs gets an answer with places inside the file", () => {
    const piece = fc.constantFrom(
      ..."version: 1|\n|multihome:|static:| |  |a: |- |{|}|[|]|links: |ib0|, |&x |*x|!t |? |: |'|\"|#|---\n|>|\\|%|@|\t|<<: |null|~|1e999|0x10|\u0000|\ud83d\ude00".split(
        "|",
      ),
    );
    const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(text, (input) => {
        const { value, diagnostics } = read(input);
        if (!value) expect(diagnostics.some(({ severity }) => severity === "error")).toBe(true);
        const lines = input.split("\n").length;
        for (const { range } of diagnostics) expect(range?.start.line ?? 1).toBeLessThanOrEqual(lines);
      }),
      { numRuns: 3000 },
    );
  });

  test("values of every type anywhere in a good file are answered", () => {
    const good = { version: 1, multihome: { ib: { links: [{ name: "ib0", gateway: "10.0.0.1" }], unbound: "ib0" } } };
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.integer({ min: 0, max: 7 }), (odd, where) => {
        let at = -1;
        const text = JSON.stringify(good, (_key, value: unknown) => (++at === where ? odd : value));
        expect(Array.isArray(read(text).diagnostics)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});
