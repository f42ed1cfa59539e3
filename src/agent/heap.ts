// Owns the giving back of memory: a look at a hundred thousand routes leaves half a gigabyte of garbage, which V8 keeps
// for as long as nothing else wants it, and an agent that is idle wants nothing.
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Growth since the last collection that makes one worth its time, bytes. */
const WORTH = 16 * 1024 * 1024;

/** The heap of this process. */
export class Heap {
  #left = 0;
  #collect: (() => void) | undefined;

  /** Whether it has grown so much that collecting is worth a pause (some 0.1 s for a gigabyte). */
  get isLarge(): boolean {
    return getHeapStatistics().total_heap_size > this.#left + WORTH;
  }

  /** Collects what is garbage, and gives the memory back. */
  collect(): void {
    this.#collect ??= collector();
    this.#collect();
    this.#left = getHeapStatistics().total_heap_size;
  }
}

/** V8's own function, which it hands out only to contexts that are made after it was asked for. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  return collect;
}
