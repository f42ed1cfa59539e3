// Owns how properties are run: once with a fixed seed, so that a run can be compared with the last one, and once with
// a new one, so that each run looks somewhere else. A failure prints the line to replay it with.
import fc from "fast-check";

const FIXED = 72;
/** Characters of a counterexample that are worth a reader's time. */
const MOST_SHOWN = 2000;

/** Checks the property with `numRuns` cases of either seed. */
export function holds<T>(property: fc.IProperty<T>, numRuns: number): void {
  report(fc.check(property, { seed: FIXED, numRuns }));
  report(fc.check(property, { numRuns }));
}

/** The same for a property that waits; it is not shrunk, because its cases are large and change a kernel. */
export async function holdsAsync<T>(property: fc.IAsyncProperty<T>, numRuns: number): Promise<void> {
  report(await fc.check(property, { seed: FIXED, numRuns, endOnFailure: true }));
  report(await fc.check(property, { numRuns, endOnFailure: true }));
}

function report<T>(details: fc.RunDetails<T>): void {
  if (!details.failed) return;
  const { seed, counterexamplePath, counterexample, errorInstance } = details;
  const shown = fc.stringify(counterexample).slice(0, MOST_SHOWN);
  const replay = `replay: { seed: ${seed}, path: ${JSON.stringify(counterexamplePath)}, endOnFailure: true }`;
  const cause = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  throw new Error(`${replay}\n${cause}\ncounterexample: ${shown}`, { cause: errorInstance });
}
