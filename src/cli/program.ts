// Owns the command line: which commands there are, their options and help.
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { ChangeOptions } from "./commands/apply.ts";
import type { ImportOptions } from "./commands/import.ts";
import { Context, DEFAULT_FILE } from "./context.ts";
import type { GlobalOptions } from "./context.ts";
import { EXIT } from "./exit.ts";
import { renderDiagnostics } from "./render/diagnostics.ts";
import { painter } from "./render/style.ts";
import type { ExitCode } from "./exit.ts";

/** What the option --force means, wherever it is. */
const FORCE = "do it even if it cuts the way to you, to the default gateway or to a network file system";

function confirmOption(): Option {
  return new Option("--confirm <seconds>", "undo it after so long, unless `heddle confirm` is run").argParser(
    (text) => {
      const seconds = wholeNumber(text);
      if (seconds <= LONGEST_CONFIRMATION) return seconds;
      throw new InvalidArgumentError(`It has to be at most ${LONGEST_CONFIRMATION}, a day.`);
    },
  );
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It has to be a whole number from 1.");
}

type Run = (context: Context) => ExitCode | Promise<ExitCode>;

/** Longest time to wait for a confirmation, in seconds. */
const LONGEST_CONFIRMATION = 86_400;

const EXIT_CODES = `
Exit codes:
  0   done, and nothing is left to do
  1   failed: the file is wrong, or the kernel refused; what was done is undone;
      or refused: it would cut a way, there is nothing to confirm, no agent runs
  2   plan, status: the kernel is not as the file says; doctor: it found errors or warnings
  3   nothing is left to do now, but something waits for a link or an address;
      import: not all was understood
  4   another heddle is changing this host
  5   apply --plan: the host has changed since the plan was made; nothing was done
  64  the command line is wrong`;

/** Runs a command line (without the program's name) and gives the exit code. */
export async function runCommandLine(words: readonly string[], version: string): Promise<number> {
  let exit: number = EXIT.ok;
  // Known before the options are: what is wrong with them is to be said as JSON too.
  const asJson = words.includes("--json");
  const program = new Command("heddle")
    .description("Policy routing for hosts that stand in several fabrics at once, from one declarative file.")
    .version(version)
    .option("-f, --file <file>", "the file that says what this host is for", DEFAULT_FILE)
    .addOption(
      new Option("--state <directory>", "where to remember things, instead of /run/heddle and /var/lib/heddle").env(
        "HEDDLE_STATE",
      ),
    )
    .option("--json", "results as JSON on standard output")
    .option("--no-color", "no colour, even on a terminal")
    .option("--debug", "tell on standard error what is done and how long it takes, as JSON lines")
    .addHelpText("after", EXIT_CODES)
    .showHelpAfterError(asJson ? false : "(heddle --help tells what there is)")
    .configureOutput(asJson ? { writeErr: () => {} } : {})
    .exitOverride();

  const command = (name: string, about: string, load: () => Promise<Run>): void => {
    program
      .command(name)
      .description(about)
      .action(async () => {
        const run = await load();
        exit = await run(new Context(program.opts<GlobalOptions>()));
      });
  };
  command(
    "check",
    "say whether the file is right, whatever host it is for",
    async () => (await import("./commands/check.ts")).check,
  );
  program
    .command("plan")
    .description("show what would change on this host")
    .option("--out <file>", "save the plan, to apply exactly that later")
    .action(async (options: { out?: string }) => {
      const { plan } = await import("./commands/plan.ts");
      exit = await plan(new Context(program.opts<GlobalOptions>()), options);
    });
  program
    .command("apply")
    .description("make this host as the file says")
    .option("--plan <file>", "do what a saved plan says, or nothing if the host has changed since")
    .addOption(confirmOption())
    .option("--force", FORCE)
    .action(async (options: ChangeOptions & { plan?: string }) => {
      const { apply } = await import("./commands/apply.ts");
      exit = await apply(new Context(program.opts<GlobalOptions>()), options);
    });
  command(
    "status",
    "tell whether this host is as the file says",
    async () => (await import("./commands/status.ts")).status,
  );
  program
    .command("remove")
    .description("take away everything that heddle made")
    .option("--force", FORCE)
    .action(async (options: ChangeOptions) => {
      const { remove } = await import("./commands/apply.ts");
      exit = await remove(new Context(program.opts<GlobalOptions>()), options);
    });
  command("confirm", "keep what was applied with --confirm", async () => (await import("./commands/apply.ts")).confirm);
  program
    .command("rollback")
    .description("go back to a file that was confirmed before")
    .argument("[number]", "which one, as `heddle history` numbers them; without it the one before", wholeNumber)
    .addOption(confirmOption())
    .option("--force", FORCE)
    .action(async (to: number | undefined, options: ChangeOptions) => {
      const { rollback } = await import("./commands/apply.ts");
      exit = await rollback(new Context(program.opts<GlobalOptions>()), to, options);
    });
  command("history", "list the files that were confirmed", async () => (await import("./commands/history.ts")).history);
  program
    .command("agent")
    .description("keep this host as its confirmed file says, until told to end")
    .addOption(
      new Option("--look-every <seconds>", "how often to look at everything though nothing was heard")
        .argParser(wholeNumber)
        .default(300),
    )
    .action(async (options: { lookEvery: number }) => {
      const { agent } = await import("./commands/agent.ts");
      exit = await agent(new Context(program.opts<GlobalOptions>()), version, options);
    });
  command(
    "events",
    "tell what the agent does, as it does it",
    async () => (await import("./commands/events.ts")).events,
  );
  program
    .command("guard", { hidden: true })
    .argument("<token>")
    .argument("<until>", "", Number)
    .action(async (token: string, until: number) => {
      const { guard } = await import("./commands/guard.ts");
      exit = await guard(new Context(program.opts<GlobalOptions>()), token, until);
    });
  command(
    "schema",
    "print the JSON Schema of the file, for editors",
    async () => (await import("./commands/schema.ts")).schema,
  );

  program
    .command("doctor")
    .description("look for what is wrong with the routing of this host; needs no file")
    .option("--root <directory>", "where the host's configuration files are, when not at /", "/")
    .action(async (options: { root: string }) => {
      const { doctor } = await import("./commands/doctor.ts");
      exit = await doctor(new Context(program.opts<GlobalOptions>()), options);
    });

  program
    .command("import")
    .description("write a heddle.yaml of what stands on this host, or of what scripts and unit files would make")
    .argument("[file...]", "scripts, unit files, rt_tables; - is standard input; none is this host")
    .option("-o, --output <file>", "write to a file instead of standard output")
    .option("--force", "replace the file if it is there")
    .action(async (files: string[], options: ImportOptions) => {
      const { importSetup } = await import("./commands/import.ts");
      exit = await importSetup(new Context(program.opts<GlobalOptions>()), files, options);
    });

  if (words.includes("lab")) {
    const { registerLabCommand } = await import("../lab/command.ts");
    registerLabCommand(program, {
      onExit: (code) => (exit = code),
      render: (diagnostics, { file, text }) => {
        const paint = painter(process.stderr, program.opts<GlobalOptions>().color);
        return renderDiagnostics(diagnostics, new Map([[file, text]]), paint);
      },
    });
  } else {
    program.command("lab").description("stand up hosts and fabrics in network namespaces, and run scenarios in them");
  }

  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    if (asJson) {
      const summary = error.message.replace(/^error: /, "");
      process.stdout.write(`${JSON.stringify({ diagnostics: [{ code: "usage", severity: "error", summary }] })}\n`);
    }
    return EXIT.usage;
  }
  return exit;
}
