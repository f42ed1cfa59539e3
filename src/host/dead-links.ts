// Owns the door by which whoever probes far ends tells that one is dead though its link has a carrier: a file for each
// link in the folder `signals` of the state. What is not renewed in time counts no more.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const MOST_FILES = 256;
const MOST_BYTES = 4096;

/**
 * The links that are told to be dead now. A file is `link-<anything>.json` with `{ "link": "ib2", "dead": true,
 * "until": milliseconds since 1970 }`; one that is not like that, or is too old, says nothing.
 */
export function readDeadLinks(folder: string, nowMs: number): ReadonlySet<string> {
  const dead = new Set<string>();
  for (const name of namesIn(folder).slice(0, MOST_FILES)) {
    if (!name.startsWith("link-") || !name.endsWith(".json")) continue;
    const row = readRow(join(folder, name));
    if (
      row &&
      row.dead === true &&
      typeof row.link === "string" &&
      typeof row.until === "number" &&
      row.until > nowMs
    ) {
      dead.add(row.link);
    }
  }
  return dead;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** A file that goes or is written while it is read says nothing this time. */
function readRow(path: string): { link?: unknown; dead?: unknown; until?: unknown } | undefined {
  try {
    if (statSync(path).size > MOST_BYTES) return undefined;
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
