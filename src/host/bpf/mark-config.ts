// Owns the constants of mark-sockets (struct config of native/bpf/mark-sockets.bpf.c): written before it is loaded, read
// back from the kernel.
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { MOST_HIERARCHIES } from "../../model/socket-marks.ts";
import { HostError } from "../error.ts";
import { Btf } from "./btf.ts";

/** What the program looks at, as bits of `parts`. */
export const PART = {
  credentials: 1,
  users: 2,
  userRanges: 4,
  groups: 8,
  groupRanges: 16,
  members: 32,
  cgroups: 64,
  hierarchies: 128,
} as const;

/** What stands for cgroup version 2 in the place of a subsystem's number. */
export const VERSION_2 = 0xffffffff;

/** The constants, but for offsets of the kernel's structures, which are of no use to a reader. */
export interface MarkConfig {
  cookie: bigint;
  mask: number;
  /** Bits of PART. */
  parts: number;
  /** Ranges of supplementary groups. */
  members: number;
  /** Numbers of the subsystems of cgroup version 1 that are looked at. */
  subsystems: readonly number[];
  /** Which build of the program it is. */
  build: bigint;
}

const SIZE = 96;
const AT = { cookie: 0, mask: 8, parts: 12, members: 16, offsets: 20, hierarchies: 68, subsystems: 72, build: 88 };

/** Members whose offsets stand in the constants, in their order; the last six concern cgroups of version 1. */
const CREDENTIAL_MEMBERS = [
  "task_struct.cred",
  "cred.fsuid",
  "cred.fsgid",
  "cred.group_info",
  "group_info.ngroups",
  "group_info.gid",
];
const CGROUP_MEMBERS = [
  "task_struct.cgroups",
  "css_set.subsys",
  "cgroup_subsys_state.cgroup",
  "cgroup_subsys_state.parent",
  "cgroup.kn",
  "kernfs_node.id",
];

/** What of the kernel's types matters here. */
export interface KernelTypes {
  /** Offsets of CREDENTIAL_MEMBERS, or undefined when one is not known. */
  credentials: readonly number[] | undefined;
  /** Offsets of CGROUP_MEMBERS, or undefined. */
  cgroups: readonly number[] | undefined;
  /** Numbers of cgroup subsystems, by the names that version 1 gives them. */
  subsystems: ReadonlyMap<string, number>;
}

/** Of a kernel that tells nothing of its types. */
export const NOTHING_KNOWN: KernelTypes = { credentials: undefined, cgroups: undefined, subsystems: new Map() };

let known: KernelTypes | undefined;

/** What the kernel tells of its types, read once; nothing where it tells nothing. */
export function kernelTypes(): KernelTypes {
  known ??= readTypes();
  return known;
}

function readTypes(): KernelTypes {
  let btf: Btf;
  try {
    btf = new Btf(readFileSync("/sys/kernel/btf/vmlinux"));
  } catch {
    return NOTHING_KNOWN;
  }
  const offsets = (members: readonly string[]): readonly number[] | undefined => {
    const found = members.map((member) => btf.offsetOf(member));
    return found.every((offset) => offset !== undefined) ? found : undefined;
  };
  const subsystems = [...btf.enumerators("cgroup_subsys_id")].flatMap(([name, number]): [string, number][] => {
    const subsystem = /^(.+)_cgrp_id$/.exec(name)?.[1];
    // The one subsystem that got another name with version 2 (block/blk-cgroup.c, legacy_name).
    return subsystem === undefined ? [] : [[subsystem === "io" ? "blkio" : subsystem, number]];
  });
  return {
    credentials: offsets(CREDENTIAL_MEMBERS),
    cgroups: offsets(CGROUP_MEMBERS),
    subsystems: new Map(subsystems),
  };
}

/** The bytes of the constants. Throws HostError when they need what the kernel does not tell of its types. */
export function encodeConfig(config: MarkConfig, types: KernelTypes): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number): void => view.setUint32(at, value, true);
  view.setBigUint64(AT.cookie, config.cookie, true);
  word(AT.mask, config.mask);
  word(AT.parts, config.parts);
  word(AT.members, config.members);
  if (config.parts & PART.credentials) writeOffsets(word, 0, types.credentials, "ids of tasks");
  if (config.parts & PART.hierarchies) {
    writeOffsets(word, CREDENTIAL_MEMBERS.length, types.cgroups, "cgroups of version 1");
  }
  word(AT.hierarchies, config.subsystems.length);
  for (const [i, subsystem] of config.subsystems.entries()) word(AT.subsystems + 4 * i, subsystem);
  view.setBigUint64(AT.build, config.build, true);
  return bytes;
}

function writeOffsets(
  word: (at: number, value: number) => void,
  from: number,
  offsets: readonly number[] | undefined,
  what: string,
): void {
  if (!offsets) throw typesMissing(what);
  for (const [i, offset] of offsets.entries()) word(AT.offsets + 4 * (from + i), offset);
}

/** What to say when something needs the kernel's types. */
export function typesMissing(what: string): HostError {
  const kernelMessage = "the kernel does not say where it keeps them; it has to be built with CONFIG_DEBUG_INFO_BTF";
  return new HostError({ errno: constants.errno.ENOENT, object: `looking at ${what}`, kernelMessage });
}

/** Reads the constants back; undefined when they are of a program that is laid out otherwise. */
export function decodeConfig(bytes: Uint8Array): MarkConfig | undefined {
  if (bytes.length !== SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number): number => view.getUint32(at, true);
  const hierarchies = Math.min(word(AT.hierarchies), MOST_HIERARCHIES);
  return {
    cookie: view.getBigUint64(AT.cookie, true),
    mask: word(AT.mask),
    parts: word(AT.parts),
    members: word(AT.members),
    subsystems: Array.from({ length: hierarchies }, (_, i) => word(AT.subsystems + 4 * i)),
    build: view.getBigUint64(AT.build, true),
  };
}
