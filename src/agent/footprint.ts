// Owns what an agent that is idle keeps in memory: a look at a hundred thousand routes leaves half a gigabyte of garbage,
// which V8 keeps for as long as nothing else wants it, and an agent that is idle wants nothing; and most of what it has
// mapped otherwise is program text that only a start or a look runs through.
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { releaseText } from "../host/native.ts";

/** Growth since the last collection that makes one worth its time, bytes. */
const WORTH = 16 * 1024 * 1024;

/** The memory of this process. */
export class Footprint {
  #left = 0;
  #collect: (() => void) | undefined;
  #rested = false;
  #littered = false;

  /** Whether nothing was done since it was last made small. */
  get isSmall(): boolean {
    return this.#rested;
  }

  /** Something was done that may have left something behind; `littered`: certainly, if only beside the heap. */
  grow(littered = false): void {
    this.#rested = false;
    this.#littered ||= littered;
  }

  /**
   * Collects garbage, which for a gigabyte is a pause of some 0.1 s, and unmaps program text, whose pages stay in the
   * kernel's cache and are mapped again, some microseconds for each 64 kB, as they are run.
   */
  shrink(): void {
    if (this.#littered || getHeapStatistics().total_heap_size > this.#left + WORTH) {
      this.#collect ??= collector();
      this.#collect();
      this.#left = getHeapStatistics().total_heap_size;
    }
    releaseText();
    this.#littered = false;
    this.#rested = true;
  }
}

/** V8's own function, which it hands out only to contexts that are made after it was asked for. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  return collect;
}
