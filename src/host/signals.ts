// Owns the place of signals: one small file for each writer below the run folder, written whole, read with bounds.
import { readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { isStale } from "../model/signals.ts";
import type { Signal } from "../model/signals.ts";
import { gatewayRow, probeRow, segmentRow } from "../plan/signal-rows.ts";
import { makeStateFolder } from "./ledger/files.ts";

/** Larger files are none of ours, bytes. */
const MOST_BYTES = 256 * 1024;

const rows = z.array(z.union([gatewayRow, probeRow, segmentRow]));

/** Where the signals of a network namespace are. */
export function signalsFolder(runFolder: string, cookie: string): string {
  return join(runFolder, `signals-${cookie}`);
}

/** Seconds since boot, with the time that the machine slept (CLOCK_BOOTTIME). */
export function secondsSinceBoot(): number {
  return Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
}

/** Writes the rows of one writer. What a reader sees is the old rows or the new ones. */
export async function writeSignals(folder: string, writer: string, signals: readonly Signal[]): Promise<void> {
  await makeStateFolder(folder);
  // Not synchronised to a disk: it is worth nothing after a reboot.
  const beside = join(folder, `.${writer}.${process.pid}`);
  await writeFile(beside, `${JSON.stringify(signals)}\n`);
  await rename(beside, join(folder, `${writer}.json`));
}

/** The rows that are not too old to be believed. */
export async function readFreshSignals(folder: string): Promise<Signal[]> {
  const signals = await readSignals(folder);
  if (signals.length === 0) return [];
  const now = secondsSinceBoot();
  return signals.filter((signal) => !isStale(signal, now));
}

/** All rows, as they are; files that cannot be read say nothing. */
export async function readSignals(folder: string): Promise<Signal[]> {
  const names = await readdir(folder).catch(() => []);
  const read = names
    .filter((name) => name.endsWith(".json") && !name.startsWith("."))
    .map(async (name): Promise<Signal[]> => {
      const path = join(folder, name);
      try {
        if ((await stat(path)).size > MOST_BYTES) return [];
        return rows.parse(JSON.parse(await readFile(path, "utf8"))) as Signal[];
      } catch {
        return [];
      }
    });
  return (await Promise.all(read)).flat();
}
