// Owns the doing of an installation: memory first, then files, then systemd.
import type { Changes } from "../install/changes.ts";
import { rememberPlacement } from "../install/changes.ts";
import { missingDirectories, place, readStanding, takeAway, takeAwayEmpty } from "../host/placed/place.ts";
import { forgetRecord, sha256, writeRecord } from "../host/placed/record.ts";
import { systemctl } from "../host/systemd.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { RECORD_FILE } from "../model/placement.ts";
import type { InstallRecord, Placement, Standing } from "../model/placement.ts";

/** What `uninstall` ends. */
const SERVICES = ["heddle-agent.service", "heddle-gateway.service", "heddle-bridge.service"];

/** What stands at each of the paths, below the root. */
export async function readAllStanding(
  root: string,
  paths: readonly { path: string }[],
): Promise<(path: string) => Standing> {
  const standing = new Map<string, Standing>();
  for (const { path } of paths) standing.set(path, await readStanding(root, path));
  return (path) => standing.get(path);
}

/**
 * Does the changes. Remembered is, at any moment, at least what stands: a run that is cut short can be repeated, and
 * undone. The answer is what systemd refused; what the disk refuses is thrown.
 */
export async function carryOut(
  root: string,
  work: { found: Changes; earlier: InstallRecord; wanted: readonly Placement[]; reload: boolean },
): Promise<Diagnostic[]> {
  const { found, earlier, wanted, reload } = work;
  const { changes } = found;
  const failed: Diagnostic[] = [];
  const going = changes.flatMap((change) => (change.action === "delete" ? [change.path] : []));
  // Only these are stopped: units of others may require the rest, and would be stopped along with it.
  for (const service of SERVICES) {
    if (reload && going.some((path) => path.endsWith(`/${service}`))) failed.push(...(await asked("stop", service)));
  }

  if (wanted.length > 0) {
    const creating = changes.flatMap((change) => (change.action === "create" ? [change.placement.path] : []));
    const directories = [
      ...new Set([...earlier.directories, ...(await missingDirectories(root, [...creating, RECORD_FILE]))]),
    ];
    const placed = wanted.map((placement) => rememberPlacement(placement, sha256));
    const own = new Set(placed.map(({ path }) => path));
    const leaving = earlier.placed.filter(({ path }) => !own.has(path));
    await writeRecord(root, { placed: [...placed, ...leaving], directories: directories.toSorted() });
    for (const change of changes) if (change.action !== "delete") await place(root, change.placement);
    for (const path of going) await takeAway(root, path);
    const needed = (directory: string): boolean =>
      [...own, RECORD_FILE].some((path) => path.startsWith(`${directory}/`));
    await takeAwayEmpty(root, directories.filter((directory) => !needed(directory)).toSorted());
    await writeRecord(root, { placed, directories: directories.filter(needed).toSorted() });
  } else {
    for (const path of going) await takeAway(root, path);
    await forgetRecord(root);
    await takeAwayEmpty(root, earlier.directories);
  }
  if (reload && changes.length > 0) failed.push(...(await asked("daemon-reload")));
  return failed;
}

async function asked(...words: string[]): Promise<Diagnostic[]> {
  const said = await systemctl(...words);
  if (said === undefined) return [];
  return [
    {
      code: "systemd-refused",
      severity: "error",
      summary: `systemctl ${words.join(" ")} failed`,
      detail: /[.!?]$/.test(said) ? said : `${said}.`,
      remedy: "Mend what it names, and run it by hand; the files are in place.",
    },
  ];
}
