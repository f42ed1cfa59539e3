// Owns the cases of imported files: scripts and units in, the file and what is said beside it out.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { testCases } from "../../test/cases.ts";
import type { Case } from "../../test/cases.ts";
import { renderDiagnostics } from "../cli/render/diagnostics.ts";
import { parseConfig } from "../config/config.ts";
import { ROLES } from "../roles/index.ts";
import { draftFromScripts } from "./scripts.ts";
import { withoutRefused, writeDraft } from "./write.ts";

const cases = join(import.meta.dirname, "cases");

/** Every other file of the folder is input, in the order of the names. */
function readInput(one: Case): { file: string; text: string }[] {
  const files = readdirSync(one.directory).filter((file) => !["heddle.yaml", "said.txt"].includes(file));
  return files.sort().map((file) => ({ file, text: one.text(file) }));
}

describe("the file", () => {
  testCases(cases, "heddle.yaml", (one) => {
    const yaml = writeDraft(draftFromScripts(readInput(one), {}));
    const { diagnostics } = parseConfig(yaml, "heddle.yaml", ROLES);
    expect(diagnostics.filter(({ code }) => code !== "no-roles")).toEqual([]);
    return yaml;
  });
});

describe("what is said", () => {
  testCases(cases, "said.txt", (one) => {
    const input = readInput(one);
    const { findings } = withoutRefused(draftFromScripts(input, {}));
    const sources = new Map(input.map(({ file, text }) => [file, text]));
    return renderDiagnostics(findings, sources, (_format, plain) => plain) || "nothing\n";
  });
});
