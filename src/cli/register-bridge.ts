// Owns `heddle bridge` on the command line: its commands and options.
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import type { BridgeViewOptions } from "./commands/bridge.ts";
import type { Context } from "./context.ts";
import type { ExitCode } from "./exit.ts";

const EXITS = `
Exit codes:
  0   shown; run: told to end
  1   no process bridges here, or no such group; run: the file is wrong, or the system refuses
  4   run: another process bridges on this host`;

/** Adds `bridge` with its commands to a program. */
export function registerBridgeCommand(
  program: Command,
  context: () => Context,
  onExit: (code: ExitCode) => void,
): void {
  const bridge = program
    .command("bridge")
    .description(
      "show the running bridges between RDMA on Ethernet and InfiniBand: groups, who sends and listens, counts",
    )
    .option("--group <address>", "one group, with who sends and listens to it and why packets were dropped")
    .option("--all", "all groups, not only those with the most packets")
    .option("--watch <seconds>", "show it again and again", seconds)
    .addHelpText("after", EXITS)
    .action(async (options: BridgeViewOptions) => {
      const { bridge: show } = await import("./commands/bridge.ts");
      onExit(await show(context(), options));
    });
  for (const [what, about] of [
    ["hosts", "show the hosts that the bridges know on either side: IP address, MAC, GID and LID of each"],
    ["sessions", "show who sends messages to whom over the bridges, under which queue pair numbers"],
  ] as const) {
    bridge
      .command(what)
      .description(about)
      .action(async () => {
        const { bridgeMessages } = await import("./commands/bridge.ts");
        onExit(await bridgeMessages(context(), what));
      });
  }
  bridge
    .command("ibacm")
    .description("write the hosts on Ethernet as the file of addresses that ibacm reads: each is at the bridge's GID")
    .action(async () => {
      const { ibacmAddresses } = await import("./commands/bridge-ibacm.ts");
      onExit(await ibacmAddresses(context()));
    });
  bridge
    .command("run")
    .description("pass messages between the fabrics as the confirmed file says, until told to end")
    .option("--spare", "where another process bridges already, wait for its end, and take its place at once")
    .action(async (options: { spare?: boolean }) => {
      const { runBridges } = await import("./commands/bridge-run.ts");
      onExit(await runBridges(context(), options));
    });
}

function seconds(text: string): number {
  const number = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : NaN;
  if (number >= 0.1 && number <= 3600) return number;
  throw new InvalidArgumentError("It has to be a number of seconds from 0.1 to 3600.");
}
