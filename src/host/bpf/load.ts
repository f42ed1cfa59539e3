// Owns loading: an object's maps made or taken over, its constants filled, its programs verified.
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { HostError } from "../error.ts";
import { Attributes, call, COMMAND, Descriptor, tryCall, tryCallWithMemory } from "./call.ts";
import { parseObject } from "./elf.ts";
import type { BpfObject, ProgramCode } from "./elf.ts";
import { BpfMap, equalShapes, MAP_FLAG, MAP_TYPE } from "./map.ts";
import type { MapShape } from "./map.ts";

/** Attach types (enum bpf_attach_type) by section name, with the program type (enum bpf_prog_type) of each. */
export const HOOKS = {
  "cgroup/sock_create": { type: 9, attach: 2 },
  "cgroup/connect4": { type: 18, attach: 10 },
  "cgroup/connect6": { type: 18, attach: 11 },
  "tcx/ingress": { type: 3, attach: 46 },
  "tcx/egress": { type: 3, attach: 47 },
  xdp: { type: 6, attach: 37 },
} as const;

/** A hook that programs can be made for. */
export type Hook = keyof typeof HOOKS;

/** What is different from what the object says. */
export interface LoadOptions {
  /** How many entries a map shall have, at least 1; absent means as in the object. */
  entries?: Readonly<Record<string, number>>;
  /** The bytes of constants, of exactly their length; absent means as in the object. */
  constants?: Readonly<Record<string, Uint8Array>>;
  /** Maps that shall be used instead of new ones where they are of the same shape. They stay the caller's. */
  reuse?: readonly BpfMap[];
}

/** Name of the map that holds constants, as libbpf and bpftool call it. */
export const CONSTANTS = ".rodata";

/** Lines of the verifier's log that tell why it refused. */
const LAST_LINES = 6;
const LOG_BYTES = 1024 * 1024;
const MOST_LOG_BYTES = 16 * 1024 * 1024 - 1;

/** Programs and maps of an object in the kernel, until they are disposed of; what is attached or pinned lives on. */
export class LoadedObject implements Disposable {
  readonly programs = new Map<Hook, Descriptor>();
  readonly maps = new Map<string, BpfMap>();
  readonly #owned: Disposable[] = [];

  /** Keeps something that is to go with the rest. */
  own<T extends Disposable>(one: T): T {
    this.#owned.push(one);
    return one;
  }

  map(name: string): BpfMap {
    const map = this.maps.get(name);
    if (!map) throw new Error(`the BPF object has no map ${name}`);
    return map;
  }

