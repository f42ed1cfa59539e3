// Owns what heddle asks of the service manager, without a shell between them.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Longest time that the service manager may take, in milliseconds. */
const MOST_MS = 120_000;

/** Whether systemd runs this host (sd_booted(3)). */
export function isSystemdRunning(): boolean {
  return existsSync("/run/systemd/system");
}

/** Runs systemctl; the answer is what it said when it failed, undefined when it did not. */
export async function systemctl(...words: string[]): Promise<string | undefined> {
  try {
    await run("systemctl", words, { timeout: MOST_MS, maxBuffer: 1024 * 1024 });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return stderr?.trim() || message;
  }
}
