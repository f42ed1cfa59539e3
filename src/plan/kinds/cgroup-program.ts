// Owns the rules of the kind "cgroupProgram": one program for all sections, whose rows are put together.
import { disjointRanges } from "../../model/mark-ranges.ts";
import type { CgroupProgramSpec, MarkRange, MarkedCgroup, SocketMarks } from "../../model/socket-marks.ts";
import { parseCgroupKey } from "../../model/owners.ts";
import { markText } from "../../model/socket-marks.ts";
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

/** "mark-sockets 0x1000000 for 3 users (5001-5003), 1 group (600); 0x2000000 for 1 control group (#4711)". */
function describeProgram(spec: CgroupProgramSpec): string {
  const bits = Array.from({ length: 32 }, (_, bit) => (1 << bit) >>> 0).filter((bit) => (spec.mask & bit) !== 0);
  return `${spec.program} ${bits.map((bit) => `${markText(bit)} for ${countOwners(spec, bit)}`).join("; ")}`;
}

/** As many are told apart; with more, only how many there are. */
const MOST_TOLD = 3;

function countOwners(spec: SocketMarks, bit: number): string {
  const withBit = <Row extends { bits: number }>(rows: readonly Row[]): Row[] =>
    rows.filter(({ bits }) => (bits & bit) !== 0);
  const ids = (ranges: readonly MarkRange[]): [count: number, told: string[]] => [
    withBit(ranges).reduce((sum, { first, last }) => sum + last - first + 1, 0),
    withBit(ranges).map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)),
  ];
  // A control group that is removed and made again has its name, but another id.
  const cgroups = withBit(spec.cgroups).map(({ id }) => `#${id}`);
  const counts: [counted: [count: number, told: string[]], noun: string][] = [
    [ids(spec.users), "user"],
    [ids(spec.groups), "group"],
    [ids(spec.members), "supplementary group"],
    [[cgroups.length, cgroups], "control group"],
  ];
  const said = counts
    .filter(([[count]]) => count > 0)
    .map(([[count, told], noun]) => {
      const which = told.length > MOST_TOLD ? "" : ` (${told.join(", ")})`;
      return `${count} ${noun}${count === 1 ? "" : "s"}${which}`;
    });
  return said.join(", ") || "nobody";
}
