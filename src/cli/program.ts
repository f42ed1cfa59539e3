// Owns the command line: which commands there are, their options and help.
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { EXPORT_FORMATS } from "../export/exported.ts";
import type { ChangeOptions } from "./commands/apply.ts";
import type { ExportOptions } from "./commands/export.ts";
import type { ExplainOptions } from "./commands/explain.ts";
import type { ImportOptions } from "./commands/import.ts";
import type { DoctorOptions } from "./commands/doctor.ts";
import type { InstallOptions } from "./commands/install.ts";
import { SHELLS } from "./completion/shells.ts";
import type { Shell } from "./completion/shells.ts";
import { Context, DEFAULT_FILE } from "./context.ts";
import type { GlobalOptions } from "./context.ts";
import { EXIT } from "./exit.ts";
import { write } from "./output.ts";
import { renderDiagnostics } from "./render/diagnostics.ts";
import { painter } from "./render/style.ts";
import type { ExitCode } from "./exit.ts";
import { registerBridgeCommand } from "./register-bridge.ts";
import { registerGatewayCommand } from "./register-gateway.ts";
import { registerRdmaCommand } from "./register-rdma.ts";
import { registerSpreadCommand } from "./register-spread.ts";

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
  2   plan, status: the kernel is not as the file says; doctor: it found errors or warnings;
      rdma decode: it found wrong CRCs or broken packets
      explain: the packet goes nowhere
      install, uninstall --dry-run: there is something to do
  3   nothing is left to do now, but something waits for a link or an address;
      import: not all was understood; export: what waits is not in the files
  4   another heddle is changing this host
  5   apply --plan: the host has changed since the plan was made; nothing was done
  64  the command line is wrong`;

/** The command line as it is defined, and what comes of its run. */
export interface DefinedProgram {
  program: Command;
  /** The exit code of what has run. */
  exitCode: () => number;
}

/**
 * Defines all commands. `words` are those that will be parsed: what they do not need is left out (the lab's commands), or
 * said in another form (errors as JSON).
 */
export async function defineProgram(words: readonly string[], version: string): Promise<DefinedProgram> {
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
    .configureOutput({
      writeOut: (text) => write(1, text),
      writeErr: (text) => (asJson ? undefined : write(2, text)),
    })
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
  program
    .command("check")
    .description("say whether the file is right, whatever host it is for")
    .option("--facts <file...>", "for the hosts of these facts files too; stops at the first that it would break")
    .action(async (options: { facts?: string[] }) => {
      const { check } = await import("./commands/check.ts");
      exit = await check(new Context(program.opts<GlobalOptions>()), options);
    });
  program
    .command("plan")
    .description("show what would change on this host")
    .addOption(new Option("--out <file>", "save the plan, to apply exactly that later").conflicts("facts"))
    .option("--facts <file...>", "for the hosts of these facts files, instead of this one")
    .action(async (options: { out?: string; facts?: string[] }) => {
      const { plan } = await import("./commands/plan.ts");
      exit = await plan(new Context(program.opts<GlobalOptions>()), options);
    });
  program
    .command("apply")
    .description("make this host as the file says")
    .option("--plan <file>", "do what a saved plan says, or nothing if the host has changed since")
    .option("--boot", "as the boot unit and hooks do: the last confirmed file, or the file where none is confirmed")
    .addOption(confirmOption())
    .option("--force", FORCE)
    .action(async (options: ChangeOptions & { plan?: string; boot?: boolean }) => {
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
    "watch",
    "ask the gateways that the file wants asked, and apply it when one stops or begins to answer; until ended",
    async () => (await import("./commands/watch.ts")).watchTargets,
  );
  command(
    "schema",
    "print the JSON Schema of the file, for editors",
    async () => (await import("./commands/schema.ts")).schema,
  );

  program
    .command("doctor")
    .description("look for what is wrong with the routing of this host; needs no file")
    .option("--root <directory>", "where the host's configuration files are, when not at /", "/")
    .option("--listen <seconds>", "listen for other virtual routers (VRRP) on all links as well")
    .action(async (options: DoctorOptions) => {
      const { doctor } = await import("./commands/doctor.ts");
      exit = await doctor(new Context(program.opts<GlobalOptions>()), options);
    });

  program
    .command("facts")
    .description("write what this host has, as one JSON document, to plan and explain elsewhere; needs no file")
    .option("-o, --output <file>", "write to a file instead of standard output")
    .action(async (options: { output?: string }) => {
      const { facts } = await import("./commands/facts.ts");
      exit = await facts(new Context(program.opts<GlobalOptions>()), options);
    });

  program
    .command("report")
    .description("write one file for a bug report: facts, plan and findings, secrets left out")
    .option("-o, --output <file>", "write to a file instead of standard output")
    .action(async (options: { output?: string }) => {
      const { report } = await import("./commands/report.ts");
      exit = await report(new Context(program.opts<GlobalOptions>()), version, options);
    });

  program
    .command("explain")
    .description("tell which way a packet goes, why, and what if a link were lost; needs no file, sends nothing")
    .requiredOption("--to <address>", "where the packet goes")
    .option("--from <address>", "its source; without, that of a socket that is bound to no address")
    .option("--iif <link>", "the link that it comes in by; without, this host sends it")
    .option("--oif <link>", "the link that its socket is bound to")
    .option("--user <user>", "who sends it, by name or number (default: root)")
    .option("--group <group>", "the group that sends it, by name or number")
    .option("--cgroup <cgroup>", "the control group that sends it")
    .option("--mark <mark>", "its mark")
    .option("--proto <protocol>", "its IP protocol: tcp, udp, icmp, …, or a number")
    .option("--sport <port>", "its source port")
    .option("--dport <port>", "its destination port")
    .option("--tos <tos>", "its type of service, a multiple of 4")
    .option("--reply", "the answer's way too, the check of the way back, and who answers ARP")
    .addOption(new Option("--short", "one line").conflicts("full"))
    .option("--full", "every rule, and every route that was passed over")
    .option("--planned", "as it will be once the file is applied")
    .option("--facts <file>", "on the host of a facts file, instead of this one")
    .action(async (options: ExplainOptions) => {
      const { explain } = await import("./commands/explain.ts");
      exit = await explain(new Context(program.opts<GlobalOptions>()), options);
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

  registerBridgeCommand(
    program,
    () => new Context(program.opts<GlobalOptions>()),
    (code) => (exit = code),
  );
  registerRdmaCommand(
    program,
    () => new Context(program.opts<GlobalOptions>()),
    (code) => (exit = code),
  );
  registerSpreadCommand(
    program,
    () => new Context(program.opts<GlobalOptions>()),
    (code) => (exit = code),
  );
  registerGatewayCommand(
    program,
    () => new Context(program.opts<GlobalOptions>()),
    (code) => (exit = code),
  );
  program
    .command("export")
    .description("write the same routing as files of another manager, for hosts without heddle at run time")
    .addOption(new Option("--as <format>", "whose files").choices(EXPORT_FORMATS).makeOptionMandatory())
    .option("-o, --output <directory>", "write the files below a directory instead of showing them")
    .option("--force", "replace files that are not from an export")
    .action(async (options: ExportOptions) => {
      const { exportRouting } = await import("./commands/export.ts");
      exit = await exportRouting(new Context(program.opts<GlobalOptions>()), options);
    });

  program
    .command("install")
    .description("have systemd run the agent on this host, or with --one-shot apply at boot and as links come up")
    .option("--one-shot", "no agent: a unit at boot, and hooks of the network managers")
    .option("--gateway", "the process of a gateway with failover too, whatever the file says now")
    .option("--bridge", "the process of the role `bridge` too")
    .option("--root <directory>", "install below another root, as for an image; systemd is not asked", "/")
    .option("--cpus <list>", "CPUs that the agent may use: 0,1")
    .option("--memory <size>", "memory that the agent may use: 64M")
    .option("--program <path>", "where heddle is on the host, when it is not the one that runs now")
    .option("--dry-run", "show what would be done")
    .option("--force", "replace files that are not heddle's, or that somebody changed")
    .action(async (options: InstallOptions) => {
      const { install } = await import("./commands/install.ts");
      exit = await install(new Context(program.opts<GlobalOptions>()), options);
    });
  program
    .command("uninstall")
    .description("take away what install placed; the routing stays until `heddle remove`")
    .option("--root <directory>", "below which root it was installed", "/")
    .option("--dry-run", "show what would be done")
    .action(async (options: InstallOptions) => {
      const { uninstall } = await import("./commands/install.ts");
      exit = await uninstall(new Context(program.opts<GlobalOptions>()), options);
    });

  program
    .command("completion")
    .description("write a script that completes heddle's command line in a shell")
    .addArgument(new Argument("<shell>", "whose script").choices(SHELLS))
    .action(async (shell: Shell) => {
      const { completion } = await import("./commands/completion.ts");
      exit = completion(new Context(program.opts<GlobalOptions>()), program, shell);
    });

  if (words.includes("lab") || words.includes("completion")) {
    // It writes through Node's streams: words for a reader who is gone are lost there as well (output.ts).
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
    const { registerLabCommand } = await import("../lab/command.ts");
    registerLabCommand(program, {
      onExit: (code) => (exit = code),
      render: (diagnostics, { file, text }) => {
        const paint = painter(2, program.opts<GlobalOptions>().color);
        return renderDiagnostics(diagnostics, new Map([[file, text]]), paint);
      },
    });
  } else {
    program.command("lab").description("stand up hosts and fabrics in network namespaces, and run scenarios in them");
  }

  return { program, exitCode: () => exit };
}

/** Runs a command line (without the program's name) and gives the exit code. */
export async function runCommandLine(words: readonly string[], version: string): Promise<number> {
  const { program, exitCode } = await defineProgram(words, version);
  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    if (words.includes("--json")) {
      const summary = error.message.replace(/^error: /, "");
      write(1, `${JSON.stringify({ diagnostics: [{ code: "usage", severity: "error", summary }] })}\n`);
    }
    return EXIT.usage;
  }
  return exitCode();
}
