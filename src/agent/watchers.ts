// Owns what goes on beside the looks for as long as the file asks for it: far ends are asked, segments are watched, and
// spreading is steered.
import { spreadPackets } from "../host/bpf/spread.ts";
import type { Config } from "../config/config.ts";
import { OWN_NAMESPACE } from "../host/native.ts";
import { Prober } from "../host/probes/prober.ts";
import { signalsFolder, writeSignals } from "../host/signals.ts";
import type { ProbeWish } from "../model/signals.ts";
import type { Intent } from "../plan/bind.ts";
import { deadLinks } from "../spread/far-ends.ts";
import type { Look } from "./look.ts";
import type { News } from "./news.ts";
import type { Hint } from "./pace.ts";
import { WatchedSegments } from "./segments-watched.ts";
import { runSpreading } from "./spread-run.ts";

/** How often rows are written though nothing has changed, milliseconds: readers stop believing what is old. */
export const ROWS_MS = 1000;
/** After how long a controller of spreading that failed is started again, milliseconds. */
const AGAIN_MS = 5000;

/** The far ends that a configuration wants asked on this host. */
export function wishesOf({ sections }: Intent): ProbeWish[] {
  return sections.flatMap(({ role, section, view }) => role.watches?.(section, view) ?? []);
}

/** Whom watchers tell. */
export interface Watching {
  /** That a look is worth it, and why. */
  hear: (hint: Hint) => void;
  /** That nothing is spread any more that flows; again after each seldom look, with `begins` false. */
  onRest: (begins: boolean) => void;
}

/** Watches for an agent. */
export class Watchers {
  readonly #folder: string;
  readonly #place: { cookie: string; runFolder: string };
  readonly #news: News;
  readonly #prober: Prober;
  readonly #segments: WatchedSegments;
  readonly #onRest: (begins: boolean) => void;
  #rows: NodeJS.Timeout | undefined;
  #spreading: AbortController | undefined;
  /** Has the controller of spreading look, where one is at work. */
  #look: () => void = () => {};
  /** Writes one after the other, so that the last rows stay. */
  #written: Promise<void> = Promise.resolve();

  /** `place`: the network namespace, and the folder of signals and locks. */
  constructor(place: { cookie: string; runFolder: string }, news: News, { hear, onRest }: Watching) {
    const { cookie, runFolder } = place;
    this.#place = { cookie, runFolder };
    this.#folder = signalsFolder(runFolder, cookie);
    this.#news = news;
    this.#onRest = onRest;
    this.#segments = new WatchedSegments(this.#folder, news, hear);
    this.#prober = new Prober((wish, well, isNews) => {
      news.tell(well ? "info" : "warn", well ? "answers" : "does-not-answer", { target: wish.target, for: wish.name });
      const written = this.#write();
      this.#look();
      if (isNews) void written.then(() => hear({ changed: "signal", urgency: "urgent" }));
    });
  }

  /** Takes up what an agent before this one has known. */
  begin(config: Config): Promise<void> {
    return this.#segments.begin(config);
  }

  /** Does from now on what the configuration asks for on the host as it was seen. */
  attend(config: Config, { intent, want }: Pick<Look, "intent" | "want">): void {
    const wishes = wishesOf(intent);
    this.#prober.attend(wishes);
    this.#segments.attend(config);
    if (wishes.length === 0 && this.#rows) {
      clearInterval(this.#rows);
      this.#rows = undefined;
      void this.#write();
    } else if (wishes.length > 0) this.#rows ??= setInterval(() => void this.#write(), ROWS_MS).unref();
    const spreads = want.objects.some(({ kind }) => kind === "tcProgram");
    if (!spreads) {
      this.#spreading?.abort();
      this.#spreading = undefined;
    } else if (!this.#spreading) {
      this.#spreading = new AbortController();
      void this.#steer(this.#spreading.signal);
    } else this.#look();
  }

  async close(): Promise<void> {
    clearInterval(this.#rows);
    this.#spreading?.abort();
    this.#prober[Symbol.dispose]();
    await this.#segments.close();
    await this.#written;
  }

  async #steer(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await runSpreading(
          {
            spreader: spreadPackets({ namespace: OWN_NAMESPACE }),
            ...this.#place,
            deadLinks: (spread) => deadLinks(this.#prober.rows, spread),
            heed: (look) => (this.#look = look),
            onRest: this.#onRest,
            onSteps: (steps) => {
              for (const { spread, up } of steps) if (up) this.#news.tell("info", "can-carry", { spread, up });
            },
          },
          signal,
        );
      } catch (error) {
        this.#news.tell("error", "trouble", { error: error instanceof Error ? error.message : String(error) });
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
      }
    }
  }

  async #write(): Promise<void> {
    const before = this.#written;
    this.#written = (async () => {
      await before;
      await writeSignals(this.#folder, "probes", this.#prober.rows).catch((error: unknown) => {
        this.#news.tell("debug", "rows-not-written", { error: String(error) });
      });
    })();
    await this.#written;
  }
}
