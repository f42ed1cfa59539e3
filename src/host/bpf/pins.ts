// Owns links that are pinned: found again by whoever comes next, exchanged without a gap, and taken away.
//
// Only links are pinned. A link holds its program and a program its maps, so what is attached and what it looks at
// cannot come apart, however a process ends (docs/adr/0010).
import { readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { openPinned, pin } from "./call.ts";
import type { Descriptor } from "./call.ts";
import { attachToCgroup, detach, lookAtLink, swapProgram } from "./link.ts";
import type { Hook } from "./load.ts";

/** A cgroup that programs are attached to. */
export interface Cgroup {
  /** Its directory, open. */
  fd: number;
  /** Its number, in decimal digits. */
  id: string;
}

/** Ends the name of a link that has not yet taken its place. bpffs keeps names with dots for itself. */
const NEW = "-new";

/** Name of a hook's pin: "connect4". */
export function pinName(hook: Hook): string {
  return hook.slice(hook.indexOf("/") + 1);
}

/**
 * Makes the program run at the hook. A link that is there gets it at once. Otherwise a new link takes effect before an
 * old one, to a cgroup that is gone or another, ends. A kill at any moment leaves what the next call completes.
 */
export function placeProgram(folder: string, hook: Hook, program: Descriptor, cgroup: Cgroup): void {
  const path = join(folder, pinName(hook));
  using old = openPinned(path);
  using begun = openPinned(path + NEW);
  if (old && swapAt(old, cgroup, program)) return dropLink(path + NEW);
  if (!begun || !swapAt(begun, cgroup, program)) {
    dropLink(path + NEW);
    using link = attachToCgroup(program, hook, cgroup.fd);
    pin(link, path + NEW);
  }
  renameSync(path + NEW, path);
  if (old) detach(old);
}

/** Puts the program into a link that is at the cgroup; false when it is at another one, or at one that has gone. */
function swapAt(link: Descriptor, cgroup: Cgroup, program: Descriptor): boolean {
  return lookAtLink(link)?.cgroup === cgroup.id && swapProgram(link, program);
}

/** Whether a link is pinned there that holds a program at a cgroup: one that was detached is at none. */
export function isHeld(path: string): boolean {
  using link = openPinned(path);
  const cgroup = link && lookAtLink(link)?.cgroup;
  return cgroup !== undefined && cgroup !== "0";
}

/** Ends a pinned link, if there is one. */
function dropLink(path: string): void {
  using link = openPinned(path);
  if (!link) return;
  // The attachment ends though somebody else may have the link open.
  detach(link);
  unlinkSync(path);
}

/** Ends all links of a folder and takes it away, with the empty ones above it, up to `top`, which goes too. */
export function removePins(folder: string, top: string): void {
  for (const name of entriesOf(folder)) dropLink(join(folder, name));
  removeFolders(folder, top);
}

/** Takes an empty folder away, with the empty ones above it, up to `top`, which goes too. */
export function removeFolders(folder: string, top: string): void {
  for (let path = folder; path.startsWith(top); path = dirname(path)) {
    try {
      rmdirSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOTEMPTY" || code === "EEXIST") return;
      if (code !== "ENOENT") throw error;
    }
  }
}

/** Whether anything is pinned there. */
export function hasPins(folder: string): boolean {
  return entriesOf(folder).length > 0;
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
