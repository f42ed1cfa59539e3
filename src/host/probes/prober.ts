// Owns the asking of all targets that a configuration wants asked, with a verdict for each.
import type { ProbeSignal, ProbeWish } from "../../model/signals.ts";
import { judgeAnswer, noVerdict } from "../../probes/verdict.ts";
import type { Verdict } from "../../probes/verdict.ts";
import { secondsSinceBoot } from "../signals.ts";
import { startArp } from "./arp.ts";
import { startConnecting } from "./connect.ts";
import type { TellAnswer } from "./connect.ts";
import { startPing } from "./ping.ts";

/** Told of a target that stops or begins to answer. `isNews`: it was not taken to be so before anybody asked. */
export type TellVerdict = (wish: ProbeWish, well: boolean, isNews: boolean) => void;

interface Watched {
  wish: ProbeWish;
  verdict: Verdict;
  rttMs?: number;
  stop: () => void;
}

/** Asks until it is closed. */
export class Prober implements Disposable {
  readonly #tell: TellVerdict;
  /** By the wish as text: one that changes is another one. */
  readonly #watched = new Map<string, Watched>();

  constructor(tell: TellVerdict) {
    this.#tell = tell;
  }

  /** Asks these targets from now on, and no others. What is asked already goes on. */
  attend(wishes: readonly ProbeWish[]): void {
    const wanted = new Map(wishes.map((wish) => [JSON.stringify(wish), wish]));
    for (const [text, { stop }] of this.#watched) {
      if (wanted.has(text)) continue;
      stop();
      this.#watched.delete(text);
    }
    for (const [text, wish] of wanted) if (!this.#watched.has(text)) this.#watched.set(text, this.#begin(wish));
  }

  /** What is known of each target, as it is told to others. */
  get rows(): ProbeSignal[] {
    const at = secondsSinceBoot();
    return [...this.#watched.values()].map(({ wish: { name, link }, verdict: { well }, rttMs }) => ({
      kind: "probe",
      name,
      link,
      at,
      ...(well === undefined ? {} : { well }),
      ...(rttMs === undefined ? {} : { rttMs }),
    }));
  }

  [Symbol.dispose](): void {
    this.attend([]);
  }

  #begin(wish: ProbeWish): Watched {
    const watched: Watched = { wish, verdict: noVerdict(), stop: () => {} };
    watched.stop = startAsking(wish, (answered, rttMs) => {
      const before = watched.verdict.well;
      watched.verdict = judgeAnswer(watched.verdict, answered, wish);
      if (rttMs !== undefined) watched.rttMs = rttMs;
      const { well } = watched.verdict;
      if (well === undefined || well === before) return;
      // What was taken to be well and is: nothing changes.
      this.#tell(wish, well, before !== undefined || !well);
    });
    return watched;
  }
}

/** Asks in the way that is wished for, until the answer is called. */
function startAsking(wish: ProbeWish, tell: TellAnswer): () => void {
  const { question, target, link, source, intervalMs } = wish;
  const asker = source === undefined ? {} : { source };
  switch (question.by) {
    case "ping":
      return startPing({ target, from: source ?? link, intervalMs }, tell);
    case "arp":
      return startArp({ target, link, ...asker, intervalMs }, tell);
    case "tcp":
    case "http": {
      const { by: _, ...how } = question;
      return startConnecting({ target, link, ...asker, intervalMs, ...how }, tell);
    }
  }
}
