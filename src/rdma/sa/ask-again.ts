// Owns patience: a question that may be lost is asked again until it is answered, or often enough.

/** How long to wait for an answer to one question, and how often to ask. */
export interface Patience {
  timeoutMs: number;
  attempts: number;
}

/** Calls `ask` until `answer` comes. Undefined when it does not. */
export async function askAgain<T>(
  { timeoutMs, attempts }: Patience,
  answer: Promise<T>,
  ask: () => void | Promise<void>,
): Promise<T | undefined> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    await ask();
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), timeoutMs);
    const given = await Promise.race([answer, late.promise]);
    clearTimeout(timer);
    if (given !== undefined) return given;
  }
  return undefined;
}
