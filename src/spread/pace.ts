// Owns the question how often the controller of spreading measures: at a steady pace while packets flow, seldom while
// none do. Pure: time is an argument, in milliseconds of a clock that never goes back.

/** Between two readings while packets flow. */
const STEP_MS = 100;
/** Between two glances at the counts otherwise: so much later than usual the first placing of new flows may be. */
export const GLANCE_MS = 500;
/** Between two readings when glances find nothing: what else the links carry decides where the next flows go. */
const REST_STEP_MS = 2000;
/** More bytes than this since the last look are a flow; fewer are the small talk of an idle host, and nothing to place. */
const STIR_BYTES = 16 * 1024;
/** Who has flowed so lately is measured as if it still did: by then its rate has faded to nothing (USUAL_OPTIONS). */
const AWAKE_MS = 10_000;

/** When to read, and how long to wait in between. It begins awake. */
export class SpreadPace {
  #stirredMs: number;
  #steppedMs = -Infinity;
  #carried: number | undefined;

  constructor(nowMs: number) {
    this.#stirredMs = nowMs;
  }

  /** Notes how many bytes all spreads have carried since their programs began to count. */
  note(carried: number, nowMs: number): void {
    const before = this.#carried ?? carried;
    // Counters begin anew when the maps are made anew.
    if (carried < before || carried - before > STIR_BYTES) this.#stirredMs = nowMs;
    this.#carried = carried;
  }

  /** Notes that something else has changed: a link, a far end, what is spread. */
  wake(nowMs: number): void {
    this.#stirredMs = nowMs;
  }

  /** Notes a reading. */
  stepped(nowMs: number): void {
    this.#steppedMs = nowMs;
  }

  isAwake(nowMs: number): boolean {
    return nowMs - this.#stirredMs < AWAKE_MS;
  }

  /** Whether a reading is due. */
  isDue(nowMs: number): boolean {
    return this.isAwake(nowMs) || nowMs - this.#steppedMs >= REST_STEP_MS;
  }

  /** How long to wait until the next reading or glance. */
  waitMs(nowMs: number): number {
    return this.isAwake(nowMs) ? STEP_MS : GLANCE_MS;
  }
}
