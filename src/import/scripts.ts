// Owns the import of files: scripts, hooks, unit files, interfaces(5) and rt_tables, in the order in which they are given.
import type { Draft, Finding, RouteEntry, RuleEntry } from "./draft.ts";
import { proposeEgress } from "./egress.ts";
import { isTableName } from "./entries.ts";
import { interpretRun, printedBy } from "./interpret.ts";
import { proposeMultihome } from "./multihome.ts";
import { Setup } from "./setup.ts";
import { isDownWord, isUpWord } from "./shell/conditions.ts";
import { walkScript } from "./shell/walk.ts";
import type { Run } from "./shell/walk.ts";
import { isUnit, readUnit } from "./unit.ts";

/** A file and what it is called. */
export interface ScriptText {
  file: string;
  text: string;
}

const CHOSEN: Finding = {
  severity: "note",
  code: "priorities",
  summary: "where no priority is stated, it is the one that the kernel gives on a host without other rules",
  remedy: "On a host where these commands have run, `heddle import` without a file says what they are there.",
};

/** The draft of what the files make when they are run one after the other. `tableNames` are the host's. */
export function draftFromScripts(files: readonly ScriptText[], tableNames: Readonly<Record<string, number>>): Draft {
  const setup = new Setup(tableNames);
  for (const { file, text } of files) {
    const { runs, stops } = readRuns(text);
    let printed: string | undefined;
    for (const run of runs) {
      interpretRun(run, setup, file, printed);
      printed = printedBy(run.words);
    }
    const [stop] = stops;
    if (stop !== undefined) {
      const place = { line: stop, column: 1 };
      const summary = `ExecStop is not needed: \`heddle remove\` takes away what heddle made`;
      setup.say("note", "stops", summary, { file, start: place, end: { ...place, column: 2 } });
    }
  }
  setup.finish();
  if (setup.hasChosenPriorities) setup.findings.push(CHOSEN);
  const tables = nameTables(setup);
  const draft: Draft = {
    from: files.map(({ file }) => file).join(", "),
    tables,
    rules: setup.rules.map((entry) => withTable(entry, setup, tables)),
    routes: setup.routes.map((entry) => withTable(entry, setup, tables)),
    findings: setup.findings,
    proposals: [],
  };
  return { ...draft, proposals: [...proposeMultihome(draft), ...proposeEgress(draft, setup.marks)] };
}

function readRuns(text: string): { runs: Run[]; stops: number[] } {
  if (isUnit(text)) return readUnit(text);
  if (/^\s*iface\s+\S+\s+inet6?\s/m.test(text)) return { runs: readInterfaces(text), stops: [] };
  return { runs: walkScript(text), stops: [] };
}

/** The commands of interfaces(5): behind `up` and its like, for the link of the stanza. */
function readInterfaces(text: string): Run[] {
  let link: string | undefined;
  return text.split(/\r?\n/).flatMap((line, i): Run[] => {
    const match = /^\s*(\S+)\s+(\S.*)$/.exec(line);
    const [, key = "", rest = ""] = match ?? [];
    if (key === "iface") link = rest.split(/\s/)[0];
    if (!isUpWord(key) || isDownWord(key)) return [];
    const before = line.length - rest.length;
    const runs = walkScript(rest, i + 1, link === undefined ? [] : [["IFACE", link]]);
    return runs.map((run) => ({ ...run, column: run.column + before, endColumn: run.endColumn + before }));
  });
}

/** The known numbers of the tables that can be called by a name. A name without a number is said once. */
function nameTables(setup: Setup): Record<string, number> {
  const tables: Record<string, number> = {};
  const unknown = new Set<string>();
  for (const { table } of [...setup.rules, ...setup.routes]) {
    const id = typeof table === "string" ? setup.names.get(table) : table;
    const name = typeof table === "string" ? table : nameOf(table, setup);
    if (id !== undefined && name !== undefined && isTableName(name)) tables[name] = id;
    if (typeof table === "string" && id === undefined && !KNOWN.has(table)) unknown.add(table);
  }
  for (const table of unknown) {
    setup.findings.push({
      severity: "note",
      code: "table-number",
      summary: `the number of table ${table} is in none of the files`,
      detail: "heddle finds it in the host's rt_tables.",
      remedy: `Where it is not there, say it: tables: { ${isTableName(table) ? table : "NAME"}: 201 }, or auto.`,
    });
  }
  return tables;
}

/** Tables that need no number. */
const KNOWN: ReadonlySet<string> = new Set(["main", "default", "local"]);

function nameOf(table: number | undefined, setup: Setup): string | undefined {
  return [...setup.names].find(([, id]) => id === table)?.[0];
}

/** A table goes by the name that the file gives it; by its number where the file can give it none. */
function withTable<E extends RouteEntry | RuleEntry>(
  entry: E,
  setup: Setup,
  tables: Readonly<Record<string, number>>,
): E {
  const { table } = entry;
  if (table === undefined) return entry;
  const id = typeof table === "string" ? setup.names.get(table) : table;
  const name = Object.entries(tables).find(([, known]) => known === id)?.[0];
  return { ...entry, table: name ?? id ?? table };
}
