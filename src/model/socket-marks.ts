// Owns the nouns of the kind "cgroupProgram": a BPF program at the root of the control groups that gives sockets a mark by
// who makes them.

/** Ids from `first` to `last`, both included, and the bits of the mark that they give. */
export interface MarkRange {
  first: number;
  last: number;
  bits: number;
}

/** A control group with all below it, now and later. */
export interface MarkedCgroup {
  /** As cgroupKey (owners.ts) writes it. */
  cgroup: string;
  /** The kernel's id of it, decimal. */
  id: string;
  bits: number;
}

/** As many disjoint ranges of supplementary groups can be looked at, in all sections together. */
export const MOST_MEMBERS = 64;
/** As many hierarchies of control groups of version 1. */
export const MOST_HIERARCHIES = 4;

/** Whose sockets are marked. A socket gets the bits of every row that it fits. */
export interface SocketMarks {
  /** By the user that owns the socket: the file-system user id of its maker. */
  users: MarkRange[];
  /** By the group that owns the socket. */
  groups: MarkRange[];
  /** By any of the supplementary groups of its maker. */
  members: MarkRange[];
  cgroups: MarkedCgroup[];
}

/** The program as it is at work. */
export interface CgroupProgramSpec extends SocketMarks {
  program: "mark-sockets";
  /** Bits of the mark that the program sets and clears; it leaves all others alone. */
  mask: number;
  /** It is not at all of its hooks, or is another build of the program: it has to be put in place again. */
  broken?: true;
}

/** Connections of those a bit is for. */
export interface SocketCounts {
  /** That have the bit. */
  open: number;
  /** That were opened before there was a program, and keep the way that they had. */
  earlier: number;
}

/** "0x1000000": a mark as iproute2 writes it. */
export function markText(mark: number): string {
  return `0x${(mark >>> 0).toString(16)}`;
}
