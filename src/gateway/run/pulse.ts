// Owns the question whether keepalived still does its work: while it elects, it wakes up with every packet.
import type { Gatekeeper } from "../machine.ts";
import type { Daemon } from "./child.ts";

/** Shortest time without a sign of life that means something, ms, while it elects, and while it waits for a link. */
const QUIET_MS = { electing: 600, waiting: 5000 } as const;

/** The pulse of one run of keepalived. */
export class Pulse {
  readonly #daemon: Daemon;
  readonly #intervalMs: number;
  #beats = -1;
  #since: number;

  constructor(daemon: Daemon, intervalMs: number, now: number) {
    this.#daemon = daemon;
    this.#intervalMs = intervalMs;
    this.#since = now;
  }

  /** Whether it has not moved for too long. To be asked several times a second. */
  isStuck(keeper: Gatekeeper, now: number): boolean {
    const beats = this.#daemon.heartbeat();
    if (beats !== this.#beats) {
      this.#beats = beats;
      this.#since = now;
    }
    const electing = Object.values(keeper.shares).some(({ vrrp }) => vrrp === "active" || vrrp === "standby");
    return now - this.#since > Math.max(electing ? QUIET_MS.electing : QUIET_MS.waiting, 5 * this.#intervalMs);
  }
}
