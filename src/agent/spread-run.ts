// Owns the running of the spreading controller in the namespace of this process: its lock, its clock, its ears, its end.
import { openHost } from "../host/kernel.ts";
import { SpreadEar } from "../host/bpf/spread-ear.ts";
import type { Spreader } from "../host/bpf/spread.ts";
import { lockController } from "../host/ledger/lock.ts";
import { watch } from "../host/netlink/watch.ts";
import { readSentBytes, SpreadLoop } from "./spread-loop.ts";
import type { SpreadStep } from "./spread-loop.ts";
import { SpreadPace } from "../spread/pace.ts";

/** Another controller is at work in this network namespace: the two would undo each other's placing. */
export class ControllerBusy extends Error {
  override readonly name = "ControllerBusy";

  constructor() {
    super("another controller places the buckets of this network namespace");
  }
}

/** How a controller is run. */
export interface SpreadRunOptions {
  spreader: Pick<Spreader, "open">;
  /** The network namespace, and where its lock is for who cannot write to /run. */
  cookie: string;
  runFolder: string;
  /** Links of a section whose far end is known to be dead though they have a carrier. */
  deadLinks: (section: string) => ReadonlySet<string>;
  /** Given what is to be called when a far end has died or come back, or something else may be spread. */
  heed?: (look: () => void) => void;
  /** Told of every step in which something was done. */
  onSteps: (steps: readonly SpreadStep[]) => void;
  /** Told when it has looked, nothing flows, and it will not look soon; `begins` is whether something flowed before. */
  onRest?: (begins: boolean) => void;
  /** Told once, when the lock is held. */
  onBegin?: () => void;
}

/**
 * Runs until the signal is aborted. The state of links is acted upon as its events come, counters are read at the pace.
 * Throws ControllerBusy, HostError.
 */
export async function runSpreading(options: SpreadRunOptions, signal: AbortSignal): Promise<void> {
  const lock = await lockController(options.cookie, options.runFolder);
  if (!lock) throw new ControllerBusy();
  try {
    options.onBegin?.();
    await control(options, signal);
  } finally {
    await lock.release();
  }
}

async function control(options: SpreadRunOptions, signal: AbortSignal): Promise<void> {
  const { spreader, deadLinks, heed, onSteps, onRest } = options;
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
  const pace = new SpreadPace(performance.now());
  let [rests, listens] = [false, false];
  const measure = async (): Promise<SpreadStep[]> => {
    const now = performance.now();
    const { carried, changed } = loop.glance();
    pace.note(carried, now);
    if (changed) pace.wake(now);
    if (pace.rests(now) && (listens || !rests)) onRest?.(!rests);
    rests = pace.rests(now);
    if (!pace.isAwake(now)) {
      listens = loop.listen(ear, pace.untoldBytes);
      // What came between the glance and the asking is told by nobody.
      pace.note(loop.glance().carried, now);
    }
    if (!pace.isDue(now)) return [];
    pace.stepped(now);
    return loop.step();
  };
  const tellUp = async (): Promise<SpreadStep[]> => {
    const steps = await loop.stepUp();
    if (steps.length > 0) {
      pace.wake(performance.now());
      look();
    }
    return steps;
  };
  let clock: NodeJS.Timeout | undefined;
  let again = false;
  const goOn = async (): Promise<void> => {
    [clock, again] = [undefined, false];
    take(measure);
    await turn;
    if (until.aborted) return;
    clock = setTimeout(() => void goOn(), again ? 0 : pace.waitMs(performance.now(), listens));
  };
  /** Measures now instead of later; once more when it is being done, since it may have been too early. */
  const look = (): void => {
    if (!clock) {
      again = true;
      return;
    }
    clearTimeout(clock);
    void goOn();
  };
  using ear = new SpreadEar(() => {
    pace.told(performance.now());
    look();
  });
  heed?.(look);
  try {
    void goOn();
    for await (const event of watch({ groups: ["link"] }, until)) {
      if (event.type === "lost-sync" || event.object === "link") take(tellUp);
    }
    await turn;
  } finally {
    clearTimeout(clock);
    host.close();
  }
  if (failure !== undefined && !signal.aborted) throw failure;
}
