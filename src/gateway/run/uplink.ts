// Owns the question whether this gateway reaches the world: targets outside, asked from its own address all the time.
import { startPing } from "../../host/probes/ping.ts";
import { judgeAnswer, noVerdict, THRESHOLDS } from "../../probes/verdict.ts";
import type { Verdict } from "../../probes/verdict.ts";
import type { GatewaySetup } from "../setup.ts";

/** Between two questions, ms. */
const INTERVAL_MS = 200;

/** What is known of a target. */
export interface Target {
  target: string;
  verdict: Verdict;
  rttMs?: number;
}

/** The targets of a section. One that answers is enough. */
export class Uplink {
  readonly targets: Target[];
  readonly #from: string;
  readonly #tell: (well: boolean) => void;
  #stops: (() => void)[] = [];

  constructor({ uplink, self }: GatewaySetup, tell: (well: boolean) => void) {
    this.targets = uplink.map((target) => ({ target, verdict: noVerdict() }));
    this.#from = self.outside;
    this.#tell = tell;
  }

  /** Whether the world is reached; absent where nobody asks, or nothing is known yet. */
  get well(): boolean | undefined {
    const known = this.targets.map(({ verdict }) => verdict.well);
    if (known.includes(true)) return true;
    return known.length > 0 && known.every((well) => well === false) ? false : undefined;
  }

  start(): void {
    this.#stops = this.targets.map((one) =>
      startPing({ target: one.target, from: this.#from, intervalMs: INTERVAL_MS }, (answered, rttMs) => {
        const before = this.well;
        one.verdict = judgeAnswer(one.verdict, answered, THRESHOLDS);
        if (rttMs !== undefined) one.rttMs = rttMs;
        if (this.well !== undefined && this.well !== before) this.#tell(this.well);
      }),
    );
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }
}
