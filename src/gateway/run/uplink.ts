// Owns the question whether this gateway reaches the world: targets outside, asked from its own address all the time.
import { Prober } from "../../host/probes/prober.ts";
import { sayProbeTarget } from "../../model/probe-target.ts";
import type { ProbeTarget } from "../../model/probe-target.ts";
import { familyOf } from "../../model/ip.ts";
import type { ProbeWish } from "../../model/signals.ts";
import { THRESHOLDS } from "../../probes/verdict.ts";
import { questionFor } from "../../roles/check.ts";
import type { GatewaySetup } from "../setup.ts";

/** Between two questions, ms. */
const INTERVAL_MS = 200;
/** How long a target that is asked by TCP or HTTP may take to answer, ms. */
const TIMEOUT_MS = 500;

/** What is known of a target. */
export interface Target {
  target: string;
  well?: boolean;
  rttMs?: number;
}

/** The targets of a section. One that answers is enough. */
export class Uplink {
  readonly #wishes: ProbeWish[];
  readonly #prober: Prober;
  #before: boolean | undefined;

  constructor(setup: GatewaySetup, tell: (well: boolean) => void) {
    this.#wishes = setup.uplink.map((target) => wishFor(setup, target));
    this.#prober = new Prober(() => {
      const { well } = this;
      if (well === undefined || well === this.#before) return;
      this.#before = well;
      tell(well);
    });
  }

  /** What is known of each, in the order of the file. */
  get targets(): Target[] {
    return this.#prober.rows.map(({ name, well, rttMs }) => ({
      target: name,
      ...(well === undefined ? {} : { well }),
      ...(rttMs === undefined ? {} : { rttMs }),
    }));
  }

  /** Whether the world is reached; absent where nobody asks, or nothing is known yet. */
  get well(): boolean | undefined {
    const known = this.#prober.rows.map(({ well }) => well);
    if (known.includes(true)) return true;
    return known.length > 0 && known.every((well) => well === false) ? false : undefined;
  }

  start(): void {
    this.#prober.attend(this.#wishes);
  }

  stop(): void {
    this.#prober[Symbol.dispose]();
  }
}

/** By the link outside, as which the role's main table leads to the world; from this gateway's own address there. */
function wishFor({ outside, self }: GatewaySetup, target: ProbeTarget): ProbeWish {
  return {
    name: sayProbeTarget(target),
    target: target.address,
    question: questionFor(target, { timeoutMs: TIMEOUT_MS }),
    link: outside,
    ...(familyOf(self.outside) === familyOf(target.address) ? { source: self.outside } : {}),
    intervalMs: INTERVAL_MS,
    ...THRESHOLDS,
  };
}
