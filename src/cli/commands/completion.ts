// Owns `heddle completion`: scripts for shells, made from the definitions of the command line.
import type { Command } from "commander";
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import type { Shell } from "../completion/shells.ts";
import { zshCompletion } from "../completion/zsh.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { outlineOf } from "../outline.ts";
import type { CommandOutline } from "../outline.ts";

const SCRIPTS: Readonly<Record<Shell, (program: CommandOutline) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** Prints the script of a shell. */
export function completion(context: Context, program: Command, shell: Shell): ExitCode {
  const script = SCRIPTS[shell](outlineOf(program));
  if (context.options.json) context.sayJson({ shell, script, diagnostics: [] });
  else context.say(script);
  return EXIT.ok;
}
