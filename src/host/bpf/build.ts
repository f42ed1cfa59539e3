// Owns telling builds of a program apart, so that one of another version of heddle is put in place again.
import type { BpfObject } from "./elf.ts";

/** Which build of the program an object is: FNV-1a of its names and code, in two halves that begin differently. */
export function buildOf({ programs }: BpfObject): bigint {
  const halves = [0x811c9dc5, 0x01000193].map((start) =>
    programs.reduce((hash, { name, instructions }) => {
      for (const byte of [...Buffer.from(name), ...instructions]) hash = Math.imul(hash ^ byte, 0x01000193);
      return hash;
    }, start),
  );
  return halves.reduce((all, half) => (all << 32n) | BigInt(half >>> 0), 0n);
}
