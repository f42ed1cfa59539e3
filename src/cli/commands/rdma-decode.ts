// Owns `heddle rdma decode`: a capture's packets as people read them, with what is wrong with each.
import { createReadStream } from "node:fs";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { CaptureReader } from "../../rdma/decode/capture-reader.ts";
import { BrokenCapture } from "../../rdma/decode/captured-packet.ts";
import { describePacket } from "../../rdma/decode/describe-packet.ts";
import type { PacketReport } from "../../rdma/decode/report.ts";
import { countPacket, foundDamage, isWanted, newCounts } from "../../rdma/decode/tally.ts";
import type { Counts, Wish } from "../../rdma/decode/tally.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { renderCounts, renderPacket } from "../render/packets.ts";

/** The command's own options. */
export interface DecodeOptions extends Wish {
  /** Stop after so many packets were shown. */
  limit?: number;
}

/** Bytes of the file that are read at once. */
const PIECE_BYTES = 1024 * 1024;
/** Characters of output that are written at once. */
const FLUSH_CHARACTERS = 65_536;

/** Shows the packets of a capture; "-" is standard input. */
export async function decodeCapture(context: Context, file: string, options: DecodeOptions): Promise<ExitCode> {
  const counts = newCounts();
  const output = new PacketOutput(context);
  let broken: Diagnostic | undefined;
  try {
    await readPackets(file, options, counts, output);
  } catch (error) {
    const name = file === "-" ? "standard input" : file;
    if (error instanceof BrokenRecord) broken = brokenCapture(name, error);
    else if (isReadError(error)) broken = context.unreadable(name, error, "Give `heddle rdma decode` a capture file.");
    else throw error;
  }
  output.end(counts, broken ? [broken] : []);
  if (broken) return EXIT.failed;
  return foundDamage(counts) ? EXIT.findings : EXIT.ok;
}

/** A record at an offset of the file, with what is wrong with it. */
class BrokenRecord extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

async function readPackets(file: string, options: DecodeOptions, counts: Counts, output: PacketOutput): Promise<void> {
  const stream = file === "-" ? process.stdin : createReadStream(file, { highWaterMark: PIECE_BYTES });
  const reader = new CaptureReader();
  const { limit = Number.POSITIVE_INFINITY } = options;
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      reader.push(piece);
      while (reader.next()) {
        const report = describePacket(reader.packet);
        countPacket(counts, report);
        if (!isWanted(options, report)) continue;
        counts.shown++;
        output.add(report);
        if (counts.shown >= limit) return;
      }
      // What is captured just now is to be seen now; and nobody may be reading any more.
      if (!output.flush()) return;
    }
    reader.finish();
  } catch (error) {
    if (error instanceof BrokenCapture) throw new BrokenRecord(reader.offset, error.message);
    throw error;
  }
}

/** Where packets go: lines for a person, or one JSON value that is written as it grows. */
class PacketOutput {
  readonly #context: Context;
  #pending = "";
  /** The time of the first packet that is shown. */
  #start: string | undefined;

  constructor(context: Context) {
    this.#context = context;
    if (context.options.json) this.#pending = '{"packets":[\n';
  }

  add(report: PacketReport): void {
    if (this.#context.options.json) {
      this.#pending += `${this.#start === undefined ? "" : ","}${JSON.stringify(report)}\n`;
      this.#start ??= report.time;
    } else {
      this.#start ??= report.time;
      this.#pending += `${renderPacket(report, this.#start, this.#context.paint)}\n`;
    }
    if (this.#pending.length > FLUSH_CHARACTERS) this.flush();
  }

  /** Writes what is pending. False when nobody reads any more. */
  flush(): boolean {
    const text = this.#pending;
    this.#pending = "";
    return this.#context.say(text);
  }

  end(counts: Counts, diagnostics: readonly Diagnostic[]): void {
    if (this.#context.options.json) {
      this.#pending += `],"counts":${JSON.stringify(counts)},"diagnostics":${JSON.stringify(diagnostics)}}\n`;
    }
    this.flush();
    if (!this.#context.options.json && counts.packets > 0) this.#context.remark(renderCounts(counts));
    this.#context.report(diagnostics);
  }
}

function brokenCapture(file: string, { offset, message }: BrokenRecord): Diagnostic {
  const place = offset === 0 ? "It" : `What is at byte ${offset}`;
  return {
    code: "capture-broken",
    severity: "error",
    summary: offset === 0 ? `${file} is no capture that can be read` : `${file} is broken at byte ${offset}`,
    detail: `${place} ${message}.`,
    remedy:
      offset === 0
        ? "Give a pcap, pcapng or ERF file, as tcpdump, tshark, ibdump or dumpcap write it."
        : "The packets before that place were read. Capture again, or take the file from where it is whole.",
  };
}

function isReadError(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall !== undefined;
}
