// Owns the rules of the kind "cgroupProgram": one program for all sections, whose rows are put together.
import type { CgroupProgramSpec, MarkRange, MarkedCgroup, SocketMarks } from "../../model/socket-marks.ts";
import { parseCgroupKey } from "../../model/owners.ts";
import { markText } from "../../model/socket-marks.ts";
import { disjointRanges } from "../mark-ranges.ts";
import { canonicalText } from "./canonical.ts";
import type { KindRules } from "./kind-rules.ts";

export const cgroupProgramRules: KindRules<"cgroupProgram"> = {
  identify: (spec) => `cgroupProgram ${spec.program}`,
  normalize: normalizeProgram,
  needs: () => [],
  merge: (a, b) =>
    normalizeProgram({
      program: a.program,
      mask: (a.mask | b.mask) >>> 0,
      users: [...a.users, ...b.users],
      groups: [...a.groups, ...b.groups],
      members: [...a.members, ...b.members],
      cgroups: [...a.cgroups, ...b.cgroups],
    }),
  describe: describeProgram,
  rank: () => 0,
  // The kernel knows a control group by its id alone.
  compare: (spec) =>
    canonicalText({ ...spec, cgroups: spec.cgroups.map((row) => [hierarchyOf(row), row.id, row.bits]) }),
};

function normalizeProgram(spec: CgroupProgramSpec): CgroupProgramSpec {
  return {
    program: spec.program,
    mask: spec.mask,
    users: disjointRanges(spec.users),
    groups: disjointRanges(spec.groups),
    members: disjointRanges(spec.members),
    cgroups: joinCgroups(spec.cgroups),
    ...(spec.broken ? { broken: true } : {}),
  };
}

/** Ids are given anew in each hierarchy. */
function hierarchyOf({ cgroup }: MarkedCgroup): string {
  return parseCgroupKey(cgroup).controller ?? "";
}

/** One row for each control group, by its id. */
function joinCgroups(rows: readonly MarkedCgroup[]): MarkedCgroup[] {
  const byId = new Map<string, MarkedCgroup>();
  for (const row of rows) {
    const key = `${hierarchyOf(row)} ${row.id}`;
    const known = byId.get(key);
    byId.set(key, { ...row, bits: (row.bits | (known?.bits ?? 0)) >>> 0 });
  }
  return [...byId].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

/** "mark-sockets 0x1000000 for 3 users, 1 group; 0x2000000 for 1 control group". */
function describeProgram(spec: CgroupProgramSpec): string {
  const bits = Array.from({ length: 32 }, (_, bit) => (1 << bit) >>> 0).filter((bit) => (spec.mask & bit) !== 0);
  return `${spec.program} ${bits.map((bit) => `${markText(bit)} for ${countOwners(spec, bit)}`).join("; ")}`;
}

function countOwners(spec: SocketMarks, bit: number): string {
  const ids = (ranges: readonly MarkRange[]): number =>
    ranges.filter(({ bits }) => (bits & bit) !== 0).reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const counts: [count: number, noun: string][] = [
    [ids(spec.users), "user"],
    [ids(spec.groups), "group"],
    [ids(spec.members), "supplementary group"],
    [spec.cgroups.filter(({ bits }) => (bits & bit) !== 0).length, "control group"],
  ];
  const said = counts
    .filter(([count]) => count > 0)
    .map(([count, noun]) => `${count} ${noun}${count === 1 ? "" : "s"}`);
  return said.join(", ") || "nobody";
}
