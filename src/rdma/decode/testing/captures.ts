// Owns the frames of the captures of real hosts, for tests.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CaptureReader } from "../capture-reader.ts";

export const CAPTURES = join(import.meta.dirname, "../../../../test/captures");

/** Every frame of a capture. */
export function framesOf(name: string): Uint8Array[] {
  const reader = new CaptureReader();
  // A Buffer's slice would be a view.
  reader.push(new Uint8Array(readFileSync(join(CAPTURES, name))));
  const frames: Uint8Array[] = [];
  while (reader.next()) frames.push(reader.packet.bytes.slice(reader.packet.from, reader.packet.to));
  reader.finish();
  return frames;
}
