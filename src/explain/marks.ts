// Owns the marks that heddle's own sections put on packets of a sender, as far as they can be told from what is wanted.
//
// What other programs' nftables do is not looked into; which of their chains a packet comes through is said.
import type { Desired } from "../model/objects.ts";

/** Who sends a packet, as far as marks depend on it. */
export interface Sender {
  uid: number;
  gid?: number;
  /** Path of a control group below the mount. */
  cgroup?: string;
}

/** A mark, and the section that sets it. */
export interface Marking {
  mark: number;
  /** Bits that are set; absent means all. */
  mask?: number;
  owner: string;
}

/** How one kind of wanted object marks packets of a sender. A role that marks adds its kind's here. */
type Marker = (object: Desired, sender: Sender) => Marking | undefined;

const MARKERS: readonly Marker[] = [];

/** The mark of a packet that had `before`, once the markings are done one after the other. */
export function applyMarks(before: number, markings: readonly Marking[]): number {
  return markings.reduce((mark, { mark: value, mask = 0xffffffff }) => ((mark & ~mask) | (value & mask)) >>> 0, before);
}

/** The marks that the wanted objects put on what the sender sends, in their order. */
export function marksOf(objects: readonly Desired[], sender: Sender): Marking[] {
  return objects.flatMap((object) => MARKERS.flatMap((marker) => marker(object, sender) ?? []));
}
