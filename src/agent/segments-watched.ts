// Owns the watching of segments for an agent: one watcher for each section that asks for it, and their rows.
import { SegmentWatcher } from "../host/probes/segment-watcher.ts";
import { readSignals, writeSignals } from "../host/signals.ts";
import type { Config } from "../config/config.ts";
import type { SegmentWish } from "../model/signals.ts";
import { ROLES } from "../roles/index.ts";
import { isSameData } from "../plan/kinds/canonical.ts";
import type { News } from "./news.ts";
import type { Hint } from "./pace.ts";

/** How often rows are written though nothing has changed, milliseconds: readers stop believing what is old. */
const ROWS_MS = 1000;
/** Several hosts that are found at once are told once, milliseconds. */
const GATHER_MS = 20;

export class WatchedSegments {
  readonly #folder: string;
  readonly #news: News;
  readonly #hear: (hint: Hint) => void;
  readonly #watchers = new Map<string, SegmentWatcher>();
  #rows: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #written: Promise<void> = Promise.resolve();

  /** `folder`: where signals are. `hear` is told when a look is worth it. */
  constructor(folder: string, news: News, hear: (hint: Hint) => void) {
    this.#folder = folder;
    this.#news = news;
    this.#hear = hear;
  }

  /** Takes up what an agent before this one has known, so that the first look finds it. */
  async begin(config: Config): Promise<void> {
    this.attend(config);
    if (this.#watchers.size === 0) return;
    for (const row of await readSignals(this.#folder)) {
      if (row.kind === "segment") this.#watchers.get(row.section)?.restore(row);
    }
    await this.#write();
  }

  /** Watches from now on what the configuration asks for. */
  attend(config: Config): void {
    const wishes = wishesOf(config);
    for (const [section, watcher] of this.#watchers) {
      if (wishes.some((wish) => isSameData(wish, watcher.wish))) continue;
      watcher[Symbol.dispose]();
      this.#watchers.delete(section);
    }
    for (const wish of wishes) {
      if (this.#watchers.has(wish.section)) continue;
      const watcher = new SegmentWatcher(wish, ({ section, links }, { address, side }, what) => {
        const level = what === "doubled" ? "warn" : "debug";
        this.#news.tell(level, `host-${what}`, { for: section, host: address, link: links[side] });
        this.#soon ??= setTimeout(() => {
          this.#soon = undefined;
          void this.#write().then(() => this.#hear({ changed: "signal", urgency: "urgent" }));
        }, GATHER_MS);
      });
      this.#watchers.set(wish.section, watcher);
    }
    if (this.#watchers.size > 0) this.#rows ??= setInterval(() => void this.#write(), ROWS_MS).unref();
    else if (this.#rows !== undefined) {
      clearInterval(this.#rows);
      this.#rows = undefined;
      void this.#write();
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#rows);
    clearTimeout(this.#soon);
    for (const watcher of this.#watchers.values()) watcher[Symbol.dispose]();
    await this.#written;
  }

  async #write(): Promise<void> {
    const before = this.#written;
    this.#written = (async () => {
      await before;
      const rows = [...this.#watchers.values()].map(({ row }) => row);
      await writeSignals(this.#folder, "segments", rows).catch((error: unknown) => {
        this.#news.tell("debug", "rows-not-written", { error: String(error) });
      });
    })();
    await this.#written;
  }
}

function wishesOf({ sections }: Config): SegmentWish[] {
  return sections.flatMap((section) => ROLES.find(({ name }) => name === section.role)?.segments?.(section) ?? []);
}
