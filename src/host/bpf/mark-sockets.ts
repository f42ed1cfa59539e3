// Owns the marking of sockets by who makes them (native/bpf/mark-sockets.bpf.c): writing who gets which mark, reading
// back what the kernel has, taking it away.
import { closeSync, constants as flags, fstatSync, openSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { MOST_HIERARCHIES, MOST_MEMBERS } from "../../model/socket-marks.ts";
import { HostError } from "../error.ts";
import type { WatchedPath } from "../file-watch.ts";
import { makeStateFolder } from "../ledger/files.ts";
import { namespaceCookie, OWN_NAMESPACE } from "../native.ts";
import type { NamespaceFd } from "../native.ts";
import { buildOf } from "./build.ts";
import { openPinned } from "./call.ts";
import type { BpfObject } from "./elf.ts";
import { learnCookie } from "./cookie.ts";
import { lookAtLink } from "./link.ts";
import { CONSTANTS, openPrograms, readObject } from "./load.ts";
import type { Hook } from "./load.ts";
import type { BpfMap } from "./map.ts";
import { decodeConfig, encodeConfig, kernelTypes, PART } from "./mark-config.ts";
import { typesMissing } from "./mark-config.ts";
import type { KernelTypes, MarkConfig } from "./mark-config.ts";
import { encodeMarks, fillMaps, readMarks } from "./mark-maps.ts";
import type { SocketMarks } from "./mark-maps.ts";
import { findBpffs, needBpffs, needCgroupRoot } from "./mounts.ts";
import { hasPins, isHeld, pinName, placeProgram, removePins } from "./pins.ts";
import type { Cgroup } from "./pins.ts";
import { openProgramMaps } from "./program.ts";

/** What the kernel does to sockets now. */
export interface MarkedSockets {
  /** Bits of the mark that are set or cleared; the others stay as they are. */
  mask: number;
  marks: SocketMarks;
  /** Whether all hooks run this, of this build of the program: if not, it has to be written again. */
  attached: boolean;
  /** Whose ids count: of the filesystem, as for `skuid` of nft, or real ones where the kernel tells no types. */
  ids: "filesystem" | "real";
  /** How many sockets got each of the 32 bits since the program was first attached. */
  sockets: number[];
}

/** The marking of one network namespace's sockets. One writer at a time; reading is possible at any moment. */
export interface SocketMarker {
  /** What the kernel has now, from the links and maps themselves; undefined when there is nothing. Throws HostError. */
  read(): Promise<MarkedSockets | undefined>;
  /**
   * Makes it so that every socket gets (mark & ~mask) | bits. Each hook changes from the old to the new at once, so a
   * user who is in both is never without. Throws HostError, RangeError when ranges overlap or bits are outside the mask.
   */
  write(mask: number, marks: SocketMarks): Promise<void>;
  /** Takes everything away. */
  remove(): Promise<void>;
  /**
   * Whether every hook has its pin, and the link behind it holds a program at a cgroup. A glance for who asks often: what
   * the program does is not read. Throws HostError.
   */
  isAttached(): boolean;
  /** The pins, for who wants to hear of them being taken away; none where no bpffs is mounted. */
  pins(): WatchedPath[];
}

/** Where the marking is; absent parts are found. */
export interface MarkerPlace {
  namespace?: NamespaceFd;
  /** Directory of the cgroup whose sockets are seen, all below it included; absent means the root of version 2. */
  cgroup?: string;
  /** Where a bpffs is mounted. */
  bpffs?: string;
  /** The programs; absent means those that heddle was built with. */
  object?: BpfObject;
  /** What is known of the kernel's types; absent means what it tells itself. */
  types?: KernelTypes;
}

const HOOKS: readonly Hook[] = ["cgroup/sock_create", "cgroup/connect4", "cgroup/connect6"];
const TOP = "heddle";
const NAME = "mark-sockets";

/** The marking of a namespace's sockets. Nothing is touched until it is asked to. */
export function markSockets(place: MarkerPlace = {}): SocketMarker {
  const namespace = place.namespace ?? OWN_NAMESPACE;
  const cookie = namespaceCookie(namespace);
  const below = join(TOP, cookie, NAME);
  const foundFolder = (): string | undefined => {
    const bpffs = place.bpffs ?? findBpffs(below);
    return bpffs === undefined ? undefined : join(bpffs, below);
  };
  return {
    async read() {
      const folder = foundFolder();
      if (folder === undefined || !hasPins(folder)) return undefined;
      using cgroup = openCgroup(place.cgroup ?? (await needCgroupRoot()));
      return readFolder(folder, cgroup, buildOf(place.object ?? readObject(NAME)));
    },
    async write(mask, marks) {
      const bpffs = place.bpffs ?? (await needBpffs(below));
      using cgroup = openCgroup(place.cgroup ?? (await needCgroupRoot()));
      const number = /^\d+$/.test(cookie) ? BigInt(cookie) : learnCookie(namespace, cgroup.fd);
      // Each by itself: where bpffs is open to everybody, none of them may be somebody else's.
      for (const part of [TOP, join(TOP, cookie), below]) await makeStateFolder(join(bpffs, part));
      const folder = join(bpffs, below);
      const object = place.object ?? readObject(NAME);
      writeFolder({ folder, cgroup, cookie: number, object, types: place.types ?? kernelTypes() }, mask, marks);
    },
    isAttached() {
      const folder = foundFolder();
      return folder !== undefined && HOOKS.every((hook) => isHeld(join(folder, pinName(hook))));
    },
    pins() {
      const bpffs = place.bpffs ?? findBpffs(below);
      return bpffs === undefined ? [] : HOOKS.map((hook) => ({ top: bpffs, path: join(below, pinName(hook)) }));
    },
    async remove() {
      const folder = foundFolder();
      if (folder !== undefined) removePins(folder, folder.slice(0, folder.length - below.length + TOP.length));
    },
  };
}

function openCgroup(path: string): Cgroup & Disposable {
  const fd = openSync(path, flags.O_RDONLY | flags.O_DIRECTORY);
  const id = fstatSync(fd, { bigint: true }).ino.toString();
  return { fd, id, [Symbol.dispose]: () => closeSync(fd) };
}

interface Goal {
  folder: string;
  cgroup: Cgroup;
  /** Cookie of the network namespace. */
  cookie: bigint;
  object: BpfObject;
  types: KernelTypes;
}

function writeFolder({ folder, cgroup, cookie, object, types }: Goal, mask: number, marks: SocketMarks): void {
  checkBits(mask, marks);
  const entries = encodeMarks(marks, (name) => {
    const number = types.subsystems.get(name);
    if (number !== undefined) return number;
    if (!types.cgroups) throw typesMissing("cgroups of version 1");
    throw new HostError({ errno: constants.errno.ENOENT, object: `cgroup hierarchy ${name}` });
  });
  if (entries.maps.members.length > MOST_MEMBERS) {
    throw tooMany(`${entries.maps.members.length} ranges of supplementary groups`, MOST_MEMBERS);
  }
  if (entries.subsystems.length > MOST_HIERARCHIES) {
    throw tooMany(`${entries.subsystems.length} cgroup hierarchies`, MOST_HIERARCHIES);
  }
  // Supplementary groups are nowhere but in the credentials; whoever wants them is told when they cannot be had.
  const credentials = types.credentials !== undefined || entries.parts & PART.members ? PART.credentials : 0;
  const config: MarkConfig = {
    cookie,
    mask,
    parts: entries.parts | credentials,
    members: entries.maps.members.length,
    subsystems: entries.subsystems,
    build: buildOf(object),
  };
  const sizes = Object.entries(entries.maps).map(([name, { length }]) => [name, Math.max(length, 1)] as const);
  const kept = openKept(folder);
  try {
    const options = {
      entries: Object.fromEntries(sizes),
      constants: { config: encodeConfig(config, types) },
      reuse: kept ? [kept] : [],
    };
    using loaded = openPrograms(object, options, (maps) => fillMaps(maps, entries));
    for (const hook of HOOKS) {
      const program = loaded.programs.get(hook);
      if (!program) throw new Error(`the BPF object has no program for ${hook}`);
      placeProgram(folder, hook, program, cgroup);
    }
  } finally {
    kept?.[Symbol.dispose]();
  }
}

function checkBits(mask: number, marks: SocketMarks): void {
  for (const { bits } of [...marks.users, ...marks.groups, ...marks.members, ...marks.cgroups]) {
    if ((bits & ~mask) >>> 0 !== 0) throw new RangeError(`bits ${bits} are outside the mask ${mask}`);
  }
}

function tooMany(what: string, most: number): HostError {
  const kernelMessage = `at most ${most} can be looked at`;
  return new HostError({ errno: constants.errno.E2BIG, object: what, kernelMessage });
}

/** The counters of whatever runs now, so that they go on; undefined when nothing does. */
function openKept(folder: string): BpfMap | undefined {
  for (const hook of HOOKS) {
    const maps = openHook(folder, hook)?.maps;
    const counters = maps?.get("counters");
    for (const map of maps?.values() ?? []) if (map !== counters) map[Symbol.dispose]();
    if (counters) return counters;
  }
  return undefined;
}

interface OpenHook {
  cgroup: string;
  maps: Map<string, BpfMap>;
  /** Number of the map of constants: programs that were loaded together have the same. */
  generation: number;
}

function openHook(folder: string, hook: Hook): OpenHook | undefined {
  using link = openPinned(join(folder, pinName(hook)));
  const held = link && lookAtLink(link);
  const opened = held && openProgramMaps(held.program);
  if (!opened) return undefined;
  return { cgroup: held.cgroup, maps: opened.maps, generation: opened.ids.get(CONSTANTS) ?? 0 };
}

function readFolder(folder: string, cgroup: Cgroup, build: bigint): MarkedSockets | undefined {
  using stack = new DisposableStack();
  const hooks = HOOKS.map((hook) => openHook(folder, hook));
  for (const hook of hooks) for (const map of hook?.maps.values() ?? []) stack.use(map);
  // After a write that was cut off hooks differ; the last ones have what was there before.
  const shown = hooks.findLast((hook) => hook !== undefined);
  if (!shown) return undefined;
  const bytes = shown.maps.get(CONSTANTS)?.lookup(new Uint8Array(4));
  const config = bytes && decodeConfig(bytes);
  const nothing = { users: [], groups: [], members: [], cgroups: [] };
  if (!config) return { mask: 0, marks: nothing, attached: false, ids: "real", sockets: readCounters(shown.maps) };
  const whole = hooks.every((hook) => hook?.generation === shown.generation && hook.cgroup === cgroup.id);
  const names = new Map([...kernelTypes().subsystems].map(([name, number]) => [number, name]));
  return {
    mask: config.mask,
    marks: readMarks(shown.maps, config, (number) => names.get(number) ?? String(number)),
    attached: whole && config.build === build,
    ids: config.parts & PART.credentials ? "filesystem" : "real",
    sockets: readCounters(shown.maps),
  };
}

/** Sums of what the CPUs counted. */
function readCounters(maps: ReadonlyMap<string, BpfMap>): number[] {
  const sums = Array<number>(32).fill(0);
  const value = maps.get("counters")?.lookup(new Uint8Array(4));
  if (!value) return sums;
  const view = new DataView(value.buffer);
  for (let at = 0; at + 8 <= value.length; at += 8) {
    const bit = (at / 8) % 32;
    sums[bit] = (sums[bit] ?? 0) + Number(view.getBigUint64(at, true));
  }
  return sums;
}
