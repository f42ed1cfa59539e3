// Owns how properties are run: once with a fixed seed, so that a run can be compared with the last one, and once with
// a new one, so that each run looks somewhere else. On failure fast-check prints the seed and the path to replay.
import fc from "fast-check";

const FIXED = 72;

/** Checks the property with `numRuns` cases of either seed. */
export function holds<T>(property: fc.IProperty<T>, numRuns: number): void {
  fc.assert(property, { seed: FIXED, numRuns });
  fc.assert(property, { numRuns });
}

/** The same for a property that waits. */
export async function holdsAsync<T>(property: fc.IAsyncProperty<T>, numRuns: number): Promise<void> {
  await fc.assert(property, { seed: FIXED, numRuns, endOnFailure: true });
  await fc.assert(property, { numRuns, endOnFailure: true });
}
