// Owns the cases of broken (and odd) files: what the one who wrote the file is told.
import { join } from "node:path";
import { testCases } from "../../test/cases.ts";
import { renderDiagnostics } from "../cli/render/diagnostics.ts";
import { ROLES } from "../roles/index.ts";
import { parseConfig } from "./config.ts";

testCases(join(import.meta.dirname, "cases"), "said.txt", (one) => {
  const text = one.text("heddle.yaml");
  const texts = new Map([["heddle.yaml", text]]);
  const { value, diagnostics } = parseConfig(text, "heddle.yaml", ROLES, (name) => {
    texts.set(name, one.text(name));
    return { value: { file: name, text: one.text(name) }, diagnostics: [] };
  });
  const said = renderDiagnostics(diagnostics, texts, (_format, plain) => plain);
  return `${value ? "valid" : "refused"}\n${said}`;
});
