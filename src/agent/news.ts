// Owns what the agent tells of its doings: one piece of news, to the log and to everyone who listens.
import type { AgentEvent } from "./api/schema.ts";

/** News that are kept for whoever comes later. */
const MOST = 200;

/** How much a piece of news matters. */
export type Level = "debug" | "info" | "warn" | "error";

/** Writes one line of a log. */
export type Log = (level: Level, event: string, fields: Readonly<Record<string, unknown>>) => void;

/** The agent's news. */
export class News {
  readonly #log: Log;
  readonly #listeners = new Set<(event: AgentEvent) => void>();
  #recent: AgentEvent[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /** Tells everyone; what is for debugging, the log only. */
  tell(level: Level, event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#log(level, event, fields);
    if (level === "debug") return;
    const told: AgentEvent = { at: new Date().toISOString(), event, ...fields };
    this.#recent.push(told);
    if (this.#recent.length > 2 * MOST) this.#recent = this.#recent.slice(-MOST);
    for (const listen of this.#listeners) listen(told);
  }

  /** The latest, the oldest first. */
  get recent(): readonly AgentEvent[] {
    return this.#recent.slice(-MOST);
  }

  /** Tells a listener from now on, until the function that it gives is called. */
  listen(listener: (event: AgentEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}