  [Symbol.dispose](): void {
    for (const one of this.#owned) one[Symbol.dispose]();
  }
}

// Seen from src/host/bpf/load.ts, or from the bundle, dist/heddle.cjs.
const PLACE = import.meta.url.endsWith(".ts") ? "../../../build/bpf/" : "../build/bpf/";

/** Reads one of heddle's own objects (build/bpf/NAME.o). Throws Error when it has not been built. */
export function readObject(name: string): BpfObject {
  const path = fileURLToPath(new URL(`${PLACE}${name}.o`, import.meta.url));
  try {
    return parseObject(readFileSync(path));
  } catch (cause) {
    throw new Error(`heddle's BPF program build/bpf/${name}.o cannot be read: run \`make build\``, { cause });
  }
}

/** Makes the maps of an object; `fill` gets them before any program is verified. */
export function openPrograms(
  object: BpfObject,
  options: LoadOptions = {},
  fill: (maps: LoadedObject) => void = () => {},
): LoadedObject {
  const loaded = new LoadedObject();
  try {
    for (const [name, shape] of object.maps) {
      loaded.maps.set(name, openMap(loaded, name, shape, options));
    }
    const bytes = withConstants(object, options.constants ?? {});
    if (bytes.length > 0) loaded.maps.set(CONSTANTS, loaded.own(makeConstants(bytes)));
    fill(loaded);
    for (const code of object.programs) {
      loaded.programs.set(hookOf(code), loaded.own(loadProgram(code, object.license, loaded.maps)));
    }
    return loaded;
  } catch (error) {
    loaded[Symbol.dispose]();
    throw error;
  }
}

function hookOf({ section }: ProgramCode): Hook {
  if (Object.hasOwn(HOOKS, section)) return section as Hook;
  throw new Error(`no hook is known for programs in section ${section}`);
}

function openMap(loaded: LoadedObject, name: string, declared: MapShape, options: LoadOptions): BpfMap {
  const shape = { ...declared, entries: options.entries?.[name] ?? declared.entries };
  const kept = options.reuse?.find((map) => map.name === name.slice(0, 15) && equalShapes(map.shape, shape));
  return kept ?? loaded.own(BpfMap.create(name, shape));
}

function withConstants(object: BpfObject, wanted: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const bytes = object.constants.bytes.slice();
  for (const [name, value] of Object.entries(wanted)) {
    const place = object.constants.places.get(name);
    if (place?.size !== value.length) {
      throw new Error(`constant ${name} has ${place?.size ?? "no"} bytes in the BPF object and ${value.length} here`);
    }
    bytes.set(value, place.offset);
  }
  return bytes;
}

/** Frozen and read-only to programs, so that the verifier leaves out what they switch off. */
function makeConstants(bytes: Uint8Array): BpfMap {
  const shape = {
    type: MAP_TYPE.array,
    keySize: 4,
    valueSize: bytes.length,
    entries: 1,
    flags: MAP_FLAG.readOnlyForPrograms,
  };
  const map = BpfMap.create(CONSTANTS, shape);
  map.update(new Uint8Array(4), bytes);
  map.freeze();
  return map;
}

/** Values of src_reg that say what a 64-bit load means (BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE). */
const PSEUDO_MAP = 1;
const PSEUDO_VALUE = 2;

/** The instructions with the descriptors of their maps in them. */
function relocate(code: ProgramCode, maps: ReadonlyMap<string, BpfMap>): Uint8Array {
  const instructions = code.instructions.slice();
  const view = new DataView(instructions.buffer);
  for (const { at, to } of code.references) {
    const map = maps.get("map" in to ? to.map : CONSTANTS);
    if (!map) throw new Error(`program ${code.name} refers to a map that the BPF object does not declare`);
    const register = (instructions[at + 1] ?? 0) & 0xf;
    instructions[at + 1] = register | (("map" in to ? PSEUDO_MAP : PSEUDO_VALUE) << 4);
    view.setInt32(at + 4, map.fd, true);
    view.setUint32(at + 12, "map" in to ? 0 : to.constant, true);
  }
  return instructions;
}

function loadProgram(code: ProgramCode, license: string, maps: ReadonlyMap<string, BpfMap>): Descriptor {
  const { type, attach } = HOOKS[hookOf(code)];
  const instructions = relocate(code, maps);
  const attributes = (log?: Uint8Array): Attributes => {
    const made = new Attributes(72)
      .u32(0, type)
      .u32(4, instructions.length / 8)
      .pointer(8, instructions)
      .text(16, license)
      .name(48, code.name)
      .u32(68, attach);
    return log ? made.u32(24, 1).u32(28, log.length).pointer(32, log) : made;
  };
  // Without a log first: writing one is most of the work.
  const answer = tryCallWithMemory(COMMAND.loadProgram, attributes());
  if (answer >= 0) return new Descriptor(answer);
  for (let size = LOG_BYTES; ; size = Math.min(size * 4, MOST_LOG_BYTES)) {
    const log = new Uint8Array(size);
    const again = tryCall(COMMAND.loadProgram, attributes(log));
    if (again >= 0) return new Descriptor(again);
    // Before 6.4 the kernel keeps the beginning of a log that does not fit, and what matters is its end.
    if (again === -constants.errno.ENOSPC && size < MOST_LOG_BYTES) continue;
    throw refusal(again === -constants.errno.ENOSPC ? answer : again, code, log);
  }
}

function refusal(errno: number, { section }: ProgramCode, log: Uint8Array): HostError {
  const end = log.indexOf(0);
  const text = new TextDecoder().decode(log.subarray(0, end < 0 ? log.length : end));
  const lines = text.split("\n").filter((line) => line !== "" && !/^(processed|verification time)/.test(line));
  const said = lines.slice(-LAST_LINES).join("; ");
  const object = `BPF program for ${section}`;
  return new HostError(said === "" ? { errno, object } : { errno, object, kernelMessage: said });
}

/** What a program answered to input of the caller's. */
export interface TestRun {
  /** The program's return value. */
  answer: number;
  /** Average time of one run, ns. */
  ns: number;
  output: Uint8Array;
}

/** Runs a program on bytes (BPF_PROG_TEST_RUN, for kinds of programs that have it), `repeat` times. Throws HostError. */
export function testRun(program: Descriptor, input: Uint8Array, repeat = 1): TestRun {
  const output = new Uint8Array(input.length + 256);
  const attributes = new Attributes(40).u32(0, program.fd).u32(8, input.length).u32(12, output.length);
  attributes.pointer(16, input).pointer(24, output).u32(32, repeat);
  call(COMMAND.testRun, attributes, "test run of a BPF program");
  const word = (at: number): number => attributes.view.getUint32(at, true);
  return { answer: word(4), ns: word(36), output: output.subarray(0, word(12)) };
}

/** What became of a packet in a program for links. */
export interface PacketRun {
  /** The program's return value. */
  answer: number;
  mark: number;
  /** Average time of one run, ns. */
  ns: number;
  output: Uint8Array;
}

/** Offset of the mark in struct __sk_buff, and room for all of it on any kernel. */
const MARK_AT = 8;
const PACKET_CONTEXT = 256;

/** Runs a program for links on a frame (BPF_PROG_TEST_RUN) that has a mark, `repeat` times. Throws HostError. */
export function runOnFrame(program: Descriptor, frame: Uint8Array, mark = 0, repeat = 1): PacketRun {
  const output = new Uint8Array(frame.length + 256);
  const [before, after] = [new Uint8Array(PACKET_CONTEXT), new Uint8Array(PACKET_CONTEXT)];
  new DataView(before.buffer).setUint32(MARK_AT, mark, true);
  const attributes = new Attributes(64).u32(0, program.fd).u32(8, frame.length).u32(12, output.length);
  attributes.pointer(16, frame).pointer(24, output).u32(32, repeat).u32(40, before.length).u32(44, after.length);
  call(COMMAND.testRun, attributes.pointer(48, before).pointer(56, after), "test run of a BPF program");
  const { view } = attributes;
  return {
    answer: view.getInt32(4, true),
    ns: view.getUint32(36, true),
    mark: new DataView(after.buffer).getUint32(MARK_AT, true),
    output: output.subarray(0, view.getUint32(12, true)),
  };
}
