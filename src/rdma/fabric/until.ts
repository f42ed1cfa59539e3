// Owns waiting for a condition that others bring about.
/** A condition that does not come true by then is a failure. */
export const CEILING_MS = 30_000;

/** Waits until the condition holds; what is in its way is said when it does not. */
export async function until(what: string | (() => string), holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + CEILING_MS;
  while (!(await holds())) {
    if (performance.now() > end) {
      throw new Error(`waited in vain: ${typeof what === "string" ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
