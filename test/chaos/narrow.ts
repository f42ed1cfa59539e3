// Owns the search for the fewest faults of a burst that go wrong again on a fresh host.
import { drawBurst, suffer } from "./burst.ts";
import { World } from "./world.ts";

/** A burst that goes wrong takes its time, so that few are tried. */
const MOST_TRIES = 16;

/** The command that does it again. */
export function repetition(burst: number, only: readonly number[]): string {
  const whole = drawBurst(burst).length === only.length;
  return `make chaos BURST=${burst}${whole ? "" : ` ONLY=${only.join(",")}`}`;
}

/** Places of the faults, the fewest found until `signal`; undefined when the burst alone does not go wrong. */
export async function narrow(burst: number, signal: AbortSignal): Promise<number[] | undefined> {
  let tries = 0;
  const fails = async (only: readonly number[]): Promise<boolean> => {
    if (only.length === 0 || tries >= MOST_TRIES || signal.aborted) return false;
    tries++;
    await using world = await World.up("chaos-narrow");
    return (await suffer(world, drawBurst(burst, only))).wrong !== undefined;
  };
  let kept = drawBurst(burst).map((_, place) => place);
  if (!(await fails(kept))) return undefined;
  for (let size = kept.length; size > 1;) {
    size = Math.ceil(size / 2);
    for (let at = 0; at < kept.length;) {
      const without = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (await fails(without)) kept = without;
      else at += size;
    }
  }
  return kept;
}
