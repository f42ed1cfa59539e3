// Owns what a running gateway tells the rest of heddle about itself.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { secondsSinceBoot, writeSignals } from "../../host/signals.ts";
import type { GatewaySignal } from "../../model/signals.ts";
import type { Gatekeeper } from "../machine.ts";
import type { GatewaySetup } from "../setup.ts";
import type { SyncCounts } from "../sync-counts.ts";
import type { Uplink } from "./uplink.ts";

/** Several changes at once are told once, ms. */
const GATHER_MS = 50;

/** The writer of one section's row. */
export class SignalWriter {
  readonly #folder: string;
  readonly #setup: GatewaySetup;
  readonly #keeper: Gatekeeper;
  readonly #uplink: Uplink;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  counts: SyncCounts | undefined;

  constructor(folder: string, setup: GatewaySetup, keeper: Gatekeeper, uplink: Uplink) {
    this.#folder = folder;
    this.#setup = setup;
    this.#keeper = keeper;
    this.#uplink = uplink;
  }

  /** Tells how things are, in a moment. A disk that is full must not keep a gateway from its work. */
  soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#writing
        .then(() => writeSignals(this.#folder, `gateway-${this.#setup.section}`, [this.#row()]))
        .catch(() => {});
    }, GATHER_MS);
  }

  /** Takes the row away. */
  async clear(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    await rm(join(this.#folder, `gateway-${this.#setup.section}.json`), { force: true });
  }

  #row(): GatewaySignal {
    const at = secondsSinceBoot();
    const now = performance.now();
    const { shares, connections, drained } = this.#keeper;
    const { well, targets } = this.#uplink;
    return {
      kind: "gateway",
      section: this.#setup.section,
      at,
      drained,
      shares: this.#setup.shares.flatMap(({ name, priority, moving }) => {
        const share = shares[name];
        if (!share) return [];
        return [
          {
            name,
            state: share.vrrp,
            since: Math.round((at - (now - share.since) / 1000) * 1000) / 1000,
            why: share.why,
            holds: share.holds,
            priority: priority + share.weight,
            addresses: moving.map(({ address }) => address),
          },
        ];
      }),
      ...(targets.length === 0
        ? {}
        : {
            uplink: {
              ...(well === undefined ? {} : { well }),
              targets,
            },
          }),
      connections: {
        state: connections,
        ...(this.counts
          ? {
              own: this.counts.own,
              injected: this.counts.injected,
              refused: this.counts.refused,
              lost: this.counts.lost,
            }
          : {}),
      },
    };
  }
}
