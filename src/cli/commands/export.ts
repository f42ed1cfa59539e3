// Owns `heddle export`: the same routing as files of another manager, for hosts that shall have no heddle at run time.
import { join } from "node:path";
import { lookAndPlan } from "../../agent/look.ts";
import type { Config } from "../../config/config.ts";
import type { ExportedFile, ExportFormat, SiteFiles } from "../../export/exported.ts";
import { MARK } from "../../export/common.ts";
import { exportFiles } from "../../export/index.ts";
import { readManagers } from "../../host/managers/read.ts";
import { readText } from "../../host/picture/files.ts";
import { place } from "../../host/placed/place.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { hasErrors } from "../../model/diagnostic.ts";
import type { Facts, LinkFact } from "../../model/facts.ts";
import { bindIntent, composeIntent } from "../../plan/bind.ts";
import type { Intent } from "../../plan/bind.ts";
import type { DesiredState } from "../../model/objects.ts";
import { nameTables } from "../../plan/name-tables.ts";
import { refuseAgentSections } from "../../plan/needs-agent.ts";
import type { Numbers } from "../../plan/numbers.ts";
import { ROLES } from "../../roles/index.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { openSession } from "../session.ts";

/** The command's own options. */
export interface ExportOptions {
  as: ExportFormat;
  output?: string;
  force?: true;
}

/** Writes what the file means on this host as files of another manager. Changes nothing of the host's. */
export async function exportRouting(context: Context, options: ExportOptions): Promise<ExitCode> {
  const { config, diagnostics } = await context.readConfig();
  if (!config) return context.fail(diagnostics);
  const refused = refuseAgentSections(config, ROLES, "an export has none");
  if (refused.length > 0) return context.fail([...diagnostics, ...refused]);
  await using session = await openSession(context);
  const outcome = await lookAndPlan(config, session.host, session.memory, session.trace);
  const said = [...diagnostics, ...session.diagnostics, ...outcome.diagnostics];
  if (!outcome.look) return context.fail(said);

  const { facts, earlier } = outcome.look;
  const { intent, want } = bindAsBefore(config, facts, earlier) ?? outcome.look;
  const links = intent.sections[0]?.view.links ?? facts.links;
  const exported = exportFiles(options.as, {
    want,
    links,
    tables: nameTables(intent, facts),
    numbers: intent.numbers,
    origin: context.options.file,
    site: await readSite(links),
  });
  said.push(...exported.diagnostics);
  if (!exported.value) return context.fail(said);
  const inTheWay =
    options.output === undefined ? [] : await write(options.output, exported.value, options.force === true);
  if (inTheWay.length > 0) return context.fail([...said, ...inTheWay]);

  if (context.options.json) context.sayJson({ files: exported.value, diagnostics: said });
  else if (options.output === undefined) context.say(renderFiles(exported.value));
  else context.say(exported.value.map(({ path }) => `Wrote ${join(options.output ?? "", path)}.\n`).join(""));
  context.report(said);
  return said.some(({ code }) => code.startsWith("waiting-")) ? EXIT.waiting : EXIT.ok;
}

/**
 * The file bound once more, with the nexthop ids that are remembered: where an earlier export is in force, the objects
 * under them are that export's, and to give them other ids would make each export differ from the one before.
 */
function bindAsBefore(
  config: Config,
  facts: Facts,
  earlier: Numbers,
): { intent: Intent; want: DesiredState } | undefined {
  const remembered = new Set(Object.values(earlier.nexthops));
  if (remembered.size === 0) return undefined;
  const nexthops = facts.inUse.nexthops.filter((id) => !remembered.has(id));
  const intent = bindIntent(config, { ...facts, inUse: { ...facts.inUse, nexthops } }, earlier, ROLES).value;
  const want = intent && composeIntent(intent).value;
  return intent && want && { intent, want };
}

async function readSite(links: readonly LinkFact[]): Promise<SiteFiles> {
  const { networkd, netplan, ifupdown } = await readManagers(links);
  const ipoibModes: Record<string, "datagram" | "connected"> = {};
  for (const { name, type } of links) {
    const mode = type === "infiniband" ? await readText("/", `/sys/class/net/${name}/mode`) : undefined;
    const word = typeof mode === "string" ? mode.trim() : "";
    if (word === "datagram" || word === "connected") ipoibModes[name] = word;
  }
  return { networkd, netplan, ifupdown, ipoibModes };
}

/** Writes the files below a directory, or none of them when one would take the place of somebody else's. */
async function write(directory: string, files: readonly ExportedFile[], force: boolean): Promise<Diagnostic[]> {
  const inTheWay: Diagnostic[] = [];
  for (const { path } of files) {
    const there = await readText(directory, path);
    const replaceable = there === undefined || (typeof there === "string" && isExported(there));
    if (!replaceable && !force) inTheWay.push(fileInTheWay(join(directory, path)));
  }
  if (hasErrors(inTheWay)) return inTheWay;
  for (const { path, mode, text } of files) await place(directory, { path, mode, text });
  return [];
}

/** Whether a text is one of an earlier export, or heddle's own names of tables. */
function isExported(text: string): boolean {
  return text.slice(0, 400).includes(MARK) || text.startsWith("# Names of the tables that heddle drew");
}

function fileInTheWay(path: string): Diagnostic {
  return {
    code: "file-exists",
    severity: "error",
    summary: `${path} is there already, and not from an export`,
    detail: "Nothing was written.",
    remedy: "Write to an empty directory with -o DIR, or replace it with --force.",
  };
}

/** One file after the other, each with a line that says where it belongs; `-o` writes them. */
function renderFiles(files: readonly ExportedFile[]): string {
  return files
    .map(({ path, mode, text }) => `==> ${path} (mode ${mode.toString(8).padStart(4, "0")})\n${text}`)
    .join("\n");
}
