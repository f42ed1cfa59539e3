// Owns the reading of systemd unit files: the commands that starting a unit would run.
import { walkScript } from "./shell/walk.ts";
import type { Run } from "./shell/walk.ts";

const START_KEYS: ReadonlySet<string> = new Set(["ExecStartPre", "ExecStart", "ExecStartPost"]);

/** Whether a text is a unit file. */
export function isUnit(text: string): boolean {
  return /^\s*\[(?:Service|Unit)\]\s*$/m.test(text);
}

/** The commands of a unit in the order in which starting it runs them, and the lines that stopping it runs. */
export function readUnit(text: string): { runs: Run[]; stops: number[] } {
  const byKey = new Map<string, Run[]>([...START_KEYS].map((key) => [key, []]));
  const variables: [string, string][] = [];
  const stops: number[] = [];
  for (const { key, value, line, column } of assignments(text)) {
    if (key === "Environment") {
      for (const [, name, plain] of value.matchAll(/"?([A-Za-z_]\w*)=([^\s"]*)"?/g))
        variables.push([name ?? "", plain ?? ""]);
    }
    if (key.startsWith("ExecStop")) stops.push(line);
    const list = byKey.get(key);
    if (!list) continue;
    // "-" lets it fail, "@", ":", "+" and "!" say how it is run (systemd.service(5)): none changes what it does.
    const prefix = /^[-@:+!|]*/.exec(value)?.[0].length ?? 0;
    if (value === "") list.length = 0;
    for (const run of walkScript(value.slice(prefix), line, variables)) {
      list.push({ ...run, column: run.column + column + prefix - 1, endColumn: run.endColumn + column + prefix - 1 });
    }
  }
  return { runs: [...byKey.values()].flat(), stops };
}

interface Assignment {
  key: string;
  value: string;
  line: number;
  /** Column of the value. */
  column: number;
}

function assignments(text: string): Assignment[] {
  const found: Assignment[] = [];
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const start = i;
    let line = lines[i] as string;
    if (/^\s*[#;]/.test(line)) continue;
    while (line.endsWith("\\") && i + 1 < lines.length) line = `${line.slice(0, -1)} ${lines[++i]}`;
    const match = /^(\s*([A-Za-z]+)\s*=\s*)(.*)$/.exec(line);
    if (match)
      found.push({ key: match[2] ?? "", value: match[3] ?? "", line: start + 1, column: (match[1] ?? "").length + 1 });
  }
  return found;
}
