// Owns the three faces of a kernel object on its way through the house: wanted by a role, desired by the host,
// observed in the kernel.
import type { SourceRange } from "./diagnostic.ts";
import type { Key, Kind, Specs } from "./kinds.ts";
import type { LinkFact } from "./facts.ts";

/** A role instance as people say it: "multihome/ib". */
export type RoleId = string;

/** What one role asks for, and the place in the file that it asks because of. `adopt`: an equal foreign one may be taken over. */
export type Wanted<K extends Kind = Kind> = K extends Kind
  ? { kind: K; spec: Specs[K]; from: SourceRange; adopt?: true }
  : never;

/** What the host shall have: normalised, one row for each key, with everyone who asked for it. */
export type Desired<K extends Kind = Kind> = K extends Kind
  ? { kind: K; spec: Specs[K]; key: Key; needs: Need[]; owners: RoleId[]; from: SourceRange[]; adopt?: true }
  : never;

/** What the kernel has: normalised, in the kernel's order. Several foreign routes may share a key. */
export type Observed<K extends Kind = Kind> = K extends Kind ? { kind: K; spec: Specs[K]; key: Key } : never;

/** What must be there before an object can be made. */
export type Need = { link: string; up: boolean } | { address: string; link?: string };

/** One look at the kernel: everything of the managed kinds that heddle asked for, and the links. */
export interface Snapshot {
  links: LinkFact[];
  observed: Observed[];
}

/** The whole of what the host shall have. */
export interface DesiredState {
  objects: Desired[];
}
