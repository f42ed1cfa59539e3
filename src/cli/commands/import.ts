// Owns `heddle import`: what stands on this host, or in scripts and unit files, as a heddle.yaml.
import { readFile, stat, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Host } from "../../host/host.ts";
import { openHost } from "../../host/kernel.ts";
import { writeWhole } from "../../host/ledger/files.ts";
import { readTableNames } from "../../host/table-names.ts";
import { draftFromHost } from "../../import/host.ts";
import { draftFromScripts } from "../../import/scripts.ts";
import type { ScriptText } from "../../import/scripts.ts";
import type { Draft } from "../../import/draft.ts";
import { withoutRefused, writeDraft } from "../../import/write.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { Observed, Snapshot } from "../../model/objects.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";

/** Larger scripts are refused unread, in bytes. */
const MAX_SCRIPT_BYTES = 1024 * 1024;

/** The command's own options. */
export interface ImportOptions {
  output?: string;
  force?: true;
}

/** Writes a heddle.yaml of this host, or of the files. Changes nothing, and runs nothing that it reads. */
export async function importSetup(
  context: Context,
  files: readonly string[],
  options: ImportOptions,
): Promise<ExitCode> {
  const read = files.length === 0 ? { draft: await readHost(), diagnostics: [] } : await readScripts(context, files);
  if (!read.draft) return context.fail(read.diagnostics);
  const draft = withoutRefused(read.draft);
  const found = draft.rules.length + draft.routes.length;
  const diagnostics: Diagnostic[] = [...draft.findings];
  if (files.length > 0 && found === 0) return context.fail([...diagnostics, nothingFound(files)]);

  const yaml = writeDraft(draft);
  const refused = options.output === undefined ? undefined : await write(options.output, yaml, options.force === true);
  if (refused) return context.fail([refused]);
  const { rules, routes, tables } = draft;
  if (context.options.json) {
    context.sayJson({ rules: rules.length, routes: routes.length, tables, yaml, diagnostics });
  } else if (options.output === undefined) {
    context.say(yaml);
  } else {
    context.say(`Wrote ${options.output}: ${rules.length} rules, ${routes.length} routes.`);
  }
  context.report(diagnostics);
  return diagnostics.some(({ severity }) => severity === "warning") ? EXIT.waiting : EXIT.ok;
}

async function readHost(): Promise<Draft> {
  const host = openHost();
  try {
    return draftFromHost(await look(host), await host.tableNames());
  } finally {
    host.close();
  }
}

async function look(host: Host): Promise<Snapshot> {
  const links = await host.links();
  const [routes, rules] = await Promise.all([
    host.drivers.route.list(links, { sysctls: [] }),
    host.drivers.rule.list(links, { sysctls: [] }),
  ]);
  const observed: Observed[] = [...routes, ...rules];
  return { links, observed };
}

async function readScripts(
  context: Context,
  files: readonly string[],
): Promise<{ draft?: Draft; diagnostics: Diagnostic[] }> {
  const texts: ScriptText[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const file of files) {
    try {
      const bytes = file === "-" ? await readStandardInput() : await readBounded(file);
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      if (text.includes("\0")) throw new Error("It is no text");
      const name = file === "-" ? "standard input" : file;
      context.addSource(name, text);
      texts.push({ file: name, text });
    } catch (error) {
      diagnostics.push(
        context.unreadable(file, error, "Give `heddle import` scripts, unit files, or - for standard input."),
      );
    }
  }
  if (diagnostics.length > 0) return { diagnostics };
  return { draft: draftFromScripts(texts, await readTableNames()), diagnostics };
}

async function readBounded(file: string): Promise<Uint8Array> {
  const { size } = await stat(file);
  if (size > MAX_SCRIPT_BYTES) throw new Error(`It has ${size} bytes, and no script is that long`);
  return await readFile(file);
}

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_SCRIPT_BYTES) throw new Error("There is too much of it");
  }
  return Buffer.concat(chunks);
}

/** Writes the file; a diagnostic where it is there already and is not to be replaced, or cannot be written. */
async function write(path: string, text: string, force: boolean): Promise<Diagnostic | undefined> {
  try {
    if (force) await writeWhole(resolve(path), text);
    else await writeFile(path, text, { flag: "wx" });
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const there = code === "EEXIST";
    return {
      code: there ? "file-exists" : "file-unwritable",
      severity: "error",
      summary: there ? `${path} is there already` : `${path} cannot be written`,
      ...(there ? {} : { detail: `${message}.` }),
      remedy: there ? "Say --force to replace it, or another name." : "Check the path after -o.",
    };
  }
}

function nothingFound(files: readonly string[]): Diagnostic {
  return {
    code: "nothing-found",
    severity: "error",
    summary: `no rules and routes are made in ${files.join(", ")}`,
    detail: "No file was written.",
    remedy: "Give `heddle import` what calls `ip rule` and `ip route`, or no file at all to read this host.",
  };
}
