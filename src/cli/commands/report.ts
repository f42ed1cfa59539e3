// Owns `heddle report`: one file for a bug report, with all that it takes to see what this host saw, and no secrets.
import { readFile, writeFile } from "node:fs/promises";
import { planForFacts } from "../../agent/plan-facts.ts";
import { readYaml } from "../../config/yaml.ts";
import { examine } from "../../doctor/examine.ts";
import { WISHES } from "../../doctor/paths.ts";
import { takePicture } from "../../host/picture/read.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { takeFacts } from "../facts-files.ts";
import { planJson } from "../render/plan.ts";
import { withoutSecrets } from "../secrets.ts";

/** Writes the report to a file, or to standard output. Changes nothing. */
export async function report(context: Context, version: string, { output }: { output?: string }): Promise<ExitCode> {
  const { facts, diagnostics: remembered } = await takeFacts(context);
  const { config, diagnostics } = await context.readConfig();
  const outcome = config ? await planForFacts(config, facts) : undefined;
  const findings = examine(await takePicture({ root: "/", wishes: WISHES }));
  const written = {
    report: 1,
    heddle: version,
    node: process.version,
    kernel: facts.picture.kernel,
    distribution: await distribution(),
    // Without comments, which may say anything.
    config: withoutSecrets(readYaml(context.textsOf().text, context.options.file).value?.value),
    // Sentences about a file that is wrong may quote it.
    check: diagnostics.map(({ code, severity, range }) => ({ code, severity, range })),
    diagnostics: [...remembered, ...(outcome?.diagnostics ?? [])],
    ...(outcome?.look ? { plan: planJson(outcome.look.plan) } : {}),
    findings,
    facts,
  };
  const text = `${JSON.stringify(written, null, 1)}\n`;
  if (output === undefined) context.say(text);
  else await writeFile(output, text, { mode: 0o600 });
  if (!context.options.json) {
    context.remark("It holds names of links, addresses and routes of this host: look at it before you give it away.");
  }
  return EXIT.ok;
}

/** "Debian GNU/Linux 12 (bookworm)" (os-release(5)). */
async function distribution(): Promise<string | undefined> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1];
}
