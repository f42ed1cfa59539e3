// Owns the cases of the roles: a file and a host in, the wanted objects out.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { diagnosticLine, factsFrom, testCases } from "../../test/cases.ts";
import { parseConfig } from "../config/config.ts";
import { bindIntent, composeIntent } from "../plan/bind.ts";
import { describeObject } from "../plan/kinds/index.ts";
import { emptyNumbers } from "../plan/numbers.ts";
import { ROLES } from "./index.ts";

const here = import.meta.dirname;

for (const entry of readdirSync(here, { withFileTypes: true })) {
  if (!entry.isDirectory()) continue;
  describe(entry.name, () => {
    testCases(join(here, entry.name, "cases"), "desired.yaml", (one) => {
      const config = parseConfig(one.text("config.yaml"), "config.yaml", ROLES, (name) => ({
        value: { file: name, text: one.text(name) },
        diagnostics: [],
      }));
      if (!config.value) return { diagnostics: config.diagnostics.map(diagnosticLine) };
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
