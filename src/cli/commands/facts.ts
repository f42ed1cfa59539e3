// Owns `heddle facts`: what this host has, as one JSON document, to be looked at elsewhere.
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { takeFacts, writeFacts } from "../facts-files.ts";

/** Writes the facts of this host to standard output, or to a file. */
export async function facts(context: Context, { output }: { output?: string }): Promise<ExitCode> {
  const { facts: taken, diagnostics } = await takeFacts(context);
  if (output === undefined) context.sayJson(taken);
  else await writeFacts(output, taken);
  context.report(diagnostics);
  for (const { what, why } of taken.picture.unseen) {
    if (!context.options.json) context.remark(`note: could not look at ${what}: ${why}`);
  }
  return EXIT.ok;
}
