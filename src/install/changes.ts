// Owns the difference between what an installation is to have and what stands there.
import type { Diagnostic } from "../model/diagnostic.ts";
import type { InstallRecord, Placement, Remembered, Standing } from "../model/placement.ts";

/** One change: something is placed, or something of heddle's own is taken away. */
export type Change = { action: "create" | "replace"; placement: Placement } | { action: "delete"; path: string };

/** What there is to do, what is right already, and what is left alone and why. */
export interface Changes {
  changes: Change[];
  settled: string[];
  diagnostics: Diagnostic[];
}

/** How the caller knows what a text is without keeping it: its SHA-256 in hexadecimal. */
export type Digest = (text: string) => string;

/**
 * The changes from what stands to what is wanted. What heddle placed and somebody changed since is kept, unless `force`;
 * so is what somebody else placed, and while that is so the installation is refused.
 */
export function compareInstallation(
  wanted: readonly Placement[],
  record: InstallRecord,
  standing: (path: string) => Standing,
  digest: Digest,
  force = false,
): Changes {
  const result: Changes = { changes: [], settled: [], diagnostics: [] };
  const remembered = new Map(record.placed.map((one) => [one.path, one]));
  for (const placement of wanted) {
    const there = standing(placement.path);
    const known = remembered.get(placement.path);
    if (there === undefined) result.changes.push({ action: "create", placement });
    else if (isAsWanted(there, placement)) result.settled.push(placement.path);
    else if (force || (known && isAsRemembered(there, known, digest)))
      result.changes.push({ action: "replace", placement });
    else result.diagnostics.push(known ? wasEdited(placement.path) : inTheWay(placement.path));
  }
  const kept = new Set(wanted.map(({ path }) => path));
  const leaving = { ...record, placed: record.placed.filter(({ path }) => !kept.has(path)) };
  const removal = compareRemoval(leaving, standing, digest);
  result.changes.push(...removal.changes);
  result.diagnostics.push(...removal.diagnostics);
  return result;
}

/** The changes that take everything of heddle's own away: the last placed first. What somebody changed since is kept. */
export function compareRemoval(record: InstallRecord, standing: (path: string) => Standing, digest: Digest): Changes {
  const result: Changes = { changes: [], settled: [], diagnostics: [] };
  for (const known of record.placed.toReversed()) {
    const there = standing(known.path);
    if (there === undefined) continue;
    if (isAsRemembered(there, known, digest)) result.changes.push({ action: "delete", path: known.path });
    else result.diagnostics.push(isKept(known.path));
  }
  return result;
}

/** What is remembered of a placement. */
export function rememberPlacement(placement: Placement, digest: Digest): Remembered {
  const { path } = placement;
  return "link" in placement ? { path, link: placement.link } : { path, sha256: digest(placement.text) };
}

function isAsWanted(there: Standing, wanted: Placement): boolean {
  if (there === undefined || there === "other") return false;
  if ("link" in wanted) return "link" in there && there.link === wanted.link;
  return "text" in there && there.text === wanted.text && there.mode === wanted.mode;
}

function isAsRemembered(there: Standing, known: Remembered, digest: Digest): boolean {
  if (there === undefined || there === "other") return false;
  if ("link" in known) return "link" in there && there.link === known.link;
  return "text" in there && digest(there.text) === known.sha256;
}

function inTheWay(path: string): Diagnostic {
  return {
    code: "file-exists",
    severity: "error",
    summary: `${path} is there already, and not heddle's`,
    detail: "Nothing was changed.",
    remedy: "Move it away, or replace it with --force.",
  };
}

function wasEdited(path: string): Diagnostic {
  return {
    code: "file-edited",
    severity: "error",
    summary: `${path} was changed since heddle placed it`,
    detail: "Nothing was changed.",
    remedy: "Move the change into a drop-in (systemctl edit), then replace the file with --force.",
  };
}

function isKept(path: string): Diagnostic {
  return {
    code: "file-kept",
    severity: "warning",
    summary: `${path} was changed since heddle placed it, and stays`,
    remedy: "Delete it if it is not needed.",
  };
}
