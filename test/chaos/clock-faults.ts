// Owns the faults of the clock: the time of day jumps for heddle's processes, and what waits for its time must not mind.
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { DAY_S, HOUR_S, YEAR_S } from "../clock/wrong-clock.ts";
import type { Random } from "../random.ts";
import type { Draw, Fault } from "./faults.ts";
import type { World } from "./world.ts";

/** Hours for a time zone, years for an empty battery, seconds for a daemon that corrects. */
const JUMPS_S = [1, HOUR_S, DAY_S, YEAR_S, 20 * YEAR_S].flatMap((seconds) => [seconds, -seconds]);
/** How long a change waits to be confirmed. */
const WAITS_S = 1;
/** What the agent and the guard have for an undo, on a machine that is busy with other things. */
const PATIENCE_MS = 60_000;

export const CLOCK_FAULTS: readonly { weight: number; draw: Draw }[] = [
  { weight: 3, draw: (random) => jump(random) },
  { weight: 1, draw: () => ({ text: "the clock is right again", do: async ({ clock }) => clock.set(0) }) },
  { weight: 1, draw: (random) => waitsOverJump(random) },
];

function jump(random: Random): Fault {
  const aheadS = random.pick(JUMPS_S);
  return { text: `the clock jumps to ${say(aheadS)}`, do: async ({ clock }) => clock.set(aheadS) };
}

/** A change waits for its confirmation while the clock jumps: it is undone, and not before its time. */
function waitsOverJump(random: Random): Fault {
  const aheadS = random.pick(JUMPS_S);
  return {
    text: `a change waits ${WAITS_S} s to be confirmed, and the clock jumps to ${say(aheadS)}`,
    do: async (world) => {
      const path = world.lab.configOf("worker");
      const text = readFileSync(path, "utf8");
      const route = "- { to: 10.77.0.0/16, type: unreachable, table: 77 }";
      const other = text.replace(/^( +)routes:\n/m, (line, indent: string) => `${line}${indent}  ${route}\n`);
      if (other === text) throw new Error("the file of chaos has no routes to add one to");
      writeFileSync(path, other);
      const began = performance.now();
      const { code } = await world.heddle("apply", "--force", "--confirm", String(WAITS_S));
      writeFileSync(path, text);
      world.clock.set(aheadS);
      // A host that is not whole may refuse it, and then nothing waits.
      if (code !== 0 && code !== 3) return;
      await undone(world, began + PATIENCE_MS);
      // The kernel tells its age in hundredths of a second.
      if (performance.now() - began < WAITS_S * 1000 - 20) throw new Error("a change was undone before its time");
    },
  };
}

async function undone(world: World, end: number): Promise<void> {
  while ((await world.status())?.pendingS !== undefined) {
    if (performance.now() > end) throw new Error("a change that nobody confirmed was not undone");
    await sleep(20);
  }
}

function say(aheadS: number): string {
  return `${Math.abs(aheadS)} s ${aheadS > 0 ? "ahead" : "behind"}`;
}
