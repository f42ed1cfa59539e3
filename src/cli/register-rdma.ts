// Owns `heddle rdma` on the command line: its commands and options.
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import { parseAddress } from "../model/ip.ts";
import { FABRIC_NAME, IBSIM_PORT, MOST_HOSTS } from "../rdma/bridge/model-fabric.ts";
import type { MemberPlace } from "../rdma/hosts/group-member.ts";
import type { FabricOptions } from "./commands/rdma-fabric.ts";
import type { ListenOptions, SendOptions } from "./commands/rdma-groups.ts";
import type { Context } from "./context.ts";
import type { ExitCode } from "./exit.ts";

const DECODE_EXITS = `
Exit codes:
  0   every packet was read, and no check failed
  1   the file is no capture, or broken; what was read before is shown
  2   a packet has a wrong ICRC or VCRC, or is not what its headers say`;

const SEND_EXITS = `
Exit codes:
  0   all were sent
  1   some were not taken, or there is no such link or fabric`;

const LISTEN_EXITS = `
Exit codes:
  0   nothing is wrong with what was heard
  1   fewer than --count were heard, or there is no such link or fabric
  2   messages are missing, came twice, out of order, or with a wrong ICRC`;

const FABRIC_EXITS = `
Exit codes:
  0   told to end
  1   it cannot be started`;

interface PlaceWords {
  link?: string;
  fabric?: string;
  node?: string;
  port: number;
}

interface DecodeWords {
  limit?: number;
  qp?: number;
  opcode?: string;
  bad?: true;
}

/** Adds `rdma` with its commands to a program. */
export function registerRdmaCommand(program: Command, context: () => Context, onExit: (code: ExitCode) => void): void {
  const rdma = program.command("rdma").description("look into RDMA packets, and try groups");
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
  withPlace(rdma.command("send"))
    .description("send numbered messages to a multicast group")
    .option("--count <number>", "so many", wholeNumber(1, 0xffffffff), 10)
    .option("--rate <number>", "messages a second", wholeNumber(1, 1_000_000), 10)
    .option("--size <bytes>", "bytes of payload", wholeNumber(12, 4096), 64)
    .addHelpText("after", SEND_EXITS)
    .action(async (group: string, words: PlaceWords & SendOptions, command: Command) => {
      const { sendMessages } = await import("./commands/rdma-groups.ts");
      onExit(await sendMessages(context(), group, placeOf(words, command), words));
    });
  withPlace(rdma.command("listen"))
    .description("hear the messages to a multicast group, and count what is missing, double or out of order")
    .option("--count <number>", "end when so many were heard", wholeNumber(1, 0xffffffff))
    .option("--seconds <number>", "end after that time", wholeNumber(1, 86_400))
    .addHelpText("after", LISTEN_EXITS)
    .action(async (group: string, words: PlaceWords & ListenOptions, command: Command) => {
      const { listenForMessages } = await import("./commands/rdma-groups.ts");
      onExit(await listenForMessages(context(), group, placeOf(words, command), words));
    });
  rdma
    .command("fabric")
    .description("run a model of an InfiniBand fabric, with a real OpenSM, for labs and tests")
    .argument("<folder>", "where its sockets are: a folder, or @ and a name of the network namespace", fabricFolder)
    .option("--hosts <number>", "so many hosts: H1, H2 and so on", wholeNumber(2, MOST_HOSTS), 4)
    .option("--port <number>", "ibsim's UDP port", wholeNumber(1, 65_000), IBSIM_PORT)
    .addHelpText("after", FABRIC_EXITS)
    .action(async (folder: string, options: FabricOptions) => {
      const { runFabric } = await import("./commands/rdma-fabric.ts");
      onExit(await runFabric(context(), folder, options));
    });
}

/** A group, and the place of the host that tries it. */
function withPlace(command: Command): Command {
  return command
    .argument("<group>", "the group's IP address; on InfiniBand an IPv4 group with RDMA-CM's MGID, or the MGID", group)
    .option("--link <name>", "by this link on Ethernet")
    .option("--fabric <folder>", "on this model of a fabric", fabricFolder)
    .option("--node <name>", "as this host of the model, such as H3")
    .option("--port <number>", "the model's UDP port", wholeNumber(1, 65_535), IBSIM_PORT);
}

function placeOf({ link, fabric, node, port }: PlaceWords, command: Command): MemberPlace {
  if (link !== undefined && fabric === undefined && node === undefined) return { link };
  if (link === undefined && fabric !== undefined && node !== undefined) return { folder: fabric, node, port };
  return command.error("error: say either --link, or --fabric with --node.");
}

function group(text: string): string {
  const bytes = parseAddress(text);
  const first = bytes?.[0] ?? 0;
  if (bytes?.length === 4 ? first >> 4 === 0xe : first === 0xff) return text;
  throw new InvalidArgumentError("It has to be a multicast group: 224.0.0.0 to 239.255.255.255, or ff00::/8.");
}

function fabricFolder(text: string): string {
  if (FABRIC_NAME.test(text)) return text;
  throw new InvalidArgumentError("It has to be an absolute path, or @ and a name, of at most 71 characters.");
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It has to be a whole number from ${least} to ${most}.`);
  };
}
