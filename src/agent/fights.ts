// Owns the recognition of fights: an object that is repaired again and again because somebody takes it away again and
// again. Pure: time is an argument, in milliseconds.
import type { Key } from "../model/kinds.ts";

/** So many repairs… */
const REPAIRS = 3;
/** …within so long are a fight. */
const WITHIN_MS = 10_000;
const FIRST_REST_MS = 1000;
const LONGEST_REST_MS = 60_000;

/** How an object stands in a fight, or how often the kernel refused it. */
export interface Standing {
  key: Key;
  why: "fight" | "refused";
  /** When it began. */
  since: number;
  /** Repairs, or attempts at them, since then. */
  count: number;
  /** Not touched before. */
  restsUntil: number;
  restMs: number;
}

/** The objects that are left alone for a while. Others are repaired at once. */
export class Fights {
  /** Times of the latest repairs, by key. */
  readonly #repairs = new Map<Key, number[]>();
  readonly #standing = new Map<Key, Standing>();

  /** Notes that an object was repaired. Gives its fight when this repair begins one. */
  repaired(key: Key, now: number): Standing | undefined {
    const fight = this.#standing.get(key);
    if (fight) {
      // Who takes it away seldom is not met with longer and longer absences: rest and stand keep in step.
      const stood = now - fight.restsUntil;
      if (stood > fight.restMs) this.#rest(fight, now, fight.restMs / 2);
      else this.#rest(fight, now, fight.restMs * 2);
      return undefined;
    }
    const times = [...(this.#repairs.get(key) ?? []), now].filter((time) => now - time < WITHIN_MS);
    this.#repairs.set(key, times);
    if (times.length < REPAIRS) return undefined;
    this.#repairs.delete(key);
    return this.#begin(key, "fight", times.length, now);
  }

  /** Notes that the kernel refused an object. Gives its standing the first time. */
  refused(key: Key, now: number): Standing | undefined {
    const known = this.#standing.get(key);
    if (!known) return this.#begin(key, "refused", 1, now);
    this.#rest(known, now, known.restMs * 2);
    return undefined;
  }

  /** Whether an object is to be left alone now. */
  rests(key: Key, now: number): boolean {
    return (this.#standing.get(key)?.restsUntil ?? -Infinity) > now;
  }

  /** When the first rest after `now` ends. */
  nextEnd(now: number): number | undefined {
    const ends = [...this.#standing.values()].map(({ restsUntil }) => restsUntil).filter((end) => end > now);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  /**
   * Ends what is over, and gives it: an object that has stood as long again as its last rest, and one that nobody
   * wants any more. `amiss` are the keys that are not as they should be.
   */
  settle(wanted: ReadonlySet<Key>, amiss: ReadonlySet<Key>, now: number): Standing[] {
    for (const [key, times] of this.#repairs) {
      if (times.every((time) => now - time >= WITHIN_MS)) this.#repairs.delete(key);
    }
    const over = [...this.#standing.values()].filter(
      ({ key, restsUntil, restMs }) =>
        !wanted.has(key) || (!amiss.has(key) && now >= restsUntil + Math.max(restMs, WITHIN_MS)),
    );
    for (const { key } of over) this.#standing.delete(key);
    return over;
  }

  /** Forgets everything: the file has changed. */
  clear(): void {
    this.#repairs.clear();
    this.#standing.clear();
  }

  get all(): readonly Standing[] {
    return [...this.#standing.values()];
  }

  #begin(key: Key, why: Standing["why"], count: number, now: number): Standing {
    const standing = { key, why, since: now, count, restsUntil: now + FIRST_REST_MS, restMs: FIRST_REST_MS };
    this.#standing.set(key, standing);
    return standing;
  }

  #rest(standing: Standing, now: number, restMs: number): void {
    standing.count++;
    standing.restMs = Math.max(FIRST_REST_MS, Math.min(restMs, LONGEST_REST_MS));
    standing.restsUntil = now + standing.restMs;
  }
}
