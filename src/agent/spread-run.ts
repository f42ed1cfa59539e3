// Owns the running of the spreading controller in the namespace of this process: its clock, its ears, its end.
import { openHost } from "../host/kernel.ts";
import type { Spreader } from "../host/bpf/spread.ts";
import { watch } from "../host/netlink/watch.ts";
import { readSentBytes, SpreadLoop } from "./spread-loop.ts";
import type { SpreadStep } from "./spread-loop.ts";

/** Between two readings, in milliseconds. */
const WINDOW_MS = 100;

/** How a controller is run. */
export interface SpreadRunOptions {
  spreader: Pick<Spreader, "open">;
  /** Links of a section whose far end is known to be dead though they have a carrier. */
  deadLinks: (section: string) => ReadonlySet<string>;
  /** Told of every step in which something was done. */
  onSteps: (steps: readonly SpreadStep[]) => void;
}

/**
 * Runs until the signal is aborted. The state of links is acted upon as its events come, counters are read at the pace.
 * Throws HostError.
 */
export async function runSpreading(
  { spreader, deadLinks, onSteps }: SpreadRunOptions,
  signal: AbortSignal,
): Promise<void> {
  const host = openHost();
  const loop = new SpreadLoop({
    spreader,
    links: () => host.links(signal),
    deadLinks,
    sentBytes: () => readSentBytes(),
    nowMs: () => performance.now(),
  });
  const told = (steps: readonly SpreadStep[]): void => {
    const news = steps.filter(({ asked, up }) => asked > 0 || up !== undefined);
    if (news.length > 0) onSteps(news);
  };
  // One thing at a time: both write what they have just read.
  let turn: Promise<void> = Promise.resolve();
  let failure: unknown;
  const stopped = new AbortController();
  const until = AbortSignal.any([signal, stopped.signal]);
  const takeTurn = async (before: Promise<void>, step: () => Promise<SpreadStep[]>): Promise<void> => {
    await before;
    if (until.aborted) return;
    try {
      told(await step());
    } catch (error) {
      failure ??= error;
      stopped.abort();
    }
  };
  const take = (step: () => Promise<SpreadStep[]>): void => {
    turn = takeTurn(turn, step);
  };
  const clock = setInterval(() => take(() => loop.step()), WINDOW_MS);
  try {
    take(() => loop.step());
    for await (const event of watch({ groups: ["link"] }, until)) {
      if (event.type === "lost-sync" || event.object === "link") take(() => loop.stepUp());
    }
    await turn;
  } finally {
    clearInterval(clock);
    host.close();
  }
  if (failure !== undefined && !signal.aborted) throw failure;
}
