// Owns the news of files that come, go and are written (inotify(7)): for what the kernel tells in no other way, control
// groups, sysctls and pins of BPF links among them.
import { statSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { basename, join } from "node:path";

/** A path of which every part below `top` may come and go; `top` itself is there for good, or has news of its own. */
export interface WatchedPath {
  top: string;
  /** Below it: "arp_ignore", "system.slice/slurmstepd.scope". */
  path: string;
}

/** How well the paths are watched now. */
export interface Attention {
  /** A directory is watched only since now: what happened in it before has to be looked for. */
  anew: boolean;
  /** The directories that are there are all watched: false where a top is missing, or the kernel gives no more watches. */
  whole: boolean;
}

/** Directories that are watched; more are left to whoever looks from time to time. */
const MOST = 1024;

interface Watched {
  /** Which directory it is: another one of the same path is not watched by it. */
  inode: string;
  names: ReadonlySet<string>;
  watcher: FSWatcher;
}

/** Watches the directories above paths, and tells when one of the paths (or a part of one) may be otherwise. */
export class FileWatch {
  readonly #changed: (path: WatchedPath) => void;
  readonly #watched = new Map<string, Watched>();

  constructor(changed: (path: WatchedPath) => void) {
    this.#changed = changed;
  }

  /** Watches these paths from now on, and no others. Never throws: what cannot be watched is said. */
  attend(paths: readonly WatchedPath[]): Attention {
    const wanted = directoriesOf(paths);
    for (const [directory, { watcher }] of this.#watched) {
      if (wanted.has(directory)) continue;
      watcher.close();
      this.#watched.delete(directory);
    }
    const attention = { anew: false, whole: wanted.size <= MOST };
    for (const [directory, { paths: below, isTop }] of [...wanted].slice(0, MOST)) {
      const inode = inodeOf(directory);
      const names = new Set(below.keys());
      const known = this.#watched.get(directory);
      if (known && known.inode === inode && [...names].every((name) => known.names.has(name))) continue;
      known?.watcher.close();
      this.#watched.delete(directory);
      if (inode === undefined) {
        // A part that is not there yet is told by the directory above it.
        if (isTop) attention.whole = false;
        continue;
      }
      const watcher = this.#watch(directory, below);
      if (watcher) this.#watched.set(directory, { inode, names, watcher });
      attention.anew = true;
      attention.whole &&= watcher !== undefined;
    }
    return attention;
  }

  close(): void {
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  /** Undefined where the kernel refuses: the directory has gone, or the user has as many watches as he may have. */
  #watch(directory: string, paths: ReadonlyMap<string, WatchedPath>): FSWatcher | undefined {
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        const path = name === null ? undefined : paths.get(name);
        if (path) this.#changed(path);
        // The end of the directory itself is told by its own name. The next one there may get the same inode.
        if (name === basename(directory)) this.#drop(directory, watcher);
      });
      // The directory has gone: the one above it tells.
      watcher.on("error", () => this.#drop(directory, watcher));
      return watcher;
    } catch {
      return undefined;
    }
  }

  #drop(directory: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watched.get(directory)?.watcher === watcher) this.#watched.delete(directory);
  }
}

/** Each directory that has to be watched, with the names in it that matter, each with a path that it is a part of. */
function directoriesOf(
  paths: readonly WatchedPath[],
): Map<string, { paths: Map<string, WatchedPath>; isTop: boolean }> {
  const all = new Map<string, { paths: Map<string, WatchedPath>; isTop: boolean }>();
  for (const path of paths) {
    let directory = path.top;
    for (const name of path.path.split("/").filter((part) => part !== "")) {
      const known = all.get(directory) ?? { paths: new Map<string, WatchedPath>(), isTop: directory === path.top };
      known.paths.set(name, path);
      all.set(directory, known);
      directory = join(directory, name);
    }
  }
  return all;
}

function inodeOf(directory: string): string | undefined {
  try {
    const { dev, ino } = statSync(directory, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
