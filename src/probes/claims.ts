// Owns the claims of IPv6 addresses that are passed on between two segments (RFC 4862 section 5.4; RFC 4389 section 4.1.3):
// whoever has the address on the other one objects, and the objection finds its way back. Pure.
import type { Side } from "./segments.ts";

/** All in milliseconds. */
export const CLAIM_MS = {
  /** A claim that comes back, or from both segments at once, is passed on once: links that are joined make no storm. */
  once: 900,
  /** How long an objection may take: who claims waits a second (RetransTimer, RFC 4861 section 10). */
  open: 1500,
} as const;

/** Most claims that are open at once; more are not passed on. */
export const MOST_CLAIMS = 256;

interface Claim {
  by: Side;
  sinceMs: number;
}

export class Claims {
  readonly #open = new Map<string, Claim>();

  /** Somebody on a segment claims an address. True when the claim is to be passed on. */
  claimed(address: string, by: Side, nowMs: number): boolean {
    this.#expire(nowMs);
    const before = this.#open.get(address);
    if (before !== undefined && nowMs - before.sinceMs < CLAIM_MS.once) return false;
    if (before === undefined && this.#open.size >= MOST_CLAIMS) return false;
    this.#open.delete(address);
    this.#open.set(address, { by, sinceMs: nowMs });
    return true;
  }

  /** Somebody on a segment says that it has an address. True when that objects to a claim on the other one. */
  objects(address: string, side: Side, nowMs: number): boolean {
    this.#expire(nowMs);
    const claim = this.#open.get(address);
    if (claim === undefined || claim.by === side) return false;
    this.#open.delete(address);
    return true;
  }

  /** They are in the order of their times. */
  #expire(nowMs: number): void {
    for (const [address, { sinceMs }] of this.#open) {
      if (nowMs - sinceMs < CLAIM_MS.open) return;
      this.#open.delete(address);
    }
  }
}
