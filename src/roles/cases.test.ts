// Owns the cases of the roles: a file and a host in, the wanted objects out. What is read without an error must be right
// for an editor too, which knows the file's language by `heddle schema`.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { diagnosticLine, factsFrom, testCases } from "../../test/cases.ts";
import { parseConfig } from "../config/config.ts";
import { jsonSchema } from "../config/schema.ts";
import { bindIntent, composeIntent } from "../plan/bind.ts";
import { describeObject } from "../plan/kinds/index.ts";
import { emptyNumbers } from "../plan/numbers.ts";
import { ROLES } from "./index.ts";

const here = import.meta.dirname;
const editor = new Ajv2020({ allowUnionTypes: true }).compile(jsonSchema(ROLES));

test("an editor sees keys that no section has, and values that are no values", () => {
  const said = (section: object): (string | undefined)[] => {
    editor({ version: 1, multihome: { ib: { links: "ib*", ...section } } });
    return (editor.errors ?? []).map(({ keyword }) => keyword);
  };
  expect([said({}), said({ lnks: "ib*" }), said({ rp_filter: "losse" })]).toEqual([
    [],
    ["additionalProperties"],
    ["enum"],
  ]);
});

for (const entry of readdirSync(here, { withFileTypes: true })) {
  if (!entry.isDirectory()) continue;
  describe(entry.name, () => {
    testCases(join(here, entry.name, "cases"), "desired.yaml", (one) => {
      const config = parseConfig(one.text("config.yaml"), "config.yaml", ROLES, (name) => ({
        value: { file: name, text: one.text(name) },
        diagnostics: [],
      }));
      if (!config.value) return { diagnostics: config.diagnostics.map(diagnosticLine) };
      expect(editor(one.yaml("config.yaml")), JSON.stringify(editor.errors)).toBe(true);
      const bound = bindIntent(config.value, factsFrom(one.yaml("facts.yaml")), emptyNumbers(), ROLES);
      if (!bound.value) return { diagnostics: bound.diagnostics.map(diagnosticLine) };
      const composed = composeIntent(bound.value);
      const diagnostics = [...config.diagnostics, ...bound.diagnostics, ...composed.diagnostics];
      return {
        ...(composed.value
          ? {
              desired: composed.value.objects.map(
                (object) => `${describeObject(object)}${object.adopt ? ", adopt" : ""}`,
              ),
            }
          : {}),
        ...(diagnostics.length > 0 ? { diagnostics: diagnostics.map(diagnosticLine) } : {}),
      };
    });
  });
}
