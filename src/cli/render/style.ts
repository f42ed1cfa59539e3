// Owns colour: on a terminal that wants it, and nowhere else.
import { styleText } from "node:util";
import { maybeTerminal } from "../output.ts";
import type { Descriptor } from "../output.ts";

type Format = Parameters<typeof styleText>[0];

/** Paints text for a stream; leaves it as it is when the stream is no terminal or NO_COLOR is set. */
export type Paint = (format: Format, text: string) => string;

/** Colour as the stream and the environment want it, or never. */
export function painter(descriptor: Descriptor, wanted: boolean): Paint {
  const forced = process.env["FORCE_COLOR"] !== undefined;
  if (!wanted || !(forced || maybeTerminal(descriptor))) return (_format, text) => text;
  const stream = descriptor === 1 ? process.stdout : process.stderr;
  return (format, text) => styleText(format, text, { stream, validateStream: true });
}
