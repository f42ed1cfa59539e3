// Owns `heddle check`: is the file right, whatever host it is for, and for the hosts whose facts are given?
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";

/** Reads the file and says what is wrong with it. Looks at nothing else but facts files. */
export async function check(context: Context, { facts }: { facts?: string[] } = {}): Promise<ExitCode> {
  const { config, diagnostics } = await context.readConfig();
  if (config && facts) {
    context.report(diagnostics);
    return (await import("./plan-facts.ts")).checkFacts(context, config, facts);
  }
  const exit = config ? EXIT.ok : EXIT.failed;
  const sections = config?.sections.map((section) => `${section.role}/${section.name}`) ?? [];
  if (context.options.json) context.sayJson({ valid: config !== undefined, sections, diagnostics });
  context.report(diagnostics);
  if (config && !context.options.json) {
    context.say(`${context.options.file} is valid: ${sections.join(", ") || "it asks for nothing"}.`);
  }
  return exit;
}
