// Owns the files that the daemons of a gateway work with: where they are, and what stands in them.
import { chmod, mkdir, rm, utimes, writeFile } from "node:fs/promises";
import { constants as fs, existsSync, openSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { HostError } from "../../host/error.ts";
import { makeStateFolder } from "../../host/ledger/files.ts";
import { findProgram } from "../../host/program.ts";
import { secondsSinceBoot } from "../../host/signals.ts";

/** keepalived and conntrackd split their files at blanks and know quotes and braces. */
const PLAIN = /^\/[A-Za-z0-9/._-]{1,70}$/;

/**
 * Ends with 0 while the file holds a second since boot that is at most three seconds old: less than a lease, and
 * more than a busy machine makes a process wait. It is run every second, so it
 * starts no further program.
 */
const ALIVE = `#!/bin/sh
# Written by heddle: whether it still renews what the kernel lends.
read -r now _ </proc/uptime && read -r beat <"$1" && [ "\${now%.*}" -le "$((beat + 3))" ]
`;

/** The folder of a gateway's daemons. */
export class GatewayPlace {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes the folder. Throws HostError where its path cannot stand in the daemons' files. */
  static async make(runFolder: string, cookie: string): Promise<GatewayPlace> {
    const place = new GatewayPlace(gatewayFolder(runFolder, cookie));
    if (!PLAIN.test(place.folder)) {
      const kernelMessage = "keepalived and conntrackd take paths of at most 70 letters, digits, dots and dashes";
      throw new HostError({ errno: constants.errno.EINVAL, object: place.folder, kernelMessage });
    }
    await makeStateFolder(place.folder);
    await mkdir(place.folder, { recursive: true, mode: 0o755 });
    await writeFile(place.path("alive"), ALIVE);
    await chmod(place.path("alive"), 0o755);
    return place;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** A fresh pipe with a name, open at both ends so that it does not end when a writer goes. Throws HostError. */
  async openPipe(name: string): Promise<number> {
    const path = this.path(name);
    await rm(path, { force: true });
    const made = spawnSync(findProgram("mkfifo", "coreutils"), ["-m", "600", path], { encoding: "utf8" });
    if (made.status !== 0) {
      throw new HostError({ errno: constants.errno.EIO, object: path, kernelMessage: made.stderr.trim() });
    }
    return openSync(path, fs.O_RDWR | fs.O_NONBLOCK);
  }

  /** Says that heddle is alive. */
  beat(): void {
    writeFileSync(this.path("beat"), `${Math.floor(secondsSinceBoot())}\n`);
  }

  /** Writes what is added to the priority of a share. keepalived sees it at once. */
  weigh(share: string, weight: number): void {
    writeFileSync(this.path(weightFile(share)), `${weight}\n`);
  }

  /** Whether an operator has taken this gateway out of service. */
  get isDrained(): boolean {
    return existsSync(this.path(DRAINED));
  }
}

/** The folder for a network namespace. */
export function gatewayFolder(runFolder: string, cookie: string): string {
  return join(runFolder, `gateway-${cookie}`);
}

/** The file whose presence takes a gateway out of service. */
const DRAINED = "drained";

export function weightFile(share: string): string {
  return `weight-${share}`;
}

/** Takes a gateway out of service, or back into it. The running one sees it at once. */
export async function setDrained(folder: string, drained: boolean): Promise<void> {
  const path = join(folder, DRAINED);
  if (!drained) return rm(path, { force: true });
  await writeFile(path, "");
  await utimes(path, new Date(), new Date());
}
