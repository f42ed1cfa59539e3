// Owns the question how often the controller of spreading measures: at a steady pace while packets flow; while none do, when
// the programs tell that traffic has begun, or seldom. Pure: time is an argument, in milliseconds of a clock that never goes back.

/** Between two readings while packets flow. */
const STEP_MS = 100;
/** Between two glances at the counts where nobody tells: so much later than usual the first placing of new flows may be. */
export const GLANCE_MS = 500;
/** Between two readings when glances find nothing: what else the links carry decides where the next flows go. */
const REST_STEP_MS = 2000;
/** The same where the programs tell, in case that they are others' by now. */
export const LISTEN_MS = 30_000;
/** More bytes than this in the time of a glance are a flow; fewer are the small talk of an idle host, and nothing to place. */
const STIR_BYTES = 16 * 1024;
/** Who has flowed so lately is measured as if it still did: by then its rate has faded to nothing (USUAL_OPTIONS). */
const AWAKE_MS = 10_000;
/** For how long it measures when it is told of so many bytes, which may be the small talk of an hour: by then it has seen more. */
const TOLD_MS = 500;
/** How often the bytes that it wants to be told of are doubled, where they turn out to be small talk. */
const MOST_DOUBLINGS = 3;

/** When to read, and how long to wait in between. It begins awake. */
export class SpreadPace {
  #stirredMs: number;
  #toldMs = -Infinity;
  #steppedMs = -Infinity;
  /** How often it has been told since something flowed. */
  #talks = 0;
  #noted: { carried: number; atMs: number } | undefined;

  constructor(nowMs: number) {
    this.#stirredMs = nowMs;
  }

  /** Notes how many bytes all spreads have carried since their programs began to count. */
  note(carried: number, nowMs: number): void {
    const before = this.#noted ?? { carried, atMs: nowMs };
    const glances = Math.max(1, (nowMs - before.atMs) / GLANCE_MS);
    // Counters begin anew when the maps are made anew.
    if (carried < before.carried || carried - before.carried > STIR_BYTES * glances) {
      this.#stirredMs = nowMs;
      this.#talks = 0;
    }
    this.#noted = { carried, atMs: nowMs };
  }

  /** Notes that something else has changed: a link, a far end, what is spread. */
  wake(nowMs: number): void {
    this.#stirredMs = nowMs;
  }

  /** Notes that the programs tell of traffic. */
  told(nowMs: number): void {
    this.#toldMs = nowMs;
    this.#talks++;
  }

  /** After how many bytes it wants to be told. */
  get untoldBytes(): number {
    return STIR_BYTES * 2 ** Math.min(this.#talks, MOST_DOUBLINGS);
  }

  /** Notes a reading. */
  stepped(nowMs: number): void {
    this.#steppedMs = nowMs;
  }

  /** Whether it measures: something flows, or may. */
  isAwake(nowMs: number): boolean {
    return !this.rests(nowMs) || nowMs - this.#toldMs < TOLD_MS;
  }

  /** Whether nothing has flowed for long, but for small talk. */
  rests(nowMs: number): boolean {
    return nowMs - this.#stirredMs >= AWAKE_MS;
  }

  /** Whether a reading is due. */
  isDue(nowMs: number): boolean {
    return this.isAwake(nowMs) || nowMs - this.#steppedMs >= REST_STEP_MS;
  }

  /** How long to wait until the next reading or glance; `listens` is whether the programs tell of traffic. */
  waitMs(nowMs: number, listens: boolean): number {
    if (this.isAwake(nowMs)) return STEP_MS;
    return listens ? LISTEN_MS : GLANCE_MS;
  }
}
