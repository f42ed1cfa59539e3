// Owns the running of the spreading controller in the namespace of this process: its clock, its ears, its end.
import { openHost } from "../host/kernel.ts";
import { readDeadLinks } from "../host/dead-links.ts";
import { spreadPackets } from "../host/bpf/spread.ts";
import { OWN_NAMESPACE } from "../host/native.ts";
import { watch } from "../host/netlink/watch.ts";
import { readSentBytes, SpreadLoop } from "./spread-loop.ts";
import type { SpreadStep } from "./spread-loop.ts";

/** How a controller is run. */
export interface SpreadRunOptions {
  /** Milliseconds between two readings. */
  windowMs: number;
  /** Folder of the signals about dead far ends. */
  signals: string;
  /** Told of every step in which something was done. */
  onSteps: (steps: readonly SpreadStep[]) => void;
}

/**
 * Runs until the signal is aborted. The state of links is acted upon as its events come, counters are read at the pace.
 * Throws HostError.
 */
export async function runSpreading(
  { windowMs, signals, onSteps }: SpreadRunOptions,
  signal: AbortSignal,
): Promise<void> {
  const host = openHost();
  const loop = new SpreadLoop({
    spreader: spreadPackets({ namespace: OWN_NAMESPACE }),
    links: () => host.links(signal),
    deadLinks: () => readDeadLinks(signals, Date.now()),
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
  const clock = setInterval(() => take(() => loop.step()), windowMs);
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
