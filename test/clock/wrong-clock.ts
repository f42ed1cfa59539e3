// Owns a wall clock that jumps, for programs under test alone: the machine's own clock is never touched.
import { execFileSync } from "node:child_process";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Seconds of an hour, a day and a year. */
export const HOUR_S = 3600;
export const DAY_S = 24 * HOUR_S;
export const YEAR_S = 365 * DAY_S;

/** The clock of the programs that are started with its environment, and of their children. */
export class WrongClock {
  /** What has to be in the environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #file: string;

  /** Builds it into a folder that the programs can read. It is right at first. */
  constructor(folder: string) {
    const library = join(folder, "wrong-clock.so");
    const source = join(import.meta.dirname, "wrong-clock.c");
    execFileSync("cc", ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source]);
    this.#file = join(folder, "wrong-clock");
    writeFileSync(this.#file, new Uint8Array(8), { mode: 0o644 });
    this.environment = { LD_PRELOAD: library, WRONG_CLOCK: this.#file };
  }

  /** The same as words before a command line. */
  get words(): string[] {
    return ["env", ...Object.entries(this.environment).map(([name, value]) => `${name}=${value}`)];
  }

  /** Sets it so many seconds before the right time, or behind it where negative. */
  set(aheadS: number): void {
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setBigInt64(0, BigInt(aheadS), true);
    // In place: the programs have it mapped.
    const file = openSync(this.#file, "r+");
    writeSync(file, new Uint8Array(bytes.buffer), 0, 8, 0);
    closeSync(file);
  }
}
