// Owns the nouns of whose a socket is: users, groups and control groups, as names in a file and as the kernel's numbers.

/** Highest id of a user or group: the one above means "no change" to the kernel. */
export const LAST_ID = 0xfffffffe;

/** Names that a section says and that the host has to look up. */
export interface OwnerNames {
  users: string[];
  groups: string[];
  /** As cgroupKey writes them. */
  cgroups: string[];
}

/** What the host found of them. A name that is absent is not known (yet): the name service may come up later. */
export interface Owners {
  users: Readonly<Record<string, number>>;
  groups: Readonly<Record<string, number>>;
  /** Ids of control groups, decimal: 64 bits do not fit a number. */
  cgroups: Readonly<Record<string, string>>;
}

/** Nobody was asked for. */
export function noOwners(): Owners {
  return { users: {}, groups: {}, cgroups: {} };
}

/** A control group by its path below the root of its hierarchy. */
export interface CgroupPath {
  /** Controller that the hierarchy of version 1 has ("freezer"); absent for the one of version 2. */
  controller?: string;
  /** From the root of the hierarchy: "/system.slice/slurmstepd.scope". */
  path: string;
}

/** "/system.slice/slurmstepd.scope", "freezer:/slurm/uid_5001": one text for each control group. */
export function cgroupKey({ controller, path }: CgroupPath): string {
  return controller === undefined ? path : `${controller}:${path}`;
}

/** The control group of a key. */
export function parseCgroupKey(key: string): CgroupPath {
  const colon = key.startsWith("/") ? -1 : key.indexOf(":");
  return colon < 0 ? { path: key } : { controller: key.slice(0, colon), path: key.slice(colon + 1) };
}
