// Owns `heddle rdma` on the command line: its commands and options.
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import type { ExitCode } from "./exit.ts";

const DECODE_EXITS = `
Exit codes:
  0   every packet was read, and no check failed
  1   the file is no capture, or broken; what was read before is shown
  2   a packet has a wrong ICRC or VCRC, or is not what its headers say`;

interface DecodeWords {
  limit?: number;
  qp?: number;
  opcode?: string;
  bad?: true;
}

/** Adds `rdma` with its commands to a program. */
export function registerRdmaCommand(program: Command, context: () => Context, onExit: (code: ExitCode) => void): void {
  const rdma = program.command("rdma").description("look into RDMA packets");
  rdma
    .command("decode")
    .description("show the packets of a capture (pcap, pcapng, ERF) and what is wrong with them")
    .argument("<capture>", "the capture; - is standard input")
    .option("--limit <number>", "stop after so many packets were shown", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option("--qp <number>", "only packets from or to this queue pair (0x123 or 291)", wholeNumber(0, 0xffffff))
    .option("--opcode <name>", "only packets with this opcode (UD_SEND_ONLY or 0x64)")
    .option("--bad", "only packets with a wrong CRC, or that are broken")
    .addHelpText("after", DECODE_EXITS)
    .action(async (capture: string, { opcode, ...rest }: DecodeWords, command: Command) => {
      const { decodeCapture } = await import("./commands/rdma-decode.ts");
      const { parseOpcode } = await import("../rdma/decode/tally.ts");
      const name = opcode === undefined ? undefined : parseOpcode(opcode);
      if (opcode !== undefined && name === undefined) {
        command.error(`error: option '--opcode <name>' argument '${opcode}' is no opcode: say UD_SEND_ONLY or 0x64.`);
      }
      onExit(await decodeCapture(context(), capture, name === undefined ? rest : { ...rest, opcode: name }));
    });
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It has to be a whole number from ${least} to ${most}.`);
  };
}
