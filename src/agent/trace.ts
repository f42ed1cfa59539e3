// Owns what heddle says of its own doings to whoever wants to know: named events with plain fields.

/** Told each event: its name, and numbers and texts that belong to it. Durations are in milliseconds. */
export type Trace = (event: string, fields: Record<string, string | number>) => void;

/** Says nothing. */
export const noTrace: Trace = () => {};

/** Does something and tells how long it took, and what `describe` finds worth saying of the result. */
export async function timed<T>(
  trace: Trace,
  event: string,
  run: () => Promise<T>,
  describe: (result: T) => Record<string, string | number> = () => ({}),
): Promise<T> {
  if (trace === noTrace) return run();
  const began = performance.now();
  const result = await run();
  trace(event, { ms: Math.round((performance.now() - began) * 100) / 100, ...describe(result) });
  return result;
}
