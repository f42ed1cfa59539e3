// Owns objects as an earlier or a later heddle might have built them, to show that an upgrade goes without a gap.
import type { BpfObject } from "../elf.ts";
import { readObject } from "../load.ts";

/** Other programs with the same maps and constants. */
export function otherBuild(): BpfObject {
  const object = readObject("mark-sockets");
  return { ...object, programs: object.programs.map((program) => ({ ...program, name: `${program.name}_2` })) };
}

/** Constants that are laid out otherwise, so that a reader cannot know what they mean. */
export function otherLayout(): BpfObject {
  const { constants, ...object } = otherBuild();
  const bytes = new Uint8Array(constants.bytes.length + 8);
  return { ...object, constants: { ...constants, bytes } };
}
