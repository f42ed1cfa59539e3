// Owns the question when to look again: soon after what concerns heddle, seldom for the noise of others. Pure: time is
// an argument, in milliseconds of a clock that only goes forward.
import type { Kind } from "../model/kinds.ts";

/** What may have changed: objects of a kind, links (and whatever hangs on them), what is no kernel object, or anything at all. */
export type Changed = Kind | "link" | "signal" | "everything";

/**
 * How much a change matters: "urgent" touches what heddle wants or made; "calm" may matter to a role (an address or a
 * link that the file does not name); "lost" means that events were missed.
 */
export type Urgency = "urgent" | "calm" | "lost";

/** One reason to look. */
export interface Hint {
  changed: Changed;
  urgency: Urgency;
  /** The link that the change is about. */
  link?: string;
}

/** What a look is made for. */
export interface Occasion {
  changed: ReadonlySet<Changed>;
  /** Links that changed since the look before. */
  links: ReadonlySet<string>;
  /** When the first hint of it came; absent for the safety net. */
  since?: number;
}

/** Events come in bursts (a link that goes down takes addresses along): so long after the last one, a look begins… */
const QUIET_MS = 2;
/** …and at the latest so long after the first one. */
const CEILING_MS = 10;
/** After a look that took T, the next one waits this many times T, for noise to cost a small share of one core. */
const REST = { urgent: 1, calm: 10, lost: 10 } as const satisfies Record<Urgency, number>;
/** What concerns heddle never waits longer for the machine's sake. */
const LONGEST_REST_MS = { urgent: 100, calm: 5000, lost: 1000 } as const satisfies Record<Urgency, number>;

/** When the next look is due. */
export class Pace {
  readonly #netMs: number;
  #changed = new Set<Changed>();
  #links = new Set<string>();
  #first: number | undefined;
  #last = 0;
  #most: Urgency = "calm";
  #ended = -Infinity;
  #tookMs = 0;
  #lastWhole: number;

  /** `netMs`: how often everything is looked at though nothing was heard. */
  constructor(netMs: number, now: number) {
    this.#netMs = netMs;
    this.#lastWhole = now;
  }

  /** Notes a hint. */
  note({ changed, urgency, link }: Hint, now: number): void {
    this.#changed.add(changed);
    if (link !== undefined) this.#links.add(link);
    this.#first ??= now;
    this.#last = now;
    if (WEIGHT[urgency] > WEIGHT[this.#most]) this.#most = urgency;
  }

  /** When a look is due; in the past when it is overdue. */
  due(): number {
    const net = this.#lastWhole + this.#netMs;
    if (this.#first === undefined) return net;
    const settled = Math.min(this.#last + QUIET_MS, this.#first + CEILING_MS);
    const rest = Math.min(REST[this.#most] * this.#tookMs, LONGEST_REST_MS[this.#most]);
    return Math.min(net, Math.max(settled, this.#ended + rest));
  }

  /** Begins a look: what it is for. Hints that come from now on belong to the next one. */
  take(now: number): Occasion {
    const net = now >= this.#lastWhole + this.#netMs;
    if (net) this.#changed.add("everything");
    const occasion = {
      changed: this.#changed,
      links: this.#links,
      ...(this.#first === undefined ? {} : { since: this.#first }),
    };
    if (this.#changed.has("everything")) this.#lastWhole = now;
    this.#changed = new Set();
    this.#links = new Set();
    this.#first = undefined;
    this.#most = "calm";
    return occasion;
  }

  /** Ends a look (with what it led to). */
  ended(now: number, tookMs: number): void {
    this.#ended = now;
    this.#tookMs = tookMs;
  }
}

const WEIGHT = { calm: 0, lost: 1, urgent: 2 } as const satisfies Record<Urgency, number>;
