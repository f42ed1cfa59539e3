// Owns the proof that sections which need the agent are refused where there is none.
import { expect, test } from "vitest";
import * as z from "zod/mini";
import { parseConfig } from "../config/config.ts";
import type { Role } from "../roles/role.ts";
import { refuseAgentSections } from "./needs-agent.ts";

const watching: Role<{ probe: boolean }> = {
  name: "watching",
  about: "",
  schema: z.strictObject({ probe: z.boolean() }),
  claims: () => [],
  desire: () => ({ value: [], diagnostics: [] }),
  needsAgent: ({ value }) => value.probe,
};

test("the section is named with its place, and the others are not", () => {
  const text = "version: 1\nwatching:\n  a: { probe: false }\n  b: { probe: true }\n";
  const { value } = parseConfig(text, "heddle.yaml", [watching]);
  if (!value) throw new Error("the file is wrong");
  const [one, ...more] = refuseAgentSections(value, [watching], "an export has none");
  expect(more).toEqual([]);
  expect(one).toMatchObject({ code: "needs-agent", severity: "error", range: { start: { line: 4 } } });
  expect(one?.summary).toBe("watching/b needs the agent, and an export has none");
});
