// Owns the mark that heddle's program puts on the sockets of a sender, and why.
//
// What nftables does to packets is not looked into; which chains a packet comes through is said elsewhere.
import type { CgroupProgramSpec, MarkRange } from "../model/socket-marks.ts";
import { parseCgroupKey } from "../model/owners.ts";
import type { Packet } from "./packet.ts";

/** Who sends a packet, as far as marks depend on it. */
export interface Sender {
  uid: number;
  /** The group that its sockets belong to; absent where it is not known. */
  gid?: number;
  /** Its supplementary groups; absent where they are not known. */
  groups?: readonly number[];
  /** Key of its control group, as cgroupKey (owners.ts) writes it. */
  cgroup?: string;
}

/** What the program does to the mark of a sender's socket. */
export interface Marking {
  /** The mark that the packet has then. */
  mark: number;
  /** Bits that it sets, and those that are its to set and to clear. */
  bits: number;
  mask: number;
  /** Which rows of the program fit: "user 5001", "control group /slurm". Empty where none does. */
  because: string[];
  /** What the program asks for and is not known of the sender: "group", "supplementary groups", "control group". */
  unknown: string[];
}

/** What the program makes of a packet that this host sends. */
export function markSocket(program: CgroupProgramSpec, sender: Sender, { mark = 0 }: Packet): Marking {
  const { users, groups, members, cgroups, mask } = program;
  const rows = [
    ...fitting(users, [sender.uid], "user"),
    ...fitting(groups, sender.gid === undefined ? [] : [sender.gid], "group"),
    ...fitting(members, sender.groups ?? [], "member of group"),
    ...cgroups
      .filter(({ cgroup }) => sender.cgroup !== undefined && isWithin(sender.cgroup, cgroup))
      .map(({ cgroup, bits }) => ({ bits, because: `control group ${cgroup}` })),
  ];
  const bits = rows.reduce((all, row) => (all | row.bits) >>> 0, 0);
  const unknown = [
    ...(groups.length > 0 && sender.gid === undefined ? ["group"] : []),
    ...(members.length > 0 && sender.groups === undefined ? ["supplementary groups"] : []),
    ...(cgroups.length > 0 && sender.cgroup === undefined ? ["control group"] : []),
  ];
  return { mark: ((mark & ~mask) | bits) >>> 0, bits, mask, because: rows.map(({ because }) => because), unknown };
}

function fitting(
  ranges: readonly MarkRange[],
  ids: readonly number[],
  what: string,
): { bits: number; because: string }[] {
  return ranges.flatMap(({ first, last, bits }) =>
    ids.filter((id) => first <= id && id <= last).map((id) => ({ bits, because: `${what} ${id}` })),
  );
}

/** Whether a control group is the other one or below it, in the same hierarchy. */
function isWithin(key: string, other: string): boolean {
  const [one, above] = [parseCgroupKey(key), parseCgroupKey(other)];
  if (one.controller !== above.controller) return false;
  return one.path === above.path || above.path === "/" || one.path.startsWith(`${above.path}/`);
}
