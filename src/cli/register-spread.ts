// Owns `heddle spread` on the command line: its commands and options.
import type { Command } from "commander";
import type { Context } from "./context.ts";
import type { ExitCode } from "./exit.ts";
import type { SpreadOptions } from "./commands/spread.ts";

/** Adds `spread` with its commands to a program. */
export function registerSpreadCommand(
  program: Command,
  context: () => Context,
  onExit: (code: ExitCode) => void,
): void {
  const spread = program
    .command("spread")
    .description("show what the links of each section of `spread` carry; needs no file")
    .option("--live", "again and again")
    .option("--seconds <number>", "how long to measure", "1")
    .action(async (options: SpreadOptions) => {
      const commands = await import("./commands/spread.ts");
      onExit(await commands.spread(context(), options));
    });
  spread
    .command("run")
    .description("measure loads and say who shall have which flows, until it is told to end")
    .action(async () => {
      const { spreadRun } = await import("./commands/spread.ts");
      onExit(await spreadRun(context()));
    });
  spread
    .command("chart")
    .description("record what links send, and draw it (SVG)")
    .requiredOption("-o, --output <file>", "where to write the drawing")
    .option("--seconds <number>", "how long to record", "30")
    .option("--links <name...>", "which links; all but lo unless said")
    .option("--title <text>", "what stands above it")
    .action(async (_options: object, command: Command) => {
      const { spreadChart } = await import("./commands/spread.ts");
      onExit(await spreadChart(context(), command.optsWithGlobals()));
    });
}
