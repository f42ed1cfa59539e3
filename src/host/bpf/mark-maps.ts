// Owns what stands in the maps of mark-sockets: marks by user, group, membership and cgroup, to bytes and back.
import type { LoadedObject } from "./load.ts";
import type { BpfMap, MapEntry } from "./map.ts";
import { PART, VERSION_2 } from "./mark-config.ts";
import type { MarkConfig } from "./mark-config.ts";
import type { MarkRange } from "../../model/socket-marks.ts";
import { disjointRanges } from "../../model/mark-ranges.ts";
import { prefixesOf, rangeOf } from "./ranges.ts";

/** A cgroup, with all below it, whose sockets get bits of the mark. */
export interface CgroupMark {
  /** The kernel's number of the cgroup, in decimal digits: the inode of its directory. */
  id: string;
  /** "v2", or the name of the subsystem of version 1 whose hierarchy it is in ("freezer"); absent means "v2". */
  hierarchy?: string;
  bits: number;
}

/** Who gets which bits of the mark; all bits that apply are or-ed. */
export interface SocketMarks {
  /** By the user who owns the socket's file. Ranges must not overlap. */
  users: readonly MarkRange[];
  /** By the group that owns the socket's file. */
  groups: readonly MarkRange[];
  /** By supplementary groups; at most 64 ranges. */
  members: readonly MarkRange[];
  cgroups: readonly CgroupMark[];
}

/** The same in bytes, as the maps hold it. */
export interface MarkEntries {
  parts: number;
  maps: Record<"users" | "user_ranges" | "groups" | "group_ranges" | "members" | "cgroups", MapEntry[]>;
  /** Numbers of the subsystems of version 1 that occur. */
  subsystems: number[];
}

/** Bytes of maps' keys and values, in struct order. */
function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setUint32(4 * i, value, true);
  return bytes;
}

function wordAt(bytes: Uint8Array, index: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4 * index, true);
}

/** Turns marks into entries; `subsystem` gives the number of a subsystem of version 1. */
export function encodeMarks(marks: SocketMarks, subsystem: (name: string) => number): MarkEntries {
  const [users, userRanges] = encodeIds(marks.users);
  const [groups, groupRanges] = encodeIds(marks.groups);
  const members = disjointRanges(marks.members).map(({ first, last, bits }, i) => ({
    key: words(i),
    value: words(first, last, bits),
  }));
  const numbered = marks.cgroups.map(({ id, hierarchy = "v2", bits }) => ({
    id: BigInt(id),
    subsystem: hierarchy === "v2" ? VERSION_2 : subsystem(hierarchy),
    bits,
  }));
  const cgroups = numbered.map(({ id, subsystem, bits }) => ({
    key: words(Number(id & 0xffffffffn), Number(id >> 32n), subsystem, 0),
    value: words(bits),
  }));
  const subsystems = [...new Set(numbered.map(({ subsystem }) => subsystem))].filter((one) => one !== VERSION_2);
  const present: readonly [boolean, number][] = [
    [users.length > 0, PART.users],
    [userRanges.length > 0, PART.userRanges],
    [groups.length > 0, PART.groups],
    [groupRanges.length > 0, PART.groupRanges],
    [members.length > 0, PART.members],
    [numbered.some(({ subsystem }) => subsystem === VERSION_2), PART.cgroups],
    [subsystems.length > 0, PART.hierarchies],
  ];
  const parts = present.reduce((all, [there, part]) => (there ? all | part : all), 0);
  const maps = { users, user_ranges: userRanges, groups, group_ranges: groupRanges, members, cgroups };
  return { parts, maps, subsystems: subsystems.sort((a, b) => a - b) };
}

/** Single ids go into a hash, which is quicker; ranges as prefixes into a trie, most significant byte first. */
function encodeIds(ranges: readonly MarkRange[]): [single: MapEntry[], prefixes: MapEntry[]] {
  const canonical = disjointRanges(ranges);
  const single = canonical.filter(({ first, last }) => first === last);
  const wide = canonical.filter(({ first, last }) => first !== last);
  return [
    single.map(({ first, bits }) => ({ key: words(first), value: words(bits) })),
    wide.flatMap(prefixesOf).map(({ id, length, bits }) => {
      const key = words(length, 0);
      new DataView(key.buffer).setUint32(4, id, false);
      return { key, value: words(bits) };
    }),
  ];
}

/** Puts the entries into the maps, which are new and as large as they have to be. */
export function fillMaps(loaded: LoadedObject, { maps }: MarkEntries): void {
  for (const [name, entries] of Object.entries(maps)) loaded.map(name).updateAll(entries);
}

/** Reads the marks back; `name` gives the name of a subsystem of version 1. What came in comes out canonical, sorted. */
export function readMarks(
  maps: ReadonlyMap<string, BpfMap>,
  config: MarkConfig,
  name: (subsystem: number) => string,
): SocketMarks {
  const all = (map: string): MapEntry[] => maps.get(map)?.readAll() ?? [];
  const members = config.parts & PART.members ? all("members").slice(0, config.members) : [];
  const cgroups = all("cgroups").map(({ key, value }): CgroupMark => {
    const id = new DataView(key.buffer, key.byteOffset, key.byteLength).getBigUint64(0, true).toString();
    const subsystem = wordAt(key, 2);
    return { id, hierarchy: subsystem === VERSION_2 ? "v2" : name(subsystem), bits: wordAt(value, 0) };
  });
  return {
    users: decodeIds(all("users"), all("user_ranges")),
    groups: decodeIds(all("groups"), all("group_ranges")),
    members: disjointRanges(
      members.map(({ value }) => ({ first: wordAt(value, 0), last: wordAt(value, 1), bits: wordAt(value, 2) })),
    ),
    cgroups: cgroups.sort(byHierarchyAndId),
  };
}

function byHierarchyAndId(a: CgroupMark, b: CgroupMark): number {
  const [one, other] = [a, b].map(({ hierarchy, id }) => `${hierarchy} ${id.padStart(20, "0")}`) as [string, string];
  return one < other ? -1 : 1;
}

function decodeIds(single: readonly MapEntry[], prefixes: readonly MapEntry[]): MarkRange[] {
  return disjointRanges([
    ...single.map(({ key, value }) => ({ first: wordAt(key, 0), last: wordAt(key, 0), bits: wordAt(value, 0) })),
    ...prefixes.map(({ key, value }) => {
      const id = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(4, false);
      return rangeOf({ id, length: wordAt(key, 0), bits: wordAt(value, 0) });
    }),
  ]);
}
