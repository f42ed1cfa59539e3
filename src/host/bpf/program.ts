// Owns programs that somebody loaded: opening them and their maps by number.
import { constants } from "node:os";
import { HostError } from "../error.ts";
import { addon } from "../native.ts";
import { Attributes, COMMAND, Descriptor, tryCall } from "./call.ts";
import { BpfMap } from "./map.ts";

/** Opens a program by its number; undefined when it has gone. Needs CAP_SYS_ADMIN. Throws HostError. */
export function openProgram(id: number): Descriptor | undefined {
  const answer = tryCall(COMMAND.programById, new Attributes(12).u32(0, id));
  if (answer === -constants.errno.ENOENT) return undefined;
  if (answer < 0) throw new HostError({ errno: answer, object: `BPF program ${id}` });
  return new Descriptor(answer);
}

/** The maps that a program uses, by name, with their numbers; the caller disposes of them. Undefined when it has gone. */
export function openProgramMaps(id: number): { maps: Map<string, BpfMap>; ids: Map<string, number> } | undefined {
  using program = openProgram(id);
  if (!program) return undefined;
  const numbers = addon().programMaps(program.fd);
  if (typeof numbers === "number") throw new HostError({ errno: numbers, object: `maps of BPF program ${id}` });
  const [maps, ids] = [new Map<string, BpfMap>(), new Map<string, number>()];
  for (const number of numbers) {
    const map = BpfMap.open(number);
    if (!map) continue;
    maps.set(map.name, map);
    ids.set(map.name, number);
  }
  return { maps, ids };
}
