// Owns `heddle gateway` on the command line: its commands and options.
import type { Command } from "commander";
import type { Context } from "./context.ts";
import type { ExitCode } from "./exit.ts";

const EXITS = `
Exit codes:
  0   well; drain: another gateway has taken over
  1   no gateway process runs here, or it could not be started
  2   it runs, and something is wrong: the uplink, a link, the synchronisation of connections
  3   drain: nobody has taken over yet`;

/** Adds \`gateway\` with its commands to a program. */
export function registerGatewayCommand(
  program: Command,
  context: () => Context,
  onExit: (code: ExitCode) => void,
): void {
  const gateway = program
    .command("gateway")
    .description("tell whether this gateway is active, since when and why; take it out of service")
    .addHelpText("after", EXITS)
    .action(async () => onExit(await (await import("./commands/gateway.ts")).showGateway(context())));
  gateway
    .command("run")
    .description("be one of several gateways, until ended: elect, synchronise connections, hold the addresses")
    .action(async () => onExit(await (await import("./commands/gateway-run.ts")).runGateway(context())));
  gateway
    .command("drain")
    .description("leave the place to another gateway, and stay out of service until undrained")
    .action(async () => onExit(await (await import("./commands/gateway.ts")).drainGateway(context(), true)));
  gateway
    .command("undrain")
    .description("be in service again")
    .action(async () => onExit(await (await import("./commands/gateway.ts")).drainGateway(context(), false)));
}
