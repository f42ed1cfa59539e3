// Owns colour: on a terminal that wants it, and nowhere else.
import { styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

/** Paints text for a stream; leaves it as it is when the stream is no terminal or NO_COLOR is set. */
export type Paint = (format: Format, text: string) => string;

/** Colour as the stream and the environment want it, or never. */
export function painter(stream: NodeJS.WriteStream, wanted: boolean): Paint {
  if (!wanted) return (_format, text) => text;
  return (format, text) => styleText(format, text, { stream, validateStream: true });
}
