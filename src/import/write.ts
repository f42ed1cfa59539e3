// Owns the text of an import: a heddle.yaml that `heddle check` accepts, whatever was read.
import { stringify } from "yaml";
import { staticSchema } from "../roles/static/schema.ts";
import type { Draft, Finding, RouteEntry, RuleEntry } from "./draft.ts";

/** Longest comment, in UTF-16 code units: a line of a script can be a megabyte. */
const MAX_COMMENT = 480;

/** Comments are broken at blanks, where there are any, before they are longer than that. */
const LINE_WIDTH = 116;

/** What the schema refuses is no use in the file: it becomes a finding. */
export function withoutRefused(draft: Draft): Draft {
  const findings = [...draft.findings];
  const keep = <E extends RouteEntry | RuleEntry>(list: "routes" | "rules", entries: E[]): E[] =>
    entries.filter((entry) => {
      const result = staticSchema.safeParse({ [list]: [entry] });
      if (result.success) return true;
      const why = result.error.issues.map(({ message, path }) => `${path.slice(2).join(".")}: ${message}`).join("; ");
      findings.push({
        severity: "warning",
        code: "left-out",
        summary: `left out, because the file cannot say it: ${flow(entry)}`,
        detail: `${why}.`,
      });
      return false;
    });
  return { ...draft, rules: keep("rules", draft.rules), routes: keep("routes", draft.routes), findings };
}

/** The draft as text. Everything in it passes the schema. */
export function writeDraft(given: Draft): string {
  const draft = withoutRefused(given);
  const lines = [
    ...comment(`Made by \`heddle import\` from ${draft.from}. Read it, then: heddle -f THIS-FILE plan`, ""),
    "version: 1",
  ];
  if (draft.rules.length + draft.routes.length > 0) {
    lines.push("static:", "  imported:", "    adopt: true # equal routes and rules that stand already become heddle's");
    if (Object.keys(draft.tables).length > 0) lines.push(`    tables: ${flow(draft.tables)}`);
    if (draft.rules.length > 0) lines.push("    rules:", ...draft.rules.map(item));
    if (draft.routes.length > 0) lines.push("    routes:", ...draft.routes.map(item));
  } else {
    lines.push("# There is nothing here that heddle could do.");
  }
  for (const { because, yaml } of draft.proposals) {
    lines.push(
      "",
      ...comment(because, ""),
      ...yaml
        .trimEnd()
        .split("\n")
        .flatMap((line) => comment(line, "  ")),
    );
  }
  if (draft.findings.length > 0) {
    lines.push("", "# What is not in this file, and what to know:", ...draft.findings.flatMap(findingLines));
  }
  return `${lines.join("\n")}\n`;
}

function item(entry: RouteEntry | RuleEntry): string {
  return `      - ${flow(entry)}`;
}

/** A value on one line, as the file writes it. */
export function flow(value: object): string {
  return stringify(value, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: true }).trimEnd();
}

function findingLines({ range, summary, detail, remedy }: Finding): string[] {
  const place = range ? `${range.file}:${range.start.line}: ` : "";
  const rest = [detail, remedy].filter((text) => text !== undefined).join(" ");
  return [...comment(`${place}${summary}`, "- "), ...(rest ? comment(rest, "  ") : [])];
}

/** A comment line. No character of a script may end it: it would become part of the file. */
function comment(text: string, indent: string): string[] {
  const printable = text.replaceAll(/[^\u0020-\u007e\u00a0-\u024f\u0370-\u1fff\u2010-\u2027\u2190-\u22ff]/gu, "\ufffd");
  const short = printable.length > MAX_COMMENT ? `${printable.slice(0, MAX_COMMENT - 1)}…` : printable;
  const lines: string[] = [];
  let line = "";
  for (const word of short.split(/(?<=\S)(?= )/)) {
    if (line !== "" && line.length + word.length > LINE_WIDTH) {
      lines.push(line);
      line = word.trimStart();
    } else line += word;
  }
  return [...lines, line].map((part, i) => `# ${i === 0 ? indent : " ".repeat(indent.length)}${part}`.trimEnd());
}
