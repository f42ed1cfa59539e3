// Owns the programs that give this host's own sockets a member (native/bpf/spread-sockets.bpf.c): at the root of the
// control groups, beside others' programs, with the maps of those at links.
import { closeSync, constants as flags, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { namespaceCookie } from "../native.ts";
import type { NamespaceFd } from "../native.ts";
import { makeStateFolder } from "../ledger/files.ts";
import { buildOf } from "./build.ts";
import { openPinned } from "./call.ts";
import { learnCookie } from "./cookie.ts";
import { lookAtLink } from "./link.ts";
import { CONSTANTS, openPrograms, readObject } from "./load.ts";
import type { Hook } from "./load.ts";
import type { BpfMap } from "./map.ts";
import { needCgroupRoot } from "./mounts.ts";
import { hasPins, isHeld, pinName, placeProgram, removePins } from "./pins.ts";
import { openProgramMaps } from "./program.ts";

const NAME = "spread-sockets";
const SUBFOLDER = "sockets";
const HOOKS: readonly Hook[] = ["cgroup/sock_create", "cgroup/connect4", "cgroup/connect6"];

/** Puts the programs in place, looking at the maps given. `cgroup` is a directory; absent means the root. Throws HostError. */
export async function placeSocketPrograms(
  folder: string,
  maps: Iterable<BpfMap>,
  namespace: NamespaceFd,
  cgroup: string | undefined,
): Promise<void> {
  const pins = join(folder, SUBFOLDER);
  await makeStateFolder(pins);
  const object = readObject(NAME);
  const directory = openSync(cgroup ?? (await needCgroupRoot()), flags.O_RDONLY | flags.O_DIRECTORY);
  try {
    const text = namespaceCookie(namespace);
    const cookie = /^\d+$/.test(text) ? BigInt(text) : learnCookie(namespace, directory);
    const constants = { cookie: word64(cookie), build: word64(buildOf(object)) };
    using loaded = openPrograms(object, { constants, reuse: [...maps] });
    const place = { fd: directory, id: fstatSync(directory, { bigint: true }).ino.toString() };
    for (const hook of HOOKS) {
      const program = loaded.programs.get(hook);
      if (!program) throw new Error(`the BPF object has no program for ${hook}`);
      placeProgram(pins, hook, program, place);
    }
  } finally {
    closeSync(directory);
  }
}

/** Takes the programs away, if they are there. */
export function removeSocketPrograms(folder: string): void {
  const pins = join(folder, SUBFOLDER);
  removePins(pins, pins);
}

/** Whether the programs that are pinned are all at their control group; true where none are. */
export function areSocketProgramsHeld(folder: string): boolean {
  const pins = join(folder, SUBFOLDER);
  return !hasPins(pins) || HOOKS.every((hook) => isHeld(join(pins, pinName(hook))));
}

/** Paths of the pins below the folder. */
export function socketPins(): string[] {
  return HOOKS.map((hook) => join(SUBFOLDER, pinName(hook)));
}

/** Whether the programs are in place, all of this build, and look at a map that has the number. */
export function socketProgramsState(folder: string, map: number | undefined): "absent" | "whole" | "broken" {
  const build = buildOf(readObject(NAME));
  const states = HOOKS.map((hook) => {
    using link = openPinned(join(folder, SUBFOLDER, pinName(hook)));
    const held = link && lookAtLink(link);
    if (!held) return "absent";
    const opened = held.cgroup === "0" ? undefined : openProgramMaps(held.program);
    if (!opened) return "broken";
    const place = readObject(NAME).constants.places.get("build");
    const bytes = opened.maps.get(CONSTANTS)?.lookup(new Uint8Array(4));
    const same = bytes && place && new DataView(bytes.buffer).getBigUint64(place.offset, true) === build;
    const right = same && opened.ids.get("spreads") === map;
    opened.maps.forEach((one) => one[Symbol.dispose]());
    return right ? "whole" : "broken";
  });
  const [first = "absent"] = states;
  return states.every((state) => state === first) ? first : "broken";
}

function word64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}
