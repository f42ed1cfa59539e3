// Owns the cases of exports: a file, a host and a format in, the other manager's files out.
import { join } from "node:path";
import { diagnosticLine, factsFrom, testCases } from "../../test/cases.ts";
import { parseConfig } from "../config/config.ts";
import { bindIntent, composeIntent } from "../plan/bind.ts";
import { nameTables } from "../plan/name-tables.ts";
import { emptyNumbers } from "../plan/numbers.ts";
import { ROLES } from "../roles/index.ts";
import type { ExportFormat, SiteFiles } from "./exported.ts";
import { exportFiles } from "./index.ts";

interface How extends Partial<SiteFiles> {
  as: ExportFormat;
}

testCases(join(import.meta.dirname, "cases"), "files.txt", (one) => {
  const { as, ...site } = one.yaml("how.yaml") as How;
  const config = parseConfig(one.text("config.yaml"), "config.yaml", ROLES).value;
  const facts = factsFrom(one.yaml("facts.yaml"));
  const intent = config && bindIntent(config, facts, emptyNumbers(), ROLES).value;
  const want = intent && composeIntent(intent).value;
  if (!intent || !want) throw new Error("the case's file is wrong");
  const { value = [], diagnostics } = exportFiles(as, {
    want,
    links: intent.sections[0]?.view.links ?? facts.links,
    tables: nameTables(intent, facts),
    numbers: intent.numbers,
    origin: "/etc/heddle/heddle.yaml",
    site: { networkd: {}, netplan: {}, ifupdown: {}, ipoibModes: {}, ...site },
  });
  const files = value.map(({ path, mode, text }) => `==> ${path} ${mode.toString(8)}\n${text}`);
  return [...files, ...diagnostics.map((diagnostic) => `${diagnosticLine(diagnostic)}\n`)].join("");
});
