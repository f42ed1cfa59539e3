// Owns the run of chaos: random faults from one seed on labs side by side, until so many have happened. What goes wrong is
// narrowed down to the fewest faults that do it again. Run it with `make chaos`; as root.
//
// node test/chaos/chaos.ts [--faults N] [--labs N] [--seed N] [--minutes N]
// node test/chaos/chaos.ts --burst SEED [--only 1,4,5]
import { parseArgs } from "node:util";
import { drawBurst, suffer } from "./burst.ts";
import type { Verdict } from "./burst.ts";
import { narrow, repetition } from "./narrow.ts";
import { World } from "./world.ts";

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "10000" },
    labs: { type: "string", default: "6" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    minutes: { type: "string", default: "40" },
    burst: { type: "string" },
    only: { type: "string" },
  },
});
/** Whoever interrupts it waits for the burst to end, and for the labs to be taken down. */
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort());
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const number = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new Error(`"${text}" is no number`);
  return Number(text);
};

/** One burst, told fault by fault, on a host of its own. */
async function once(seed: number, only: readonly number[] | undefined): Promise<number> {
  await using world = await World.up("chaos-once");
  const burst = drawBurst(seed, only);
  for (const { text, pauseMs } of burst) say(`  ${pauseMs > 0 ? `(${pauseMs} ms) ` : ""}${text}`);
  const { wrong, healedMs } = await suffer(world, burst);
  say(wrong ?? `whole again after ${(healedMs / 1000).toFixed(1)} s`);
  return wrong === undefined ? 0 : 1;
}

async function many(): Promise<number> {
  const seed = number(values.seed);
  const most = number(values.faults);
  const labs = number(values.labs);
  const again = `make chaos SEED=${seed} FAULTS=${most} LABS=${labs}`;
  say(`Chaos with seed ${seed}: ${most} faults on ${labs} labs. Again: ${again}`);
  const began = performance.now();
  const end = began + number(values.minutes) * 60_000;
  const verdicts: Verdict[] = [];
  let begun = 0;
  let failed: { burst: number; verdict: Verdict } | undefined;
  const grown: string[] = [];
  const work = async (lab: number): Promise<void> => {
    await using world = await World.up(`chaos-${lab}`);
    const { descriptors } = world;
    for (let turn = 0; begun < most && !failed && !interrupted.signal.aborted && performance.now() < end; turn++) {
      const burst = seed + lab * 1_000_003 + turn * 7919;
      const faults = drawBurst(burst);
      begun += faults.length;
      const verdict = await suffer(world, faults);
      verdicts.push(verdict);
      if (verdict.wrong !== undefined) failed ??= { burst, verdict };
      if (verdicts.length % 20 === 0) say(progress(verdicts, began));
    }
    if (world.agent.pid !== 0)
      grown.push(`${descriptors} → ${world.descriptors} descriptors, ${world.memoryMb.toFixed(0)} MB`);
  };
  const ended = await Promise.allSettled(Array.from({ length: labs }, (_, lab) => work(lab)));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  say(progress(verdicts, began));
  say(`Agents at the end: ${grown.join("; ")}.`);
  const done = verdicts.reduce((sum, { faults }) => sum + faults, 0);
  if (!failed) {
    if (done >= most) return 0;
    if (interrupted.signal.aborted) return 130;
    say(`Only ${done} of ${most} faults came about in ${values.minutes} minutes.`);
    return 1;
  }
  say(`\nWrong after the burst ${failed.burst} (seed ${seed}):\n${failed.verdict.wrong}\n\nNarrowing it down…`);
  const fewest = await narrow(failed.burst, interrupted.signal);
  say(
    fewest
      ? `Shortest repetition: ${repetition(failed.burst, fewest)}`
      : `The burst alone does not do it. Repetition: ${again}`,
  );
  return 1;
}

function progress(verdicts: readonly Verdict[], began: number): string {
  const faults = verdicts.reduce((sum, verdict) => sum + verdict.faults, 0);
  const healed = verdicts.map(({ healedMs }) => healedMs).toSorted((a, b) => a - b);
  const at = (share: number): string => ((healed[Math.floor(share * (healed.length - 1))] ?? 0) / 1000).toFixed(1);
  const minutes = ((performance.now() - began) / 60_000).toFixed(1);
  return `${faults} faults in ${verdicts.length} bursts, ${minutes} min; whole again after ${at(0.5)} s (median), ${at(0.99)} s (99 %), ${at(1)} s (longest)`;
}

process.exitCode =
  values.burst === undefined ? await many() : await once(number(values.burst), values.only?.split(",").map(number));
