// Owns the cases of the diagnosis: a picture of a host, and all that is said about it.
//
// A folder is called CODE.fires… where the code must be found, and CODE.not-… where it nearly would be and must not.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { testCases } from "../../test/cases.ts";
import { pictureFrom } from "../../test/pictures.ts";
import { renderFindings } from "../cli/render/findings.ts";
import { parseConfig } from "../config/config.ts";
import { ROLES } from "../roles/index.ts";
import { CHECKS, examine } from "./examine.ts";
import { CODES } from "./finding.ts";
import type { Finding } from "./finding.ts";

const cases = join(import.meta.dirname, "cases");

testCases(cases, "said.txt", (one) => {
  const picture = pictureFrom(one.yaml("picture.yaml"));
  return renderFindings(examine(picture), picture, (_format, text) => text);
});

function findingsOf(name: string): Finding[] {
  return examine(pictureFrom(parse(readFileSync(join(cases, name, "picture.yaml"), "utf8"))));
}

const names = readdirSync(cases);

test("the checks give every code there is, and each code comes from one check", () => {
  expect(CHECKS.flatMap(({ codes }) => codes).sort()).toEqual([...CODES].sort());
});

describe.each(CODES)("%s", (code) => {
  test("is found where it is, and not where it nearly is", () => {
    const firing = names.filter((name) => name.startsWith(`${code}.fires`));
    const nearly = names.filter((name) => name.startsWith(`${code}.not-`));
    expect([firing, nearly].map((some) => some.length > 0)).toEqual([true, true]);
    for (const name of firing)
      expect(
        findingsOf(name).map((finding) => finding.code),
        name,
      ).toContain(code);
    for (const name of nearly)
      expect(
        findingsOf(name).map((finding) => finding.code),
        name,
      ).not.toContain(code);
  });
});

test("every case is of a code", () => {
  const known = names.filter((name) => CODES.some((code) => new RegExp(`^${code}\\.(fires|not-)`).test(name)));
  expect(known).toEqual(names);
});

const configs = names.flatMap((name) =>
  findingsOf(name).flatMap(({ remedy }) => (remedy.config === undefined ? [] : [[name, remedy.config] as const])),
);

test.each(configs)("what %s advises to write is a valid file", (_name, config) => {
  const { value, diagnostics } = parseConfig(`version: 1\n${config}`, "heddle.yaml", ROLES);
  expect(diagnostics).toEqual([]);
  expect(value?.sections).toHaveLength(1);
});

test("docs/DOCTOR.md has a line for each code, in their order, with what, consequence and remedy", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/DOCTOR.md"), "utf8");
  const rows = [...text.matchAll(/^\| `([a-z-]+)` \|(.*)\|$/gm)];
  expect(rows.map(([, code]) => code)).toEqual([...CODES]);
  for (const [, code, rest] of rows) {
    expect(
      rest?.split("|").filter((cell) => cell.trim().length > 10),
      code,
    ).toHaveLength(3);
  }
});
